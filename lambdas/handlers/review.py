"""The review Lambda: API Gateway HTTP API (payload 2.0) behind a JWT authorizer → `headwater.outbound.review`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
    return bootstrap.app().review_api(event)
