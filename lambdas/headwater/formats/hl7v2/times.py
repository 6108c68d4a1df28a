"""HL7 v2 times to FHIR's: the precision stays what it was, and a time of day always gets its zone.

HL7 v2.5.1 chapter 2A.22 (DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]); FHIR R4 datatypes.html#dateTime.
Fillers such as 00000000 or UNKNOWN are no times: they give None, never an error, so that a bad date costs only itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

_USUAL = re.compile(r"\d{8}(?:\d{4}(?:\d\d(?:\.\d{1,6})?)?(?:[+-]\d{4})?)?", re.ASCII)
_KNOWN = {8: 3, 12: 5, 14: 6, 17: 5, 19: 6}  # parts, by the length of a usual text
_WRITTEN = (0, 4, 7, 10, 10, 19, 19)  # length, by how many parts are known
_DTM = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?"
    r"\s*(?:(Z)|([+-])(\d\d):?(\d\d))?"
)
_LONGEST = 64  # of a text that may be a time
_of_few = lru_cache(maxsize=1024)  # a message has few times, and says most of them more than once
_TM = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d)(\.\d{1,9})?)?(?:[+-]\d{4})?")


class Moment(NamedTuple):
    """A time as far as it is known: when it begins (without zone if none was said), how many of its parts, year to
    second, were given, and how FHIR writes these. `fraction` are the digits behind the second."""

    start: datetime
    known: int
    written: str
    fraction: str = ""

    @property
    def zone(self) -> tzinfo | None:
        """The zone that was said."""
        return self.start.tzinfo

    def aware(self, default: tzinfo) -> datetime:
        """The (start of the) moment; `default` is the zone for a moment that says none."""
        return self.start if self.start.tzinfo else self.start.replace(tzinfo=default)

    def moved(self, length: timedelta) -> Moment:
        """The moment `length` later, as precise as this one. Raises OverflowError outside of the years 1 to 9999."""
        later = self.start + length
        return _moment(list(later.timetuple()[: self.known]), self.fraction, later.tzinfo)

    def date(self) -> str:
        """FHIR date: YYYY, YYYY-MM or YYYY-MM-DD, as written by the sender, in no zone."""
        return self.written[:10]

    def date_time(self, default: tzinfo) -> str:
        """FHIR dateTime. FHIR has no hour without minutes, and inventing minutes would lie: such a one is its day."""
        start, known, written, fraction = self
        if known < 5:
            return written[:10]
        if fraction:
            written = f"{written}.{fraction}"
        own = start.tzinfo
        offset = _offset((own or default).utcoffset(start))
        return f"{written}Z" if own and offset == "+00:00" else written + offset

    def instant(self, default: tzinfo) -> str | None:
        """FHIR instant, None if the day or the time of day is not known; seconds are filled with zero."""
        return self.date_time(default) if self.known >= 5 else None


@lru_cache(maxsize=64)
def _offset(length: timedelta | None) -> str:
    """+HH:MM. A zone of 1880 has seconds, which FHIR has no room for."""
    return datetime(2000, 1, 1, tzinfo=timezone(length or timedelta())).isoformat()[19:25]


def read(text: str) -> Moment | None:
    """The moment that a DTM, TS or DT says, None if it says none. ISO 8601 spellings are understood too.

    Zeros in place of month or day (19700000), a common filler, shorten the precision.
    """
    return _read(text) if len(text) <= _LONGEST else None


def date(text: str) -> str | None:
    """FHIR date of what `read` reads."""
    return _date(text) if len(text) <= _LONGEST else None


def date_time(text: str, default: tzinfo) -> str | None:
    """FHIR dateTime of what `read` reads."""
    return _date_time(text, default) if len(text) <= _LONGEST else None


@_of_few
def _read(text: str) -> Moment | None:
    start = _usual(text)
    if start is None:
        return _parsed(text.strip())
    fraction = text[15:].partition("-")[0].partition("+")[0] if "." in text else ""
    known = 6 if fraction else _KNOWN[len(text)]
    return Moment(start, known, start.isoformat()[: _WRITTEN[known]], fraction)


@_of_few
def _date(text: str) -> str | None:
    start = _usual(text)
    if start:
        return start.isoformat()[:10]
    moment = read(text)
    return moment.date() if moment else None


@_of_few
def _date_time(text: str, default: tzinfo) -> str | None:
    """Most are written as Python writes them."""
    start = _usual(text) if "." not in text else None
    if start is None:
        moment = read(text)
        return moment.date_time(default) if moment else None
    written = start.isoformat()
    if len(text) == len("YYYYMMDD"):
        return written[:10]
    if start.tzinfo is None:
        return written + _offset(default.utcoffset(start))
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


def _usual(text: str) -> datetime | None:
    """When a text begins that is written as most are."""
    if not _USUAL.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text if len(text) == 8 else f"{text[:8]}T{text[8:]}")
    except ValueError:  # zeros, or no time
        return None


def _parsed(text: str) -> Moment | None:
    found = _DTM.fullmatch(text)
    if not found:
        return None
    *digits, fraction, utc, sign, hours, minutes = found.groups()
    parts = [int(digit) for digit in digits if digit is not None]
    for index in (1, 2):
        if len(parts) > index and parts[index] == 0:
            parts = parts[:index]
    zone: tzinfo | None = UTC if utc else None
    try:
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(offset if sign == "+" else -offset)
        return _moment(parts, (fraction or "") if len(parts) == 6 else "", zone)
    except ValueError:
        return None


def _moment(parts: list[int], fraction: str, zone: tzinfo | None) -> Moment:
    known = len(parts)
    year, month, day, hour, minute, second = parts + [1, 1, 0, 0, 0][known - 1 :]
    start = datetime(year, month, day, hour, minute, second, int(fraction[:6].ljust(6, "0")), zone)
    return Moment(start, known, start.isoformat()[: _WRITTEN[known]], fraction)


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
