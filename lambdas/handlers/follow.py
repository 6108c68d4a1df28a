"""The follow Lambda: by the clock, `headwater.inbound.follow`."""

from __future__ import annotations

from headwater import bootstrap


def handler(_event: dict[str, object], _context: object) -> None:
    bootstrap.app().follow()
