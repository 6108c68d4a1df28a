"""How long and how often: units of time, ends that are told as a duration, repeat patterns. None for what is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.parts import text_of
from headwater.formats.hl7v2.values import quantity, zone_of
from headwater.formats.marks import fresh, nil_stays

# Units of time as senders write them (UCUM's, the letters of TQ-3 in HL7 v2.5.1 chapter 4.3.3, and words) to FHIR's
# (units-of-time), and to seconds where they always are as many.
_UNITS_OF_TIME = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "m", "minute", "minutes", "mn"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("wk", "w", "week", "weeks"), "wk"),
    **dict.fromkeys(("mo", "l", "month", "months"), "mo"),
    **dict.fromkeys(("a", "y", "year", "years"), "a"),
}
_LONGEST = 60.0 * 2**31  # FHIR's positiveInt
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 7 * 86400}


@nil_stays
def _unit_of_time(value: Any) -> str | None:
    """FHIR's code of a unit of time."""
    return _UNITS_OF_TIME.get(text_of(value).strip().lower())


def _seconds(amount: Any, unit: Any) -> float | None:
    """Without a unit it is minutes, as in scheduling (chapter 10.6.2.10)."""
    number = quantity(amount)
    length = _SECONDS.get(_unit_of_time(unit or "min") or "")
    return float(number["value"]) * length if number and length and "comparator" not in number else None


@fresh
def _minutes(amount: Any, unit: Any = "") -> int | None:
    """A length of time as FHIR positiveInt of minutes; None for what is none, or less than a minute."""
    seconds = _seconds(amount, unit)
    return round(seconds / 60) or None if seconds and seconds < _LONGEST else None


def _after(state: Any, value: Any, amount: Any, unit: Any = "") -> str | None:
    """FHIR dateTime `amount` units after `value` (a part of a message, or a FHIR dateTime), to its precision; the time
    itself when the amount is none. A day plus hours is not known."""
    return _moved(state, value, amount, unit, forward=True)


def _before(state: Any, value: Any, amount: Any, unit: Any = "") -> str | None:
    """FHIR dateTime `amount` units before `value`; see `after`."""
    return _moved(state, value, amount, unit, forward=False)


def _moved(state: Any, value: Any, amount: Any, unit: Any, *, forward: bool) -> str | None:
    moment = times.read(text_of(value))
    if moment is None:
        return None
    seconds = _seconds(amount, unit) if amount is not None else 0
    zone = moment.zone or zone_of(state)
    if seconds is None or (seconds and moment.known < 5 and (seconds % 86400 or moment.known < 3)):
        return None
    try:
        moved = moment.moved(timedelta(seconds=seconds if forward else -seconds))
    except OverflowError:
        return None
    return moved.date_time(zone) if zone else moved.date()


# Repeat patterns (HL7 v2.5.1 chapter 4.3.2.1) that say how often; the others say at which event, or whenever needed.
_EVERY = re.compile(r"Q(\d*)([SMHDWL])", re.IGNORECASE)
_A_DAY = {"QD": 1, "QAM": 1, "QPM": 1, "QHS": 1, "BID": 2, "TID": 3, "QID": 4}


@fresh
@nil_stays
def _frequency(value: Any) -> dict[str, int | str] | None:
    """`frequency`, `period` and `periodUnit` of a repeat pattern: BID, Q6H, QOD, 5ID; None of one that is no rhythm."""
    said = text_of(value).strip().upper()
    times_a_day = _A_DAY.get(said) or (int(said[:-2]) if re.fullmatch(r"[1-9]\d?ID", said, re.ASCII) else 0)
    if times_a_day:
        return {"frequency": times_a_day, "period": 1, "periodUnit": "d"}
    if said == "QOD":
        return {"frequency": 1, "period": 2, "periodUnit": "d"}
    every = _EVERY.fullmatch(said)
    period = int(every[1] or 1) if every else 0
    if not every or not period:
        return None
    return {"frequency": 1, "period": period, "periodUnit": _UNITS_OF_TIME[every[2].lower()]}


FILTERS: Mapping[str, Callable[..., Any]] = {
    "unit_of_time": _unit_of_time,
    "minutes": _minutes,
    "after": _after,
    "before": _before,
    "frequency": _frequency,
}
