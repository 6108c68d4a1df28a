"""The review Lambda: API Gateway HTTP API (payload 2.0) behind a JWT authorizer → `headwater.outbound.review`."""

from __future__ import annotations

from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return bootstrap.app().review_api(event)
