"""The propose Lambda: a batch of write requests, each by `headwater.outbound.propose`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], context: object) -> Mapping[str, Any]:
    app = bootstrap.app()
    return app.batch(event, context, app.propose)
