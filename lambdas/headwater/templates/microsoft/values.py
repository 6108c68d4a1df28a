"""How .NET sees values: conversions, equality, order and printing, as far as templates can tell.

Python's str, int, Decimal, float and bool stand for string, int, decimal, double and bool. Drops (segments, fields)
convert to nothing and equal nothing but themselves.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from headwater.templates.errors import FilterError

_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*\Z")
_REAL = re.compile(r"\s*[+-]?(?:\d{1,3}(?:,\d{3})+|\d{0,60})(?:\.\d{0,60})?(?:[eE][+-]?\d{1,3})?\s*\Z")
CONVERTIBLE = (str, int, Decimal, float, bool)


def shown(value: Any) -> str:
    """A value as an output prints it; drops print nothing."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is Decimal:
        return _decimal(value)
    if kind is float:
        return _double(value)
    if kind is list or kind is tuple or kind is range:
        return "".join(map(shown, value))
    if kind is dict:
        return "".join(f"[{name}, {shown(each)}]" for name, each in value.items())
    return ""


def _decimal(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _double(value: float) -> str:
    """The shortest text that gives the same double again; no `.0`, exponents as .NET writes them."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "∞", "-inf": "-∞"}[repr(value)]
    text = repr(value)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        sign = "-" if exponent.startswith("-") else "+"
        return f"{mantissa.removesuffix('.0')}E{sign}{exponent.lstrip('+-').zfill(2)}"
    return text.removesuffix(".0")


def converted(value: Any, kind: type) -> Any:
    """Convert.ChangeType: raises ValueError when .NET would raise."""
    if kind is value.__class__:
        return value
    if not isinstance(value, CONVERTIBLE) or kind not in CONVERTIBLE:
        raise ValueError("not convertible")
    if kind is str:
        return str(value) if isinstance(value, bool) else shown(value)
    if kind is bool:
        return _to_bool(value)
    if kind is int:
        return _to_int(value)
    return _to_decimal(value) if kind is Decimal else float(_to_decimal(value))


def _to_bool(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in ("true", "false"):
            raise ValueError("not a bool")
        return word == "true"
    return bool(value)


def _to_int(value: Any) -> int:
    if isinstance(value, str):
        if not _INTEGER.match(value):
            raise ValueError("not an integer")
        return int(value)
    return int(value) if isinstance(value, bool) else round(value)


def _to_decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        if not _REAL.match(value) or not any(map(str.isdigit, value)):
            raise ValueError("not a number")
        return Decimal(value.strip().replace(",", ""))
    try:
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise ValueError("not a number") from None


def equal(left: Any, right: Any) -> bool:
    """`==`: the right side is converted to the left one's type, or else the other way round; it never raises."""
    if left is None or right is None:
        return left is right
    if left.__class__ is right.__class__:
        return left is right if is_drop(left) else bool(left == right)
    try:
        return bool(converted(right, left.__class__) == left)
    except (ValueError, OverflowError):
        try:
            return bool(converted(left, right.__class__) == right)
        except (ValueError, OverflowError):
            return False


def order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None when one side is nil. Text that is no number against a number is an error, as in DotLiquid."""
    if left is None or right is None:
        return None
    try:
        other = converted(right, left.__class__)
        return int(left > other) - int(left < other)
    except (ValueError, TypeError, OverflowError):
        raise FilterError("'<' or '>' between values of different kinds") from None


def is_drop(value: Any) -> bool:
    return value is not None and not isinstance(value, CONVERTIBLE) and hasattr(type(value), "lookup")


def string(value: Any) -> str | None:
    """A filter's string argument."""
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, CONVERTIBLE):
        return str(converted(value, str))
    raise FilterError(f"text is needed, not a {type(value).__name__.lower()}")


def double(value: Any) -> float:
    """A filter's number argument; nil is 0, as reflection gives it."""
    if value is None:
        return 0.0
    try:
        return float(converted(value, float))
    except (ValueError, OverflowError):
        raise FilterError("a number is needed") from None


def integer(value: Any) -> int:
    if value is None:
        return 0
    try:
        return int(converted(value, int))
    except (ValueError, OverflowError):
        raise FilterError("a whole number is needed") from None
