"""R4's invariants, compiled from FHIRPath to Python functions: exactly as much of the language as they use.

A type's rules are compiled when a resource first uses it. Nothing is executed as text: each operator becomes a closure
from a collection to a collection. Source: FHIRPath N1 (hl7.org/fhirpath/N1), FHIR R4 fhirpath.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from headwater.fhir.moments import compare

Items = list[Any]
# From the focus (a collection) and the resource to a collection.
Run = Callable[[Items, Any], Items]
Rule = Callable[[Any], bool]
Choices = Mapping[str, frozenset[str]]
# Straight from one object to a verdict, None being "cannot be said".
Decide = Callable[[Any], bool | None]

_UCUM = "http://unitsofmeasure.org"
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+)|(?P<name>`[^`]+`|[A-Za-z_]\w*)|(?P<variable>[$%]\w+)"
    r"|(?P<sign><=|>=|!=|[=<>|&+().,]))"
)
_ESCAPE = re.compile(r"\\(.)")
# From the loosest to the tightest, as the grammar of N1 has it.
_BINDING = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "!=": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "&": 9,
}  # fmt: skip


class Unsupported(Exception):
    """The expression uses more of FHIRPath than is here."""


def compile_rule(expression: str, *, at_resource: bool, choices: Choices | None = None) -> Rule:
    """A function that says whether an object obeys `expression`; one that cannot be decided counts as obeyed.

    `at_resource`: the object is the resource itself, so that `%resource` has a meaning. `choices` give the JSON names
    of the elements that have several (`value` → `valueString`, `_valueString` and so on). Raises Unsupported.
    """
    decide = _decision(_Parser(expression, at_resource, choices or {}).whole())
    return lambda node: decide(node) is not False


class _Term(NamedTuple):
    """A compiled part of an expression. Most rules ask what is there, so presence has a way without collections:
    `code.empty() or system.exists()` becomes two look-ups.
    """

    run: Run
    names: frozenset[str] = frozenset()  # if it is one step from the focus: the properties that step to
    decide: Decide | None = None
    sure: bool = False  # `decide` never gives None


class _Parser:
    def __init__(self, expression: str, at_resource: bool, choices: Choices) -> None:
        self.tokens = _tokens(expression)
        self.position = 0
        self.at_resource = at_resource
        self.choices = choices

    def whole(self) -> _Term:
        term = self.expression(0)
        if self.position != len(self.tokens):
            raise Unsupported(f"does not end at token {self.position}")
        return term

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, expected: str = "") -> tuple[str, str]:
        if self.position == len(self.tokens) or (expected and self.peek() != expected):
            raise Unsupported(f"expected {expected or 'more'} at token {self.position}")
        self.position += 1
        return self.tokens[self.position - 1]

    def expression(self, loosest: int) -> _Term:
        left = self.path()
        while _BINDING.get(self.peek(), 0) > loosest:
            operator = self.take()[1]
            if operator in ("is", "as"):
                left = _Term(_of_type(left.run, operator, self.take()[1]))
                continue
            right = self.expression(_BINDING[operator])
            left = _joined(operator, left, right)
        return left

    def path(self) -> _Term:
        term = self.start()
        while self.peek() == ".":
            self.take()
            name = self.take()[1]
            term = self.function(term, name) if self.peek() == "(" else _Term(_step(term.run, name, self.choices))
        return term

    def start(self) -> _Term:
        kind, token = self.take()
        if kind == "text":
            return _constant(_ESCAPE.sub(r"\1", token[1:-1]))
        if kind == "number":
            return _constant(int(token))
        if kind == "variable":
            return self.variable(token)
        if token == "(":
            inner = self.expression(0)
            self.take(")")
            return inner
        if kind != "name":
            raise Unsupported(f"cannot start with {token}")
        if token in ("true", "false"):
            return _constant(token == "true")
        if self.peek() == "(":
            return self.function(_Term(_focus), token)
        if token[0].isupper():  # the resource's own type, as in `Appointment.status`
            return _Term(_focus)
        name = token.strip("`")
        return _Term(_step(_focus, name, self.choices), self.choices.get(name) or frozenset({name, f"_{name}"}))

    def variable(self, token: str) -> _Term:
        if token == "$this":
            return _Term(_focus)
        if token == "%ucum":
            return _constant(_UCUM)
        if token == "%resource" and self.at_resource:
            return _Term(lambda _focus, resource: [resource])
        raise Unsupported(f"{token} is not known here")

    def function(self, on: _Term, name: str) -> _Term:
        self.take("(")
        arguments: list[Run] = []
        while self.peek() != ")":
            if arguments:
                self.take(",")
            arguments.append(self.expression(0).run)
        self.take(")")
        if on.names and not arguments and name in ("exists", "empty"):
            return _presence(on.names, name == "exists")
        if name in _PER_ITEM and len(arguments) == 1:
            return _Term(_PER_ITEM[name](on.run, arguments[0]))
        if name in _FUNCTIONS:
            return _Term(_FUNCTIONS[name](on.run, *arguments))
        raise Unsupported(f"function {name} is not known")


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens = []
    position, text = 0, expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Unsupported(f"cannot be read at character {position}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


# ---------------------------------------------------------------------------------------------------------- collections


def _focus(focus: Items, _resource: Any) -> Items:
    return focus


def _constant(value: Any) -> _Term:
    return _Term(lambda _focus, _resource: [value])


def _step(run: Run, name: str, choices: Choices) -> Run:
    if name in choices:
        names = choices[name]
        return lambda focus, resource: [v for item in run(focus, resource) for v in _choice_member(item, names)]
    return lambda focus, resource: [v for item in run(focus, resource) for v in _member(item, name)]


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


def _presence(names: frozenset[str], wanted: bool) -> _Term:
    absent = names.isdisjoint

    def decide(node: Any) -> bool:
        return (type(node) is dict and not absent(node)) is wanted

    def run(focus: Items, _resource: Any) -> Items:
        return [any(type(item) is dict and not absent(item) for item in focus) is wanted]

    return _Term(run, decide=decide, sure=True)


def _decision(term: _Term) -> Decide:
    run = term.run
    return term.decide or (lambda node: _truth(run([node], node)))


def _joined(operator: str, left: _Term, right: _Term) -> _Term:
    run = _OPERATORS[operator](left.run, right.run)
    if not left.sure or operator not in ("and", "or", "implies"):
        return _Term(run)
    one, other = _decision(left), _decision(right)
    if operator == "and":
        return _Term(run, decide=lambda node: one(node) and other(node), sure=right.sure)
    if operator == "or":
        return _Term(run, decide=lambda node: one(node) or other(node), sure=right.sure)
    return _Term(run, decide=lambda node: not one(node) or other(node), sure=right.sure)


def _children(items: Items) -> Iterator[Any]:
    for item in items:
        if type(item) is dict:
            for value in item.values():
                yield from value if type(value) is list else [value]


def _decide_present(name: str, wanted: bool) -> Decide:
    shadow = f"_{name}"
    return lambda node: (type(node) is dict and (name in node or shadow in node)) is wanted


def _short_cut(operator: str, left: _Term, right: _Term) -> Decide | None:
    """`and`, `or`, `implies` of presence tests, which are never undecided."""
    one, other = left.decide, right.decide
    if one is None or other is None:
        return None
    if operator == "and":
        return lambda node: one(node) and other(node)
    if operator == "or":
        return lambda node: one(node) or other(node)
    if operator == "implies":
        return lambda node: not one(node) or other(node)
    return None


def _descendants(items: Items) -> Iterator[Any]:
    for child in _children(items):
        yield child
        yield from _descendants([child])


def _truth(items: Items) -> bool | None:
    if not items:
        return None
    return items[0] if type(items[0]) is bool else True


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
        one = _truth(left(focus, resource))
        if one is False:
            return [False]
        other = _truth(right(focus, resource))
        return [False] if other is False else _boolean(None if one is None else other)

    return run


def _or(left: Run, right: Run) -> Run:
    def run(focus: Items, resource: Any) -> Items:
        one = _truth(left(focus, resource))
        if one:
            return [True]
        other = _truth(right(focus, resource))
        return [True] if other else _boolean(None if one is None else other)

    return run


def _implies(left: Run, right: Run) -> Run:
    def run(focus: Items, resource: Any) -> Items:
        one = _truth(left(focus, resource))
        if one is False:
            return [True]
        other = _truth(right(focus, resource))
        return [True] if other else _boolean(None if one is None else other)

    return run


def _xor(left: Items, right: Items) -> bool | None:
    one, other = _truth(left), _truth(right)
    return None if one is None or other is None else one is not other


def _among(left: Items, right: Items) -> bool | None:
    return any(_same(left[0], item) for item in right) if left else None


def _ordered(wanted: Callable[[int], bool]) -> Callable[[Items, Items], bool | None]:
    def decide(left: Items, right: Items) -> bool | None:
        order = compare(left[0], right[0]) if left and right else None
        return None if order is None else wanted(order)

    return decide


def _of_type(run: Run, operator: str, name: str) -> Run:
    python: type | tuple[type, ...] | None = {"boolean": (bool,), "decimal": (int, float)}.get(name.lower())
    if python is None:
        raise Unsupported(f"type {name} is not known")
    if operator == "as":
        return lambda focus, resource: [item for item in run(focus, resource) if isinstance(item, python)]
    return lambda focus, resource: [isinstance(item, python) for item in run(focus, resource)][:1]


_OPERATORS: dict[str, Callable[[Run, Run], Run]] = {
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
    return lambda focus, resource: [item for item in run(focus, resource) if _truth(test([item], resource))]


def _exists_where(run: Run, test: Run) -> Run:
    return lambda focus, resource: [any(_truth(test([item], resource)) for item in run(focus, resource))]


def _all(run: Run, test: Run) -> Run:
    return lambda focus, resource: [all(_truth(test([item], resource)) is not False for item in run(focus, resource))]


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
        if _truth(test(focus, resource)):
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


_PER_ITEM: dict[str, Callable[[Run, Run], Run]] = {
    "where": _where,
    "exists": _exists_where,
    "all": _all,
    "select": _select,
}
_FUNCTIONS: dict[str, Callable[..., Run]] = {
    "exists": _whole(lambda items: [bool(items)]),
    "empty": _whole(lambda items: [not items]),
    "not": _whole(lambda items: _boolean(None if (truth := _truth(items)) is None else not truth)),
    "count": _whole(lambda items: [len(items)]),
    "first": _whole(lambda items: items[:1]),
    "tail": _whole(lambda items: items[1:]),
    "trace": _whole(lambda items: items),
    "hasValue": _whole(lambda items: [len(items) == 1 and type(items[0]) is not dict]),
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
