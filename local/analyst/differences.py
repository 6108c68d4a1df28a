"""What differs between two JSON values, as places a person can go to: resources by what they are, not by where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson

MISSING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` or `after` is MISSING for what is only on the other side."""

    place: str
    before: Any
    after: Any


def differences(before: Any, after: Any, place: str = "") -> Iterator[Difference]:
    """Members by name, resources by type and id, other items by what they have in common; in the order of `before`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            inner = f"{place}.{name}" if place else name
            yield from _either(before.get(name, MISSING), after.get(name, MISSING), inner)
    elif isinstance(before, list) and isinstance(after, list):
        resources = all(isinstance(item, dict) and "resourceType" in item for item in (*before, *after))
        pairs = _resources(before, after) if resources else _items(before, after)
        for number, one, other in pairs:
            yield from _either(one, other, _named(one, other) if resources else f"{place}[{number}]")
    elif type(before) is not type(after) or before != after:
        yield Difference(place, before, after)


def _either(before: Any, after: Any, place: str) -> Iterator[Difference]:
    if before is MISSING or after is MISSING:
        yield Difference(place, before, after)
    else:
        yield from differences(before, after, place)


def _named(before: Any, after: Any) -> str:
    one = before if before is not MISSING else after
    return f"{one['resourceType']}/{one.get('id', '')}"


def _resources(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Pairs with the same type and id; what is left is paired with the next left one of its type (its id changed)."""
    others = {(each["resourceType"], each.get("id")): each for each in after}
    left: dict[str, list[Any]] = {}
    known = {(each["resourceType"], each.get("id")) for each in before}
    for key, each in others.items():
        if key not in known:
            left.setdefault(key[0], []).append(each)
    for number, each in enumerate(before):
        other = others.get((each["resourceType"], each.get("id")))
        if other is None and left.get(each["resourceType"]):
            other = left[each["resourceType"]].pop(0)
        yield number, each, MISSING if other is None else other
    for rest in left.values():
        for number, each in enumerate(rest):
            yield number, MISSING, each


def _items(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    matcher = SequenceMatcher(None, list(map(_key, before)), list(map(_key, after)), autojunk=False)
    for operation, start, end, other_start, other_end in matcher.get_opcodes():
        if operation == "equal":
            continue
        length = max(end - start, other_end - other_start)
        for offset in range(length):
            one = before[start + offset] if start + offset < end else MISSING
            other = after[other_start + offset] if other_start + offset < other_end else MISSING
            yield (start if one is not MISSING else other_start) + offset, one, other


def _key(item: Any) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
