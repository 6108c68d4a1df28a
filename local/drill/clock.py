"""The drill's time: it stands still until something moves it, and everything in a scenario reads the same one."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock


class DrillClock:
    """A `headwater.ports.Clock`, a `local.ehrs.chart.Clock` and a monotonic timer in one.

    It begins at a whole second of the real present: tokens and AWS signatures are made by real time.
    """

    def __init__(self, begin: datetime | None = None) -> None:
        self._begin = (begin or datetime.now(UTC)).replace(microsecond=0).timestamp()
        self._ahead = 0.0
        self._lock = Lock()

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self._begin + self._ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self(), UTC)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._ahead += max(0.0, seconds)
