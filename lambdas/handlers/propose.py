"""The propose Lambda: a batch of write requests, each by `headwater.outbound.propose`."""

from __future__ import annotations

from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    app = bootstrap.app()
    return app.batch(event, context, lambda delivery: app.propose(delivery.body))
