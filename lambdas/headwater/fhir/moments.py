"""Which of two FHIR values comes first: numbers, quantities, and dates and times of any precision.

Where the specification leaves the order open (2020 against 2020-03, a date against a time within a day of it) the
answer is None, and no rule may be built on it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any


def compare(left: Any, right: Any) -> int | None:
    """Less than 0, 0, more than 0 as `left` comes before, with or after `right`; None if that cannot be said."""
    if type(left) is str and type(right) is str:
        return _compare_text(left, right)
    if type(left) is dict and type(right) is dict:
        return _compare_quantities(left, right)
    if _is_number(left) and _is_number(right):
        return int(left > right) - int(left < right)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _compare_quantities(left: dict[str, Any], right: dict[str, Any]) -> int | None:
    if any(left.get(unit) != right.get(unit) for unit in ("system", "code", "unit")):
        return None
    return compare(left.get("value"), right.get("value")) if _is_number(left.get("value")) else None


def _compare_text(left: str, right: str) -> int | None:
    if "T" in left and "T" in right:
        return _compare_times(left, right)
    if len(left) == len(right):
        return (left > right) - (left < right)
    if "T" in left or "T" in right:
        return _compare_days(left[:10], right[:10])
    shared = min(len(left), len(right))
    return ((left > right) - (left < right)) if left[:shared] != right[:shared] else None


def _compare_times(left: str, right: str) -> int | None:
    try:
        one, other = datetime.fromisoformat(left), datetime.fromisoformat(right)
        return (one > other) - (one < other)
    except (ValueError, TypeError):  # a leap second; a time without a zone
        return None


def _compare_days(left: str, right: str) -> int | None:
    """A date against a time: time zones may shift either by most of a day."""
    if len(left) != len(right):
        return _compare_text(left, right)
    try:
        apart = date.fromisoformat(left) - date.fromisoformat(right)
    except ValueError:
        return None
    return None if abs(apart) <= timedelta(days=1) else (1 if apart > timedelta() else -1)
