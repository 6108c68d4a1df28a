"""R4's invariants, compiled from FHIRPath to Python functions: exactly as much of the language as they use.

A type's rules are compiled when a resource first uses it. Nothing is executed as text: each operator becomes a closure
from a collection to a collection. Source: FHIRPath N1 (hl7.org/fhirpath/N1), FHIR R4 fhirpath.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from headwater.fhir.collections import (
    FUNCTIONS,
    OPERATORS,
    PER_ITEM,
    Choices,
    Items,
    Run,
    Unsupported,
    focus_itself,
    has_value,
    of_type,
    step,
    step_of,
    truth,
)

Rule = Callable[[Any], bool]
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


def compile_rule(expression: str, *, at_resource: bool, choices: Choices | None = None) -> Rule:
    """A function that says whether an object obeys `expression`; one that cannot be decided counts as obeyed.

    `at_resource`: the object is the resource itself, so that `%resource` has a meaning. `choices` give the JSON names
    of the elements that have several (`value` → `valueString`, `_valueString` and so on). Raises Unsupported.
    """
    decide = _decision(_Parser(expression, at_resource, choices or {}).whole())
    return lambda node: decide(node) is not False


class _Term(NamedTuple):
    """A compiled part of an expression. Most rules ask what is there, or how many, so that has a way without
    collections: `code.empty() or system.exists()` becomes two look-ups.
    """

    run: Run
    names: frozenset[str] = frozenset()  # if it is one step from the focus: the properties that step to
    decide: Decide | None = None
    sure: bool = False  # `decide` never gives None
    step: Callable[[Any], Items] | None = None  # if it is one step from the focus: that step
    number: Callable[[Any], int] | None = None


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
                left = _Term(of_type(left.run, operator, self.take()[1]))
                continue
            right = self.expression(_BINDING[operator])
            left = _joined(operator, left, right)
        return left

    def path(self) -> _Term:
        term = self.start()
        while self.peek() == ".":
            self.take()
            name = self.take()[1]
            term = self.function(term, name) if self.peek() == "(" else _Term(step(term.run, name, self.choices))
        return term

    def start(self) -> _Term:
        kind, token = self.take()
        if kind == "text":
            return _constant(_ESCAPE.sub(r"\1", token[1:-1]))
        if kind == "number":
            return _constant(int(token))._replace(number=lambda _node: int(token))
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
            return self.function(_Term(focus_itself), token)
        if token[0].isupper():  # the resource's own type, as in `Appointment.status`
            return _Term(focus_itself)
        name = token.strip("`")
        names = self.choices.get(name) or frozenset({name, f"_{name}"})
        return _Term(step(focus_itself, name, self.choices), names, step=step_of(name, self.choices))

    def variable(self, token: str) -> _Term:
        if token == "$this":
            return _Term(focus_itself)
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
        if not arguments and (short := _shortened(on, name)):
            return short._replace(run=FUNCTIONS[name](on.run))
        if name in PER_ITEM and len(arguments) == 1:
            return _Term(PER_ITEM[name](on.run, arguments[0]))
        if name in FUNCTIONS:
            return _Term(FUNCTIONS[name](on.run, *arguments))
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


def _constant(value: Any) -> _Term:
    return _Term(lambda _focus, _resource: [value])


def _presence(names: frozenset[str], wanted: bool) -> _Term:
    absent = names.isdisjoint

    def decide(node: Any) -> bool:
        return (type(node) is dict and not absent(node)) is wanted

    def run(focus: Items, _resource: Any) -> Items:
        return [any(type(item) is dict and not absent(item) for item in focus) is wanted]

    return _Term(run, decide=decide, sure=True)


def _shortened(on: _Term, name: str) -> _Term | None:
    """A function of the collection alone as one of the object, where it is one."""
    step, decide = on.step, on.decide
    if step and name == "count":
        return _Term(on.run, number=lambda node: len(step(node)))
    if step and name == "hasValue":
        return _Term(on.run, decide=lambda node: has_value(step(node)), sure=True)
    if decide and on.sure and name == "not":
        return _Term(on.run, decide=lambda node: not decide(node), sure=True)
    return None


def _decision(term: _Term) -> Decide:
    run = term.run
    return term.decide or (lambda node: truth(run([node], node)))


def _joined(operator: str, left: _Term, right: _Term) -> _Term:
    run = OPERATORS[operator](left.run, right.run)
    some, more = left.number, right.number
    if some and more and operator == "+":
        return _Term(run, number=lambda node: some(node) + more(node))
    if some and more and operator == ">":
        return _Term(run, decide=lambda node: some(node) > more(node), sure=True)
    if not left.sure or operator not in ("and", "or", "implies"):
        return _Term(run)
    one, other = _decision(left), _decision(right)
    if operator == "and":
        return _Term(run, decide=lambda node: one(node) and other(node), sure=right.sure)
    if operator == "or":
        return _Term(run, decide=lambda node: one(node) or other(node), sure=right.sure)
    return _Term(run, decide=lambda node: not one(node) or other(node), sure=right.sure)
