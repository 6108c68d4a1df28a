"""Filters on dates: HL7 v2 times to FHIR and back, to the precision that was sent, and DotLiquid's `date`.

A time without a zone is taken in the process's zone, as .NET does it; Lambdas run in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.microsoft import netdates
from headwater.templates.microsoft.values import double, shown, string

_HL7 = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d+))?)?)?)?)?)?(?:([+-])(\d\d)(\d\d))?\Z"
)
_FHIR = re.compile(
    r"(?!0000)(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)"
    r"(?:\.(\d+))?(?:Z|([+-])(0\d|1[0-4]):([0-5]\d)))?)?)?\Z"
)
_COMMON = re.compile(  # surely valid: days up to 28, offsets below 14 hours
    r"(?!0000)\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])"
    r"(?:(?:[01]\d|2[0-3])[0-5]\d[0-5]\d[+-](?:0\d|1[0-3])[0-5]\d)?\Z",
    re.ASCII,
)
YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, FRACTION = range(1, 8)


@dataclass(slots=True)
class Partial:
    """A moment known to some precision (YEAR … FRACTION); `fraction` are the digits as written."""

    moment: datetime
    precision: int
    fraction: str | None

    def shown(self, zone: str, day: str, time: str, colon: str, utc: str) -> str:
        """Year, then the rest by strftime layouts: `day` is three of them (for YEAR|MONTH|DAY), `time` one."""
        moment = self._in(zone)
        if self.precision <= DAY:
            return f"{moment.year:04d}{moment.strftime(day.split('|')[self.precision - 1])}"
        offset = moment.strftime("%z")
        suffix = utc if not moment.utcoffset() else offset[:3] + colon + offset[3:5]
        fraction = ""
        if self.precision == FRACTION:
            fraction = "." + (self.fraction or f"{moment.microsecond // 1000:03d}")
        return f"{moment.year:04d}{moment.strftime(time)}{fraction}{suffix}"

    def _in(self, zone: str) -> datetime:
        if zone == "preserve":
            return self.moment
        return self.moment.astimezone(UTC if zone == "utc" else None)


def _parsed(value: str, pattern: re.Pattern[str]) -> Partial:
    match = pattern.match(value)
    if match is None:
        raise FilterError("a date or time that cannot be read (Microsoft 1307)")
    *numbers, fraction, sign, hours, minutes = match.groups()
    precision = FRACTION if fraction else sum(each is not None for each in numbers)
    year, month, day, hour, minute, second = (
        int(each) if each else number in (1, 2) for number, each in enumerate(numbers)
    )
    milliseconds = int(fraction[:3]) if fraction else 0
    try:
        moment = datetime(year, month, day, hour, minute, second, milliseconds * 1000)
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            if offset > timedelta(hours=14):
                raise ValueError
            moment = moment.replace(tzinfo=timezone(offset if sign == "+" else -offset))
        else:
            moment = moment.replace(tzinfo=UTC) if value.endswith("Z") else moment.astimezone()
    except (ValueError, OverflowError):
        raise FilterError("a date or time that does not exist (Microsoft 1307)") from None
    return Partial(moment, precision, fraction)


def _zone(handling: Any) -> str:
    zone = (string(handling) or "").lower()
    if zone not in ("preserve", "utc", "local"):
        raise FilterError("the time zone handling is preserve, utc or local (Microsoft 1309)")
    return zone


def _fhir(partial: Partial, zone: str) -> str:
    return partial.shown(zone, "|-%m|-%m-%d", "-%m-%dT%H:%M:%S", ":", "Z")


def format_as_date_time(value: Any, handling: Any = "preserve") -> str | None:
    text = string(value)
    if text and handling == "preserve" and len(text) in (8, 19) and _COMMON.match(text):
        return _common(text)
    zone = _zone(handling)
    return _fhir(_parsed(text, _HL7), zone) if text else text


def _common(text: str) -> str:
    """The two most common shapes, YYYYMMDD and YYYYMMDDHHMMSS±ZZZZ, put together without taking them apart."""
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    if len(text) == 8:
        return day
    zone = "Z" if text.endswith("0000") else f"{text[14:17]}:{text[17:]}"
    return f"{day}T{text[8:10]}:{text[10:12]}:{text[12:14]}{zone}"


def add_hyphens_date(value: Any, handling: Any = "preserve") -> str | None:
    text, zone = string(value), _zone(handling)
    if not text:
        return text
    partial = _parsed(text, _HL7)
    partial.precision = min(partial.precision, DAY)
    return _fhir(partial, zone)


def add_seconds(value: Any, seconds: Any, handling: Any = "preserve") -> str | None:
    text, zone = string(value), _zone(handling)
    if not text:
        return text
    partial = _parsed(text, _FHIR)
    try:
        partial.moment += timedelta(milliseconds=round(double(seconds) * 1000))
    except (OverflowError, ValueError):
        raise FilterError("too many seconds") from None
    partial.fraction = None
    if partial.precision != FRACTION:
        partial.precision = FRACTION if partial.moment.microsecond // 1000 else SECOND
    return _fhir(partial, zone)


def format_as_hl7v2_date_time(value: Any, handling: Any = "preserve") -> str | None:
    text, zone = string(value), _zone(handling)
    if not text:
        return text
    return _parsed(text, _FHIR).shown(zone, "|%m|%m%d", "%m%d%H%M%S", "", "+0000")


def now(value: Any, format: Any = "yyyy-MM-ddTHH:mm:ss.FFFZ") -> str:  # noqa: ARG001 - any input will do
    return netdates.formatted(datetime.now(UTC).replace(tzinfo=None), string(format) or "G")


def date_(value: Any, format: Any) -> str | None:
    """Text that is no date is given back as it is."""
    if value is None:
        return None
    text, layout = shown(value), string(format)
    moment = datetime.now() if text.lower() in ("now", "today") else netdates.read(text)
    if moment is None or not layout or not layout.strip():
        return text
    return netdates.formatted(moment, layout)


FILTERS = registry.of(
    {
        "format_as_date_time": format_as_date_time,
        "add_hyphens_date": add_hyphens_date,
        "add_seconds": add_seconds,
        "format_as_hl7v2_date_time": format_as_hl7v2_date_time,
        "now": now,
        "date": date_,
    }
)
