"""What code compiled from Microsoft's templates calls while it runs: members, conditions, loops, partials, raw output.

Variables live in one dict; a scope is a binding that is undone on return. `State.under` remembers, for each name bound
at the moment, the value it had in the outermost scope: `assign` writes there (DotLiquid's rule), past all bindings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headwater.model import LARGE
from headwater.templates.building.runtime import (
    MISSING,
    kept,
    missing,
    missing_value,
    second_value,
    told,
    unescaped,
    whole,
)
from headwater.templates.errors import FilterError, LimitReached
from headwater.templates.limits import Limits
from headwater.templates.microsoft.hl7v2 import Drop, SafeList
from headwater.templates.microsoft.values import equal, integer, is_drop, order, shown
from headwater.templates.runtime import ForLoop, State

Function = Callable[[Any, dict[str, Any], list[str]], None]
Codes = dict[str, dict[str, dict[str, str]]]
_BREAKS_JSON = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|["\\\x00-\x1f]')


class MicrosoftState(State):
    """One render: besides the limits, the outermost values under present bindings, and the code maps."""

    __slots__ = ("codes", "memo", "under")

    def __init__(self, limits: Limits, engine: Any, given: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(limits, engine, given)
        self.under: dict[str, Any] = {}
        self.codes: Codes = engine.codes
        self.memo: dict[Any, dict[tuple[int, ...], tuple[Any, ...]]] = {}

    def partial(self, name: Any, mode: str) -> Any:
        return self.named(shown(name), mode)


class Pair:
    """One member of an object, as a `for` over the object gives it."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: Any) -> None:
        self.key = key
        self.value = value

    def lookup(self, name: str | int) -> Any:
        if name in (0, "0", "Key", "itemName"):
            return self.key
        if name in (1, "1", "Value", self.key):
            return self.value
        return self.value.get(name) if isinstance(self.value, dict) else None


def get(value: Any, name: str) -> Any:
    """`value.name`: names of objects are case-sensitive, those of segments, fields and components are not."""
    kind = value.__class__
    if kind is dict:
        found = value.get(name)
        return found if found is not None or name in value else _counted(value, name)
    if value is None:
        return None
    if kind is Drop:
        return value[int(name) if name.isdecimal() else name.lower()]
    if kind is list or kind is str or kind is SafeList or kind is tuple:
        return _counted(value, name)
    return value.lookup(name) if is_drop(value) else None


def _counted(value: Any, name: str) -> Any:
    if name == "size":
        return len(value)
    if name in ("first", "last") and value:
        if isinstance(value, dict):
            key = next(iter(value) if name == "first" else reversed(value))
            return Pair(key, value[key])
        return value[0 if name == "first" else -1]
    return None


def at(value: Any, index: Any) -> Any:
    """`value[index]`, for an index that is worked out or written in brackets."""
    kind = value.__class__
    if value is None or index is None:
        return None
    if kind is Drop:
        if isinstance(index, str):
            return get(value, index)
        if index.__class__ is not int:
            raise FilterError("no such member of a segment, field or component (Microsoft 1302)")
        return value[index]
    if kind is dict:
        return value.get(index if isinstance(index, str) else shown(index))
    if index.__class__ is int and kind in (list, tuple, SafeList):
        return value[index] if 0 <= index < len(value) else None
    return value.lookup(index) if is_drop(value) else None


def is_empty(value: Any) -> bool:
    return isinstance(value, str | list | tuple | dict) and value.__class__ is not Drop and not value


def less(left: Any, right: Any) -> bool:
    return order(left, right) == -1


def less_or_equal(left: Any, right: Any) -> bool:
    return order(left, right) in (-1, 0)


def greater(left: Any, right: Any) -> bool:
    return order(left, right) == 1


def greater_or_equal(left: Any, right: Any) -> bool:
    return order(left, right) in (0, 1)


def contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        return part is not None and shown(part) in whole
    if isinstance(whole, list | tuple | range):
        return any(_same_family(each, part) and equal(each, part) for each in whole)
    return False


def _same_family(left: Any, right: Any) -> bool:
    if left.__class__ is right.__class__ or left is None or right is None:
        return True
    return not isinstance(left, bool | str) and not isinstance(right, bool | str)


def starts_with(whole: Any, part: Any) -> bool:
    if isinstance(whole, list):
        return equal(whole[0] if whole else None, part)
    return isinstance(whole, str) and whole.startswith(shown(part))


