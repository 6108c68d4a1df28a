"""What compiled templates call while they run: member lookup, printing, comparing, looping. The house dialect.

Nothing here ever reads a Python attribute that a template named: a member is a dict's key, a list's index, or what a
drop's `lookup` gives for it. A drop is any object whose class has `lookup(name: str | int) -> Any`; it prints as
`str(drop)` and loops if its class has `__iter__`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any

from headwater.model import Numbered
from headwater.templates.errors import MISSING, FilterError, LimitReached, TemplateError
from headwater.templates.lifting import AS_WRITTEN
from headwater.templates.limits import Limits, Meter

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)
_NAMES = (int, str)  # tuples, because a union is made anew each time it is asked
_SEQUENCES = (str, list, tuple)
_JSON_WORDS = frozenset({"true", "false", "null"})


class Json(str):
    """Text that is JSON already and must not be escaped again where a JSON value stands."""

    __slots__ = ()


class State(Meter):
    """One render: its limits, the engine that finds partials, the variables that the root was given, and what becomes
    of resources inside of others."""

    __slots__ = ("engine", "given", "lifting")

    def __init__(self, limits: Limits, engine: Any, given: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(limits)
        self.engine = engine
        self.given = given
        self.lifting = AS_WRITTEN

    def partial(self, name: Any, mode: str) -> Any:
        """The compiled function of a template that is named by a value, which an error must not repeat."""
        return self.named(text(name), mode)

    def named(self, name: str, mode: str) -> Any:
        if self.engine.folders.find(name) is None:
            raise TemplateError(MISSING, hint="no template of the name that was worked out")
        return self.engine.function(name, mode)


class ForLoop:
    """The drop `forloop` inside a loop."""

    __slots__ = ("index0", "length", "outer")

    def __init__(self, length: int, outer: Any) -> None:
        self.index0 = -1
        self.length = length
        self.outer = outer

    def lookup(self, name: str | int) -> Any:
        at, length = self.index0, self.length
        if name == "first":
            return at == 0
        if name == "last":
            return at == length - 1
        known = {
            "index": at + 1,
            "index0": at,
            "rindex": length - at,
            "rindex0": length - at - 1,
            "length": length,
            "parentloop": self.outer,
        }
        return known.get(str(name))

    def __str__(self) -> str:
        return "forloop"


def is_drop(value: Any) -> bool:
    return hasattr(type(value), "lookup")


def member(value: Any, key: Any) -> Any:
    """`value.key` or `value[key]`; nil when there is no such member."""
    if value is None:
        return None
    lookup = getattr(value.__class__, "lookup", None)
    if lookup is not None:
        return lookup(value, key if key.__class__ in _NAMES else text(key))
    if isinstance(value, dict):
        return _member_of_dict(value, key)
    return _member_of_sequence(value, key) if isinstance(value, _SEQUENCES) else None


def _member_of_dict(value: dict[Any, Any], key: Any) -> Any:
    if not isinstance(key, str | int):
        key = text(key)
    if key in value:
        return value[key]
    if isinstance(key, int):
        return value.get(str(key))
    if key == "size":
        return len(value)
    if key == "first" and value:
        return list(next(iter(value.items())))
    return None


def _member_of_sequence(value: Sequence[Any], key: Any) -> Any:
    if key == "size":
        return len(value)
    if isinstance(value, str):  # a part of a message that has no parts is a text
        return value if key in (1, "text") else None
    if key == "first":
        key = 0
    elif key == "last":
        key = -1
    if isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None


def text(value: Any) -> str:
    """A value as it is printed."""
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return "".join(map(text, value))
    if isinstance(value, dict):
        return dumps(value)
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, date):
        return value.isoformat()
    if is_drop(value):
        return str(value)
    raise FilterError(f"a {type(value).__name__} cannot be printed")


def quoted(value: Any) -> str:
    """A value as it is printed inside a JSON string: whatever the data is, it cannot end the string."""
    printed = value if value.__class__ is str else text(value)
    return encode_basestring(printed)[1:-1]


def json_value(value: Any) -> str:
    """A value where JSON wants a value: numbers and true, false, null bare, even when they came as text; else a
    string. Nil is the empty string, which is dropped like any other empty."""
    if isinstance(value, Json):
        return value
    if value is None:
        return '""'
    if isinstance(value, bool | int | float | dict | list | tuple):
        return dumps(value)
    printed = text(value)
    bare = printed in _JSON_WORDS or _JSON_NUMBER.match(printed)
    return printed if bare else encode_basestring(printed)


def dumps(value: Any) -> str:
    """Compact JSON. Drops inside become their printed text."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text, allow_nan=False)
    except ValueError:
        raise FilterError("a value that JSON cannot hold") from None


