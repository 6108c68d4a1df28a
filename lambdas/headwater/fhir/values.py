"""Checks of single values, lists, references and codes: what `checks` builds a type's check from.

A check gives nothing (None or an empty list) for what is valid, and faults otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from headwater.fhir import fhirpath, tables
from headwater.fhir.collections import Choices
from headwater.fhir.narrative import narrative_problem
from headwater.fhir.primitives import PRIMITIVES, SYNTAXES, Predicate
from headwater.fhir.references import LITERAL, reference_problem

# Path relative to what was checked, code, message.
Fault = tuple[str, str, str]
Faults = list[Fault]


class Scope(NamedTuple):
    """What is known around a value: what local references point to (`#id` of a contained resource, `fullUrl` of a
    Bundle's entry → resource type); and where each reference is put that is found."""

    local: Mapping[str, str]
    found: list[str]


Check = Callable[[Any, Scope], Faults | None]

SHOWN = 30  # fewer alternatives than this are listed in a message


class Primitive:
    """The check of a primitive value; `holds` alone says whether it is valid."""

    __slots__ = ("code", "expected", "holds")

    def __init__(self, holds: Predicate, expected: str, code: str = "value") -> None:
        self.holds = holds
        self.expected = expected
        self.code = code

    def __call__(self, value: Any, _scope: Scope) -> Faults | None:
        return None if self.holds(value) else [_value_fault(value, self.expected, self.code)]


def _value_fault(value: Any, expected: str, code: str) -> Fault:
    if value is None:
        return ("", "null", "null is not allowed; leave the element out")
    if type(value) is list or type(value) is dict:
        return ("", "structure", wrong_json(value, expected))
    return ("", code, "expected text that is not empty; leave the element out" if value == "" else expected)


def wrong_json(value: Any, expected: str) -> str:
    if value is None:
        return "null is not allowed; leave the element out"
    return f"{expected}, found {'a list' if type(value) is list else 'an object' if type(value) is dict else 'a value'}"


def list_of(item: Check) -> Check:
    def check(values: Any, scope: Scope) -> Faults | None:
        if type(values) is not list:
            return [("", "cardinality", wrong_json(values, "expected a list"))]
        if not values:
            return [("", "empty", "expected at least one item: empty lists are not allowed")]
        faults: Faults | None = None
        for index, value in enumerate(values):
            if found := item(value, scope):
                faults = faults or []
                faults += [(f"[{index}]{path}", code, message) for path, code, message in found]
        return faults

    return check


def narrative(value: Any, _scope: Scope) -> Faults | None:
    problem = narrative_problem(value)
    return [("", "txt-1", problem)] if problem else None


def reference(targets: frozenset[str], whole: Check) -> Check:
    """`whole` checks the Reference as a data type: most have nothing but a literal `reference`."""
    known = tables.resource_names() & targets if targets else tables.resource_names()

    def check(node: Any, scope: Scope) -> Faults | None:
        reference = node.get("reference") if type(node) is dict else None
        if type(reference) is not str:
            return whole(node, scope)
        scope.found.append(reference)
        if len(node) == 1 and (literal := LITERAL.fullmatch(reference)) and literal[1] in known:
            return None
        problem = reference_problem(reference, targets, scope.local)
        faults = whole(node, scope)
        return [*(faults or ()), (".reference", *problem)] if problem else faults

    return check


# --------------------------------------------------------------------------------------------------- bindings and rules


def bound(type_name: str, value_set: str, check_of_type: Callable[[str], Check]) -> Check:
    """A code, Coding or CodeableConcept whose binding to `value_set` is required (terminologies.html#required)."""
    systems = tables.codes(value_set)
    if not systems:
        if type_name == "code":
            return Primitive(*SYNTAXES.get(value_set, PRIMITIVES["code"]))
        return check_of_type(type_name)
    expected = _expected(value_set, systems)
    if type_name == "code":
        members = frozenset().union(*systems.values())
        return Primitive(lambda value: type(value) is str and value in members, expected, "code")
    whole = check_of_type(type_name)

    def check(node: Any, scope: Scope) -> Faults | None:
        faults = whole(node, scope)
        if faults or any(_is_member(coding, systems) for coding in _codings(node)):
            return faults
        return [("", "code", expected)]

    return check


def _codings(node: dict[str, Any]) -> list[dict[str, Any]]:
    """A CodeableConcept's codings; a Coding itself."""
    codings: list[dict[str, Any]] = node.get("coding", []) if "coding" in node or "text" in node else [node]
    return codings


def _is_member(coding: dict[str, Any], systems: dict[str, frozenset[str]]) -> bool:
    return coding.get("code") in systems.get(coding.get("system", ""), ())


def _expected(value_set: str, systems: dict[str, frozenset[str]]) -> str:
    members = sorted(frozenset().union(*systems.values()))
    if len(members) < SHOWN:
        return f"expected one of {', '.join(members)} (value set {value_set})"
    return f"expected a code of the value set {value_set}, such as {', '.join(members[:3])}"


CompiledRules = tuple[tuple[fhirpath.Rule, str, str], ...]


def compiled(rules: tuple[tables.Rule, ...], at_resource: bool, choices: Choices) -> CompiledRules:
    return tuple(
        (fhirpath.compile_rule(rule.expression, at_resource=at_resource, choices=choices), rule.key, rule.human)
        for rule in rules
    )


def broken(rules: CompiledRules, node: Any) -> Faults:
    faults: Faults = []
    for holds, key, human in rules:
        try:
            if not holds(node):
                faults.append(("", key, human))
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            # Only malformed content breaks a rule's own calculation, and its elements' checks have said so already.
            continue
    return faults


def with_rules(check: Check, rules: CompiledRules) -> Check:
    """Adds the invariants that R4 puts on one element of one type."""
    if not rules:
        return check

    def check_with_rules(value: Any, scope: Scope) -> Faults | None:
        return check(value, scope) or broken(rules, value)

    return check_with_rules
