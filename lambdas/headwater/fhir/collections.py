"""FHIRPath's collections: steps, operators and functions, each as a function that makes a function.

Everything maps a focus (a collection: a list of JSON values) and the resource to a collection. An empty one means "not
known" to the operators. `fhirpath` reads expressions and puts these together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headwater.fhir.moments import compare

Items = list[Any]
Run = Callable[[Items, Any], Items]
# The JSON names of elements that have several: `value` → `valueString`, `_valueString` and so on.
Choices = Mapping[str, frozenset[str]]


class Unsupported(Exception):
    """The expression uses more of FHIRPath than is here."""


def focus_itself(focus: Items, _resource: Any) -> Items:
    return focus


def step(run: Run, name: str, choices: Choices) -> Run:
    each = step_of(name, choices)
    return lambda focus, resource: [v for item in run(focus, resource) for v in each(item)]


def step_of(name: str, choices: Choices) -> Callable[[Any], Items]:
    """The step from one object alone."""
    if name in choices:
        names = choices[name]
        return lambda item: _choice_member(item, names)
    return lambda item: _member(item, name)


def _member(item: Any, name: str) -> Items:
    """An element of an object; one that has only extensions stands as the object that holds them."""
    if type(item) is not dict:
        return []
    value = item.get(name)
    if value is None:
        value = item.get(f"_{name}")
        if value is None:
            return []
    return [part for part in value if part is not None] if type(value) is list else [value]


def _choice_member(item: Any, names: frozenset[str]) -> Items:
    present = names.intersection(item) if type(item) is dict else ()
    return _member(item, min(present, key=len)) if present else []


def _children(items: Items) -> Iterator[Any]:
    for item in items:
        if type(item) is dict:
            for value in item.values():
                yield from value if type(value) is list else [value]


def _descendants(items: Items) -> Iterator[Any]:
    for child in _children(items):
        yield child
        yield from _descendants([child])


def truth(items: Items) -> bool | None:
    if not items:
        return None
    return items[0] if type(items[0]) is bool else True


def has_value(items: Items) -> bool:
    return len(items) == 1 and type(items[0]) is not dict


def _boolean(value: bool | None) -> Items:
    return [] if value is None else [value]


def _key(item: Any) -> str:
    """Equal for equal items only; Python alone holds 1 and True for the same."""
    return json.dumps(item, sort_keys=True, default=str)


def _equal(left: Items, right: Items) -> bool | None:
    if not left or not right:
        return None
    return len(left) == len(right) and all(map(_same, left, right))


def _same(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


# ------------------------------------------------------------------------------------------------------------ operators


def _operator(decide: Callable[[Items, Items], bool | None]) -> Callable[[Run, Run], Run]:
    return lambda left, right: lambda focus, resource: _boolean(decide(left(focus, resource), right(focus, resource)))


def _and(left: Run, right: Run) -> Run:
    def run(focus: Items, resource: Any) -> Items:
        one = truth(left(focus, resource))
        if one is False:
            return [False]
        other = truth(right(focus, resource))
        return [False] if other is False else _boolean(None if one is None else other)

    return run


def _or(left: Run, right: Run) -> Run:
    def run(focus: Items, resource: Any) -> Items:
        one = truth(left(focus, resource))
        if one:
            return [True]
        other = truth(right(focus, resource))
        return [True] if other else _boolean(None if one is None else other)

    return run


def _implies(left: Run, right: Run) -> Run:
    def run(focus: Items, resource: Any) -> Items:
        one = truth(left(focus, resource))
        if one is False:
            return [True]
        other = truth(right(focus, resource))
        return [True] if other else _boolean(None if one is None else other)

    return run


def _xor(left: Items, right: Items) -> bool | None:
    one, other = truth(left), truth(right)
    return None if one is None or other is None else one is not other


def _among(left: Items, right: Items) -> bool | None:
    return any(_same(left[0], item) for item in right) if left else None


def _ordered(wanted: Callable[[int], bool]) -> Callable[[Items, Items], bool | None]:
    def decide(left: Items, right: Items) -> bool | None:
        order = compare(left[0], right[0]) if left and right else None
        return None if order is None else wanted(order)

    return decide


def of_type(run: Run, operator: str, name: str) -> Run:
    python: type | tuple[type, ...] | None = {"boolean": (bool,), "decimal": (int, float)}.get(name.lower())
    if python is None:
        raise Unsupported(f"type {name} is not known")
    if operator == "as":
        return lambda focus, resource: [item for item in run(focus, resource) if isinstance(item, python)]
    return lambda focus, resource: [isinstance(item, python) for item in run(focus, resource)][:1]


OPERATORS: dict[str, Callable[[Run, Run], Run]] = {
    "and": _and,
    "or": _or,
    "implies": _implies,
    "xor": _operator(_xor),
    "=": _operator(_equal),
    "!=": _operator(lambda left, right: None if (same := _equal(left, right)) is None else not same),
    "in": _operator(_among),
    "contains": _operator(lambda left, right: _among(right, left)),
    "<": _operator(_ordered(lambda order: order < 0)),
    ">": _operator(_ordered(lambda order: order > 0)),
    "<=": _operator(_ordered(lambda order: order <= 0)),
    ">=": _operator(_ordered(lambda order: order >= 0)),
    "|": lambda left, right: lambda focus, resource: [*left(focus, resource), *right(focus, resource)],
    "+": lambda left, right: lambda focus, resource: [sum((*left(focus, resource), *right(focus, resource)))],
    "&": lambda left, right: (
        lambda focus, resource: ["".join(str(item) for side in (left, right) for item in side(focus, resource))]
    ),
}


# ------------------------------------------------------------------------------------------------------------ functions


def _where(run: Run, test: Run) -> Run:
    return lambda focus, resource: [item for item in run(focus, resource) if truth(test([item], resource))]


def _exists_where(run: Run, test: Run) -> Run:
    return lambda focus, resource: [any(truth(test([item], resource)) for item in run(focus, resource))]


def _all(run: Run, test: Run) -> Run:
    return lambda focus, resource: [all(truth(test([item], resource)) is not False for item in run(focus, resource))]


def _select(run: Run, projection: Run) -> Run:
    return lambda focus, resource: [made for item in run(focus, resource) for made in projection([item], resource)]


def _whole(calculate: Callable[[Items], Items]) -> Callable[..., Run]:
    """A function of the collection alone; `trace('x')` has an argument that is of no consequence."""
    return lambda run, *_: lambda focus, resource: calculate(run(focus, resource))


def _text(calculate: Callable[[str, Any], Any]) -> Callable[..., Run]:
    """A function of one text and one argument."""

    def make(run: Run, argument: Run) -> Run:
        def evaluate(focus: Items, resource: Any) -> Items:
            items, arguments = run(focus, resource), argument(focus, resource)
            if not items or not arguments or type(items[0]) is not str:
                return []
            return [calculate(items[0], arguments[0])]

        return evaluate

    return make


def _iif(_run: Run, test: Run, yes: Run, no: Run | None = None) -> Run:
    def evaluate(focus: Items, resource: Any) -> Items:
        if truth(test(focus, resource)):
            return yes(focus, resource)
        return no(focus, resource) if no else []

    return evaluate


def _intersect(run: Run, other: Run) -> Run:
    def evaluate(focus: Items, resource: Any) -> Items:
        known = {_key(item) for item in other(focus, resource)}
        return [item for item in run(focus, resource) if _key(item) in known]

    return evaluate


def _to_integer(items: Items) -> Items:
    return [int(item) for item in items[:1] if re.fullmatch(r"[+-]?\d{1,18}", str(item), re.ASCII)]


PER_ITEM: dict[str, Callable[[Run, Run], Run]] = {
    "where": _where,
    "exists": _exists_where,
    "all": _all,
    "select": _select,
}
FUNCTIONS: dict[str, Callable[..., Run]] = {
    "exists": _whole(lambda items: [bool(items)]),
    "empty": _whole(lambda items: [not items]),
    "not": _whole(lambda items: _boolean(None if (known := truth(items)) is None else not known)),
    "count": _whole(lambda items: [len(items)]),
    "first": _whole(lambda items: items[:1]),
    "tail": _whole(lambda items: items[1:]),
    "trace": _whole(lambda items: items),
    "hasValue": _whole(lambda items: [has_value(items)]),
    "isDistinct": _whole(lambda items: [len({_key(item) for item in items}) == len(items)]),
    "allFalse": _whole(lambda items: [all(item is False for item in items)]),
    "children": _whole(lambda items: list(_children(items))),
    "descendants": _whole(lambda items: list(_descendants(items))),
    "toInteger": _whole(_to_integer),
    "toString": _whole(lambda items: [str(item) for item in items[:1]]),
    "startsWith": _text(lambda text, start: text.startswith(str(start))),
    "contains": _text(lambda text, part: str(part) in text),
    "matches": _text(lambda text, pattern: re.search(str(pattern), text) is not None),
    "combine": lambda run, other: lambda focus, resource: [*run(focus, resource), *other(focus, resource)],
    "intersect": _intersect,
    "iif": _iif,
}
