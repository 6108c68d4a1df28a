"""The remind Lambda: by the clock, `headwater.outbound.remind`."""

from __future__ import annotations

from headwater import bootstrap


def handler(_event: dict[str, object], _context: object) -> None:
    bootstrap.app().remind()
