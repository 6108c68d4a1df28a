"""Filters on numbers: DotLiquid's, which keep the kind (int, decimal) they are given, and Microsoft's, all double."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, DecimalException
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.limits import Meter
from headwater.templates.microsoft.values import converted, double, integer, shown

_LARGEST = 2**63


def _calculated(value: Any, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
    """nil with anything is nil; a decimal or double on either side makes both decimals; else both must be whole."""
    if value is None or other is None:
        return None
    try:
        if isinstance(value, Decimal | float) or isinstance(other, Decimal | float):
            return operation(converted(value, Decimal), converted(other, Decimal))
        if isinstance(value, str) or isinstance(other, str):
            raise FilterError("a number is needed, not text")
        result = operation(converted(value, int), converted(other, int))
    except (ValueError, DecimalException):
        raise FilterError("a number is needed") from None
    if abs(result) >= _LARGEST:
        raise FilterError("a number is too large")
    return result


def plus(meter: Meter, value: Any, other: Any) -> Any:
    """On text, joins."""
    if isinstance(value, str):
        meter.charge(len(value) + len(shown(other)))
        return value + shown(other)
    return _calculated(value, other, lambda left, right: left + right)


def times(meter: Meter, value: Any, other: Any) -> Any:
    """Text times a whole number repeats it; text times a decimal is a number."""
    if isinstance(value, str) and type(other) is int:
        meter.charge(len(value) * max(other, 0))
        return [value] * min(max(other, 0), meter.limits.items)
    return _calculated(value, other, lambda left, right: left * right)


def _divided(left: Any, right: Any) -> Any:
    if right == 0:
        raise FilterError("division by zero")
    if isinstance(left, int):
        return abs(left) // abs(right) * (1 if (left < 0) is (right < 0) else -1)
    return left / right


def _remainder(left: Any, right: Any) -> Any:
    if right == 0:
        raise FilterError("division by zero")
    return int(math.fmod(left, right)) if isinstance(left, int) else left % right


def is_nan(value: Any) -> bool:
    """Microsoft's: true when it IS a number."""
    try:
        converted(shown(value), float)
    except ValueError:
        return False
    return True


def round_(value: Any, places: Any = None) -> Decimal | None:
    try:
        return Decimal(converted(value, Decimal)).quantize(Decimal(1).scaleb(-integer(places)), ROUND_HALF_EVEN)
    except (ValueError, DecimalException):
        return None


def _whole(value: Any, function: Callable[[Decimal], int]) -> Decimal | None:
    try:
        return Decimal(function(converted(shown(value), Decimal)))
    except (ValueError, OverflowError):
        return None


def power(value: Any, other: Any) -> float:
    try:
        return math.pow(double(value), double(other))
    except (ValueError, OverflowError):
        return math.inf


def divide(value: Any, other: Any) -> float:
    dividend, divisor = double(value), double(other)
    if divisor == 0:
        return math.nan if dividend == 0 else math.copysign(math.inf, dividend)
    return dividend / divisor


def _sign(value: Any) -> float:
    number = double(value)
    return float((number > 0) - (number < 0))


def _limited(value: Any, other: Any, choose: Callable[[float, float], float]) -> Any:
    try:
        return choose(converted(shown(value), float), converted(shown(other), float))
    except ValueError:
        return value


FILTERS = registry.of(
    {
        "plus": plus,
        "minus": lambda value, other: _calculated(value, other, lambda left, right: left - right),
        "times": times,
        "divided_by": lambda value, other: _calculated(value, other, _divided),
        "modulo": lambda value, other: _calculated(value, other, _remainder),
        "round": round_,
        "ceil": lambda value: _whole(value, math.ceil),
        "floor": lambda value: _whole(value, math.floor),
        "at_least": lambda value, other: _limited(value, other, max),
        "at_most": lambda value, other: _limited(value, other, min),
        "is_nan": is_nan,
        "abs": lambda value: abs(double(value)),
        "pow": power,
        "random": lambda limit: random.randrange(max(integer(limit), 1)),
        "sign": _sign,
        "truncate_number": lambda value: float(math.trunc(double(value))),
        "divide": divide,
    },
    metered=("plus", "times"),
)
