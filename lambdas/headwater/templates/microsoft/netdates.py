"""Dates as .NET reads and lays them out, for the filters `date` and `now`; invariant culture."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

_READ = re.compile(
    r"\s*(?:(?P<year>\d{4})[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2}))?|"
    r"(?P<month2>\d{1,2})/(?P<day2>\d{1,2})/(?P<year2>\d{4}))"
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,7}))?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?\s*\Z"
)
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|%|y+|M+|d+|H+|h+|m+|s+|f+|F+|t+|z+|K|g+|.", re.DOTALL)
_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "G": "MM/dd/yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "M": "MMMM dd",
    "m": "MMMM dd",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_LONGEST = 200


def read(text: str) -> datetime | None:
    """A moment in local time, or None if the text is no date. A zone is converted, as DateTime.TryParse does."""
    match = _READ.match(text)
    if match is None:
        return None
    part = match.groupdict()
    fraction = (part["fraction"] or "").ljust(6, "0")[:6]
    try:
        moment = datetime(
            int(part["year"] or part["year2"]),
            int(part["month"] or part["month2"]),
            int(part["day"] or part["day2"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int(fraction),
        )
        if part["zone"]:
            zone = "+0000" if part["zone"] == "Z" else part["zone"].replace(":", "")
            tz = datetime.strptime(zone, "%z").tzinfo
            moment = moment.replace(tzinfo=tz).astimezone()
    except (ValueError, OverflowError):
        return None
    return moment


def formatted(moment: datetime, layout: str) -> str:
    """`moment` by a .NET standard (one letter) or custom format."""
    layout = _STANDARD.get(layout, layout)[:_LONGEST]
    return "".join(_piece(moment, token) for token in _TOKEN.findall(layout))


def _piece(moment: datetime, token: str) -> str:
    kind, width = token[0], len(token)
    if kind in "'\"" and width > 1:
        return token[1:-1]
    if kind == "\\":
        return token[1:]
    if kind in _NUMBERS:
        return str(_NUMBERS[kind](moment)).zfill(min(width, 2))
    if kind == "y":
        return str(moment.year % 100).zfill(width) if width < 3 else str(moment.year).zfill(width)
    if kind == "M":
        return _named(moment.month, width, moment.strftime("%b"), moment.strftime("%B"))
    if kind == "d":
        return _named(moment.day, width, moment.strftime("%a"), moment.strftime("%A"))
    if kind in "fF":
        digits = f"{moment.microsecond:06d}0"[:width]
        return digits if kind == "f" else digits.rstrip("0")
    if kind == "t":
        return moment.strftime("%p")[: min(width, 2)]
    if kind in "zK":
        return _offset(moment, kind, width)
    return {"%": "", "g": "A.D."}.get(kind, token)


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "H": lambda moment: moment.hour,
    "h": lambda moment: moment.hour % 12 or 12,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
}


def _named(number: int, width: int, short: str, full: str) -> str:
    if width <= 2:
        return str(number).zfill(width)
    return short if width == 3 else full


def _offset(moment: datetime, kind: str, width: int) -> str:
    offset = (moment if moment.tzinfo else moment.astimezone()).strftime("%z")
    if kind == "K":
        return f"{offset[:3]}:{offset[3:5]}" if moment.tzinfo else ""
    if width < 3:
        return offset[:3] if width == 2 else offset[0] + (offset[1:3].lstrip("0") or "0")
    return f"{offset[:3]}:{offset[3:5]}"
