"""Filters on lists. A single thing counts as a list of itself, nil as the empty list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.templates.errors import LimitReached
from headwater.templates.filters import registry
from headwater.templates.limits import Meter
from headwater.templates.runtime import dumps, equal, less, member, plain, sequence, text


def items(meter: Meter, value: Any) -> list[Any]:
    found = sequence(meter, value)
    if len(found) > meter.limits.items:
        raise LimitReached(f"a list of more than {meter.limits.items} items")
    meter.charge(8 * len(found))
    return list(found)


def join(meter: Meter, value: Any, separator: Any = " ") -> str:
    parts, mark = [text(item) for item in items(meter, value)], text(separator)
    meter.charge(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def first(meter: Meter, value: Any) -> Any:
    found = sequence(meter, value)
    return found[0] if found else None


def last(meter: Meter, value: Any) -> Any:
    found = sequence(meter, value)
    return found[-1] if found else None


def size(meter: Meter, value: Any) -> int:
    shown = value if isinstance(value, str | dict) else sequence(meter, value)
    return len(shown)


def concat(meter: Meter, value: Any, others: Any) -> list[Any]:
    return items(meter, items(meter, value) + items(meter, others))


def map_(meter: Meter, value: Any, key: Any) -> list[Any]:
    return [member(item, key) for item in items(meter, value)]


def where(meter: Meter, value: Any, key: Any, wanted: Any = None) -> list[Any]:
    """The items whose member `key` equals `wanted`, or without it, is truthy."""
    found = [(item, member(item, key)) for item in items(meter, value)]
    if wanted is None:
        return [item for item, has in found if has is not None and has is not False]
    return [item for item, has in found if equal(has, wanted)]


def compact(meter: Meter, value: Any, key: Any = None) -> list[Any]:
    return [each for each in items(meter, value) if (each if key is None else member(each, key)) is not None]


def uniq(meter: Meter, value: Any, key: Any = None) -> list[Any]:
    seen, kept = set(), []
    for item in items(meter, value):
        mark = dumps(item if key is None else member(item, key))
        if mark not in seen:
            seen.add(mark)
            kept.append(item)
    return kept


class _Order:
    """Sorts like Liquid's `<`, nil last."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = plain(value)

    def __lt__(self, other: _Order) -> bool:
        if self.value is None or other.value is None:
            return self.value is not None
        return less(self.value, other.value)


def sort(meter: Meter, value: Any, key: Any = None) -> list[Any]:
    return sorted(items(meter, value), key=lambda item: _Order(item if key is None else member(item, key)))


def sort_natural(meter: Meter, value: Any, key: Any = None) -> list[Any]:
    return sorted(items(meter, value), key=lambda item: text(item if key is None else member(item, key)).casefold())


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "join": join,
    "first": first,
    "last": last,
    "size": size,
    "concat": concat,
    "map": map_,
    "where": where,
    "compact": compact,
    "uniq": uniq,
    "sort": sort,
    "sort_natural": sort_natural,
    "reverse": lambda meter, value: items(meter, value)[::-1],
}
FILTERS = registry.of(_FUNCTIONS, metered=_FUNCTIONS)
