"""HL7 v2 times to FHIR's: the precision stays what it was, and a time of day always gets its zone.

HL7 v2.5.1 chapter 2A.22 (DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]); FHIR R4 datatypes.html#dateTime.
Fillers such as 00000000 or UNKNOWN are no times: they give None, never an error, so that a bad date costs only itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache

_DTM = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?"
    r"\s*(?:(Z)|([+-])(\d\d):?(\d\d))?"
)
_TM = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d)(\.\d{1,9})?)?(?:[+-]\d{4})?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as far as it is known. `parts` are year … second, as many as were given; `zone` None if none was said."""

    parts: tuple[int, ...]
    fraction: str = ""
    zone: tzinfo | None = None

    def aware(self, default: tzinfo) -> datetime:
        """The (start of the) moment; `default` is the zone for a moment that says none."""
        year, month, day, hour, minute, second = (*self.parts, *(1, 1, 0, 0, 0)[len(self.parts) - 1 :])
        microsecond = int(self.fraction[:6].ljust(6, "0")) if self.fraction else 0
        return datetime(year, month, day, hour, minute, second, microsecond, self.zone or default)

    def moved(self, length: timedelta) -> Moment:
        """The moment `length` later, as precise as this one. Raises OverflowError outside of the years 1 to 9999."""
        later = self.aware(UTC) + length
        parts = (later.year, later.month, later.day, later.hour, later.minute, later.second)
        return replace(self, parts=parts[: len(self.parts)])

    def date(self) -> str:
        """FHIR date: YYYY, YYYY-MM or YYYY-MM-DD, as written by the sender, in no zone."""
        year, *rest = self.parts[:3]
        return "-".join((f"{year:04}", *(f"{part:02}" for part in rest)))

    def date_time(self, default: tzinfo) -> str:
        """FHIR dateTime. FHIR has no hour without minutes, and inventing minutes would lie: such a one is its day."""
        if len(self.parts) < 5:
            return self.date()
        return self._written(self.aware(default))

    def instant(self, default: tzinfo) -> str | None:
        """FHIR instant, None if the day or the time of day is not known; seconds are filled with zero."""
        return self._written(self.aware(default)) if len(self.parts) >= 5 else None

    def _written(self, aware: datetime) -> str:
        zone = aware.isoformat(timespec="seconds")[19:25]  # a zone of 1880 has seconds, which FHIR has no room for
        fraction = f".{self.fraction}" if self.fraction else ""
        return (
            f"{aware:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + fraction + ("Z" if zone == "+00:00" and self.zone else zone)
        )


@lru_cache(maxsize=256)  # a message says the same few times again and again
def read(text: str) -> Moment | None:
    """The moment that a DTM, TS or DT says, None if it says none. ISO 8601 spellings are understood too.

    Zeros in place of month or day (19700000), a common filler, shorten the precision.
    """
    found = _DTM.fullmatch(text.strip())
    if not found:
        return None
    *digits, fraction, utc, sign, hours, minutes = found.groups()
    parts = [int(digit) for digit in digits if digit is not None]
    for index in (1, 2):
        if len(parts) > index and parts[index] == 0:
            parts = parts[:index]
    zone: tzinfo | None = UTC if utc else None
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if offset >= timedelta(hours=24):
            return None
        zone = timezone(offset if sign == "+" else -offset)
    moment = Moment(tuple(parts), (fraction or "") if len(parts) == 6 else "", zone)
    try:
        moment.aware(UTC)
    except ValueError:
        return None
    return moment


def read_time(text: str) -> str | None:
    """FHIR time of an HL7 TM (HHMM[SS[.SSSS]]); FHIR's has no zone, so a zone is dropped."""
    found = _TM.fullmatch(text.strip())
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    try:
        return time(int(hour), int(minute), int(second or 0)).isoformat() + (fraction or "")
    except ValueError:
        return None
