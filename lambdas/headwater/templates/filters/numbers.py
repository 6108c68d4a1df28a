"""Filters on numbers. Text that is a number counts as one; sums of decimals stay decimal (0.1 + 0.2 = 0.3)."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.runtime import integer, plain

_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,60}(?:\.\d{0,60})?|\.\d{1,60})(?:[eE][+-]?\d{1,2})?\s*\Z", re.ASCII)


def number(value: Any) -> int | Decimal:
    """A value as a number; nil and text that is none are 0, as in Shopify Liquid."""
    value = plain(value)
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and _NUMBER.match(value):
        shown = value.strip()
        return int(shown) if shown.lstrip("+-").isdecimal() else Decimal(shown)
    return 0


def _shown(value: int | Decimal) -> int | float:
    if isinstance(value, int):
        if abs(value) > 10**60:
            raise FilterError("a number is too large")
        return value
    return float(value)


def plus(value: Any, other: Any) -> int | float:
    return _shown(number(value) + number(other))


def minus(value: Any, other: Any) -> int | float:
    return _shown(number(value) - number(other))


def times(value: Any, other: Any) -> int | float:
    return _shown(number(value) * number(other))


def divided_by(value: Any, other: Any) -> int | float:
    """Whole numbers divide to a whole number, rounded down."""
    dividend, divisor = number(value), number(other)
    if divisor == 0:
        raise FilterError("division by zero")
    if isinstance(dividend, int) and isinstance(divisor, int):
        return dividend // divisor
    return _shown(Decimal(dividend) / Decimal(divisor))


def modulo(value: Any, other: Any) -> int | float:
    dividend, divisor = number(value), number(other)
    if divisor == 0:
        raise FilterError("division by zero")
    return _shown(dividend - divisor * math.floor(Decimal(dividend) / Decimal(divisor)))


def round_(value: Any, digits: Any = 0) -> int | float:
    places = max(min(integer(digits), 30), 0)
    try:
        rounded = Decimal(number(value)).quantize(Decimal(1).scaleb(-places), "ROUND_HALF_UP")
    except InvalidOperation:
        raise FilterError("a number is too large") from None
    return float(rounded) if places else int(rounded)


def at_least(value: Any, other: Any) -> int | float:
    one, least = number(value), number(other)
    return _shown(least if one < least else one)


def at_most(value: Any, other: Any) -> int | float:
    one, most = number(value), number(other)
    return _shown(most if one > most else one)


def absolute(value: Any) -> int | float:
    whole = number(value)
    return _shown(-whole if whole < 0 else whole)


FILTERS = registry.of(
    {
        "plus": plus,
        "minus": minus,
        "times": times,
        "divided_by": divided_by,
        "modulo": modulo,
        "round": round_,
        "abs": absolute,
        "ceil": lambda value: math.ceil(number(value)),
        "floor": lambda value: math.floor(number(value)),
        "at_least": at_least,
        "at_most": at_most,
    }
)