def ends_with(whole: Any, part: Any) -> bool:
    if isinstance(whole, list):
        return equal(whole[-1] if whole else None, part)
    return isinstance(whole, str) and whole.endswith(shown(part))


def has_key(whole: Any, part: Any) -> bool:
    return whole.__class__ is dict and isinstance(part, str) and part in whole


def has_value(whole: Any, part: Any) -> bool:
    return whole.__class__ is dict and any(equal(each, part) for each in whole.values())


def mended(value: Any) -> str:
    """What is printed inside a JSON string: as it is, but whatever would end or break the string is escaped."""
    text = value if value.__class__ is str else shown(value)
    if '"' not in text and "\\" not in text and text.isprintable():
        return text
    return _BREAKS_JSON.sub(_mend, text)


def _mend(match: re.Match[str]) -> str:
    found = match.group()
    if len(found) > 1:
        return found
    return "\\" + found if found in '"\\' else f"\\u{ord(found):04x}"


def span(first: Any, last: Any) -> range:
    return range(integer(first), integer(last) + 1)


def iterable(value: Any) -> Sequence[Any] | None:
    """What a loop goes through; None for what is no collection. Text is its characters."""
    kind = value.__class__
    if kind in (list, SafeList, tuple, range, str):
        return value  # type: ignore[no-any-return]
    if kind is dict:
        return [Pair(key, each) for key, each in value.items()]
    return None


def turns(state: State, value: Any, limit: Any, offset: Any, reverse: bool) -> Sequence[Any]:
    found = iterable(value)
    if found is None:
        return ()
    if len(found) > state.limits.items:
        raise LimitReached(f"a loop over more than {state.limits.items} items")
    first = max(integer(offset), 0)
    found = found[first : first + max(integer(limit), 0)] if limit is not None else found[first:]
    return found[::-1] if reverse else found


def spread(value: Any) -> Iterable[Any]:
    """The values for which `include … with` renders: each item of a collection, or the one value."""
    found = iterable(value)
    return (value,) if found is None else found


def evaluated(state: State, out: list[str]) -> str | None:
    """The result of `evaluate`: trimmed, and nil if nothing is left."""
    return trimmed(state, out[0] if len(out) == 1 else "".join(out))


def trimmed(state: State, text: str) -> str | None:
    """The same of a text that is put together already."""
    if len(text) >= LARGE:
        state.charge(len(text))
    return text.strip() or None


def plain(state: State, value: Any) -> str:
    """An output that is a whole JSON string, as JSON reads it: `\\"` in data is a quotation mark."""
    text = value if value.__class__ is str else shown(value)
    if len(text) >= LARGE:
        state.left -= len(text)
    return unescaped(mended(text)) if "\\" in text else text


def around(state: State, before: str, value: Any, after: str) -> str:
    """A JSON string of one output between constant texts."""
    text = value if value.__class__ is str else shown(value)
    if "\\" in text or '"' in text or len(text) >= LARGE:
        return told(state, (before, mended(text), after))
    return before + text + after


def batch(
    state: MicrosoftState, variables: dict[str, Any], items: Any, function: Function, tail: str, *names: Any
) -> str:
    """`batch_render`: the template once per item, each behind the other with `tail`."""
    if items is None:
        return ""
    name = shown(names[0]).lower()
    whole = shown(names[1]).lower() if len(names) > 1 else ""
    out: list[str] = []
    bound = [(name, *bind(state, variables, name))]
    if whole.strip():
        bound.append((whole, *bind(state, variables, whole)))
        variables[whole] = items
    for item in iterable(items) or ():
        variables[name] = item
        state.tick(out)
        function(state, variables, out)
        out.append(tail)
    for each, saved, fresh in reversed(bound):
        variables[each] = state.under.pop(each) if fresh else saved
    return state.join(out)


def bind(state: MicrosoftState, variables: dict[str, Any], name: str) -> tuple[Any, bool]:
    """Begin a binding; gives what to put back, and whether it is the outermost one of its name."""
    saved = variables.get(name)
    fresh = name not in state.under
    if fresh:
        state.under[name] = saved
    return saved, fresh


NAMES: dict[str, Any] = {
    "Drop": Drop,
    "MISSING": MISSING,
    "text": shown,
    "ForLoop": ForLoop,
    **{
        each.__name__: each
        for each in (
            *(get, at, is_empty, less, less_or_equal, greater, greater_or_equal, contains, starts_with, ends_with),
            *(has_key, has_value, mended, span, turns, spread, evaluated, batch, equal, trimmed, plain, around),
            *(told, whole, kept, missing, missing_value, second_value),
        )
    },
}
