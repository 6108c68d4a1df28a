"""The backfill Lambda: a batch of a Distributed Map over files in S3, by `headwater.inbound.backfill`."""

from __future__ import annotations

from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return bootstrap.app().backfill(event, context)