def plain(value: Any) -> Any:
    """What comparisons and filters work on: a drop is its printed text."""
    return str(value) if hasattr(value.__class__, "lookup") else value


def is_empty(value: Any) -> bool:
    value = plain(value)
    return isinstance(value, str | list | tuple | dict) and not value


def is_blank(value: Any) -> bool:
    value = plain(value)
    return value is None or value is False or is_empty(value) or (isinstance(value, str) and not value.strip())


def equal(left: Any, right: Any) -> bool:
    if left.__class__ is str and right.__class__ is str:
        return bool(left == right)
    left, right = plain(left), plain(right)
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def less(left: Any, right: Any) -> bool:
    """`left < right`. Text against a number is compared as a number if it is one; anything else is false."""
    left, right = _number(left, right), _number(right, left)
    try:
        return bool(left < right)
    except TypeError:
        return False


def less_or_equal(left: Any, right: Any) -> bool:
    left, right = _number(left, right), _number(right, left)
    try:
        return bool(left <= right)
    except TypeError:
        return False


def _number(value: Any, other: Any) -> Any:
    value = plain(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and isinstance(other, int | float):
        return (float(value) if "." in value else int(value)) if _JSON_NUMBER.match(value) else None
    return value


def contains(whole: Any, part: Any) -> bool:
    whole = plain(whole)
    if part is None:
        return False
    if isinstance(whole, str):
        return text(part) in whole
    if isinstance(whole, list | tuple | range):
        if part.__class__ is str and set(map(type, whole)) == {str}:
            return part in whole
        return any(equal(item, part) for item in whole)
    return isinstance(whole, dict) and text(part) in whole


def span(first: Any, last: Any) -> range:
    """The range `(first..last)`."""
    return range(integer(first), integer(last) + 1)


def integer(value: Any) -> int:
    value = plain(value)
    if isinstance(value, str) and _JSON_NUMBER.match(value):
        return int(float(value))
    if isinstance(value, int | float):
        return int(value)
    if value is None:
        return 0
    raise FilterError("a whole number is needed")


def sequence(state: Meter, value: Any) -> Sequence[Any]:
    """A value as something to loop over: a list, a range, a dict's pairs, a drop's items; one thing is itself once."""
    if value.__class__ is list:
        found: Sequence[Any] = value
    elif value.__class__ is str:
        return (value,) if value else ()
    elif isinstance(value, Numbered):
        found = value.each()
    elif isinstance(value, tuple | range):
        found = value
    elif value is None or value is False or value == "":
        return ()
    elif isinstance(value, dict):
        found = [list(pair) for pair in value.items()]
    elif is_drop(value) and hasattr(type(value), "__iter__"):
        found = list(value)
    else:
        return (value,)
    if len(found) > state.limits.items and not isinstance(found, range):
        raise LimitReached(f"a list of more than {state.limits.items} items")
    return found


def turns(state: Meter, value: Any, limit: Any, offset: Any, reverse: bool) -> Sequence[Any]:
    """What a `for` goes through: offset first, then limit, then reversed."""
    found = sequence(state, value)
    if offset is not None:
        found = found[max(integer(offset), 0) :]
    if limit is not None:
        found = found[: max(integer(limit), 0)]
    return found[::-1] if reverse else found
