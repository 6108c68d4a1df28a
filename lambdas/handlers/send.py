"""The send Lambda: a batch of approved intents, each by `headwater.outbound.send`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], context: object) -> Mapping[str, Any]:
    app = bootstrap.app()
    return app.batch(event, context, app.send)
