"""Filters on collections: DotLiquid's and Microsoft's `to_array` and `concat`."""

from __future__ import annotations

import functools
from typing import Any

from headwater.templates.errors import FilterError, LimitReached
from headwater.templates.filters import registry
from headwater.templates.limits import Meter
from headwater.templates.microsoft.runtime import get, iterable
from headwater.templates.microsoft.values import equal, is_drop, shown, string


def _items(meter: Meter, value: Any) -> list[Any]:
    found = iterable(value)
    listed = [value] if found is None else list(found)
    if len(listed) > meter.limits.items:
        raise LimitReached(f"a list of more than {meter.limits.items} items")
    meter.charge(8 * len(listed))
    return listed


def _flat(meter: Meter, value: Any) -> list[Any]:
    flat: list[Any] = []
    for each in _items(meter, value):
        flat.extend(_flat(meter, each) if isinstance(each, list | tuple) else [each])
    return flat


def to_array(value: Any) -> list[Any]:
    """nil is no item, a list its items, anything else one item."""
    if value is None:
        return []
    return list(value) if value.__class__ in (list, tuple) else [value]


def concat(meter: Meter, value: Any, other: Any) -> list[Any]:
    for each in (value, other):
        if each is not None and not isinstance(each, list | tuple):
            raise FilterError("'concat' needs lists")
    return _items(meter, [*(value or ()), *(other or ())])


def join(meter: Meter, value: Any, glue: Any = " ") -> str | None:
    if value is None:
        return None
    parts, mark = list(map(shown, _items(meter, value))), string(glue) or ""
    meter.charge(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def size(value: Any) -> int:
    if value is None or is_drop(value):
        return 0
    found = iterable(value)
    return 0 if found is None else len(found)


def first(value: Any) -> Any:
    found = iterable(value)
    return found[0] if found else None


def last(value: Any) -> Any:
    found = iterable(value)
    return found[-1] if found else None


def map_(meter: Meter, value: Any, name: Any) -> list[Any] | None:
    member = string(name) or ""
    return None if value is None else [get(each, member) for each in _items(meter, value)]


def where(meter: Meter, value: Any, name: Any, wanted: Any = None) -> list[Any] | None:
    if value is None:
        return None
    member = string(name)
    if not member:
        raise FilterError("'where' needs a member's name")
    return [each for each in _items(meter, value) if _matches(get(each, member), wanted)]


def _matches(found: Any, wanted: Any) -> bool:
    if wanted is None or found is None:
        return found is not None and found is not False and str(found).lower() != "false"
    return equal(found, wanted)


def uniq(meter: Meter, value: Any) -> list[Any] | None:
    if value is None:
        return None
    kept: dict[Any, Any] = {}
    for each in _flat(meter, value):
        kept.setdefault((each.__class__, each if not isinstance(each, dict) else id(each)), each)
    return list(kept.values())


def _compared(left: Any, right: Any) -> int:
    if left is None or right is None:
        return (left is not None) - (right is not None)
    one, other = (left.lower(), right.lower()) if isinstance(left, str) and isinstance(right, str) else (left, right)
    try:
        return (one > other) - (one < other)
    except TypeError:
        raise FilterError("'sort' of values of different kinds") from None


def sort(meter: Meter, value: Any, name: Any = None) -> list[Any] | None:
    if value is None:
        return None
    items, member = _flat(meter, value), string(name)
    if not member:
        return sorted(items, key=functools.cmp_to_key(_compared))
    return sorted(items, key=lambda each: functools.cmp_to_key(_compared)(get(each, member)))


def reverse(meter: Meter, value: Any) -> Any:
    return value if value is None or isinstance(value, str) else _items(meter, value)[::-1]


FILTERS = registry.of(
    {
        "to_array": to_array,
        "concat": concat,
        "join": join,
        "size": size,
        "first": first,
        "last": last,
        "map": map_,
        "where": where,
        "uniq": uniq,
        "compact": lambda meter, value: (
            None if value is None else [each for each in _flat(meter, value) if each is not None]
        ),
        "sort": sort,
        "sort_natural": sort,
        "reverse": reverse,
    },
    metered=("concat", "join", "map", "where", "uniq", "compact", "sort", "sort_natural", "reverse"),
)
