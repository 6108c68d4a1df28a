"""Time and chance of the request that is being answered, the two things that make moto forgetful.

A journal can only bring a server back if answering the same request again gives the same ids, receipt handles and
time-outs. So within one request the clock stands still, and every random number comes from moto's own generator,
seeded with the request's number. `install` must run before moto's services are imported, because they copy the clock
functions by name.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

_wall_clock = time.time


class Moment:
    """The request at hand: `at` is its frozen time (seconds since 1970), None between requests.

    The queues report back here: `patience` is how long the caller is ready to wait (ReceiveMessage's WaitTimeSeconds),
    `moved` whether a receive handed out or dead-lettered anything, and so must be remembered.
    """

    def __init__(self) -> None:
        self.at: float | None = None
        self.patience = 0.0
        self.moved = False

    def begin(self, number: int, at: float) -> None:
        from moto.moto_api._internal import mock_random

        mock_random.seed(number)
        self.at, self.patience, self.moved = at, 0.0, False

    def end(self) -> None:
        self.at = None

    def now(self) -> float:
        return _wall_clock() if self.at is None else self.at


MOMENT = Moment()


def _unix_time(when: datetime | None = None) -> float:
    return MOMENT.now() if when is None else when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def _unix_time_millis(when: datetime | None = None) -> float:
    return _unix_time(when) * 1000.0


def _utcnow() -> datetime:
    return datetime.fromtimestamp(MOMENT.now(), UTC).replace(tzinfo=None)


def install() -> None:
    """Give this process one clock and one source of chance. Also 10 to 30 times faster than moto's own clock."""
    import moto.core.utils
    from moto.moto_api._internal import mock_random

    mend(moto.core.utils, unix_time=_unix_time, unix_time_millis=_unix_time_millis, utcnow=_utcnow)
    mend(time, time=MOMENT.now)
    mend(os, urandom=mock_random.randbytes)  # uuid4, KMS key material and S3 upload ids draw from here


def mend(target: object, **parts: Any) -> None:
    """Put our parts in the place of another's, in this process only."""
    for name, part in parts.items():
        setattr(target, name, part)
