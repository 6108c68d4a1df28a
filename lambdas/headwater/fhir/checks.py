"""Turns the tables' types into functions that check JSON: one per type, made when a resource first uses it.

A check gives None for what is valid, so the way through a valid resource builds nothing. Otherwise it gives faults,
whose paths are relative and grow on the way out: `.value`, `.valueQuantity.value`, `.component[2].valueQuantity.value`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from headwater.fhir import bundles, contained, fhirpath, tables
from headwater.fhir.narrative import narrative_problem
from headwater.fhir.primitives import ATTRIBUTES, PRIMITIVES, SYNTAXES
from headwater.fhir.references import reference_problem
from headwater.fhir.tables import Element, Kind

# Path relative to what was checked, code, message.
Fault = tuple[str, str, str]
Faults = list[Fault]
# What local references point to: `#id` of a contained resource, `fullUrl` of a Bundle's entry → resource type.
Scope = Mapping[str, str]
Check = Callable[[Any, Scope], Faults | None]

_FIELD_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_CODED = frozenset({"code", "Coding", "CodeableConcept"})
_SHOWN = 30  # alternatives that a message lists


def check_resource(node: Any, scope: Scope) -> Faults | None:
    """Any resource, with what it contains; a Bundle with its entries."""
    if type(node) is not dict:
        return [("", "structure", "expected a resource: an object with a resourceType")]
    kind = tables.resource_name(node)
    if not kind:
        return [(".resourceType", "resource_type", "expected one of the resource types of FHIR R4")]
    own: Faults = []
    if "contained" in node:
        scope = {**scope, **contained.scope_of(node)}
        own = contained.faults(node)
    elif kind == "Bundle":
        scope = {**scope, **bundles.scope_of(node)}
        own = bundles.faults(node)
    found = check_of_type(kind)(node, scope)
    return (found or []) + own if own else found


def _check_contained(node: Any, scope: Scope) -> Faults | None:
    """A contained resource shares the scope of the one it lives in, and may not contain more (dom-2)."""
    kind = tables.resource_name(node)
    return check_of_type(kind)(node, scope) if kind else check_resource(node, scope)


# -------------------------------------------------------------------------------------------------------------- objects


@cache
def check_of_type(type_name: str) -> Check:
    """The check of a resource, data type or nested object (`Observation.component`). KeyError if R4 has none."""
    return _Shape(type_name).check


class _Shape:
    """What one type demands. An element's check is made at its first use: most elements are never used."""

    def __init__(self, type_name: str) -> None:
        elements = tables.elements(type_name)
        self.type_name = type_name
        self.elements = {name: (element, kind) for element in elements for name, kind in element.json_names().items()}
        self.members: dict[str, Check] = {}
        self.extension = type_name == "Extension"
        self.resource = type_name in tables.resource_names()
        if self.resource:
            self.members["resourceType"] = lambda _node, _scope: None
        self.required = tuple(e.name for e in elements if e.required and not e.choice)
        self.choices = tuple(
            (e.name, frozenset(e.json_names()) | _shadows(e), e.required) for e in elements if e.choice
        )
        choices = {name: keys for name, keys, _ in self.choices}
        self.rules = _compiled(tables.rules_of(type_name), "." not in type_name, choices)
        self.whole = bool(self.choices or self.rules)

    def member(self, name: str) -> Check | None:
        if name not in self.elements:
            return None
        element, kind = self.elements[name]
        check = _with_rules(_item_check(kind, name), f"{self.type_name}.{element.name}")
        self.members[name] = _list_of(check) if element.repeats else check
        return self.members[name]

    def check(self, node: Any, scope: Scope) -> Faults | None:
        if type(node) is not dict:
            return [("", "structure", _wrong_json(node, "expected an object"))]
        members = self.members
        faults: Faults | None = None
        shadows = False
        for name, value in node.items():
            check = members.get(name) or self.member(name)
            if check is None:
                if name[:1] == "_" and name[1:] in self.elements:
                    shadows = True
                else:
                    faults = [*(faults or ()), self.unknown(name)]
            elif found := check(value, scope):
                faults = faults or []
                faults += [(f".{name}{path}", code, message) for path, code, message in found]
        if shadows:
            faults = self.check_shadows(node, scope, faults or [])
        for name in self.required:
            if name not in node and f"_{name}" not in node:
                faults = [*(faults or ()), (f".{name}", "required", "this element is required")]
        if self.whole or (len(node) < 2 and not self.resource):
            faults = self.check_whole(node, faults)
        return faults

    def check_whole(self, node: dict[str, Any], faults: Faults | None) -> Faults | None:
        """What no element can say alone: is it empty, which of a choice is there, do the invariants hold."""
        more: Faults = []
        if len(node) < 2 and not self.resource and node.keys() <= {"id"}:
            more.append(("", "empty", "expected at least one element: empty objects are not allowed"))
        for name, keys, required in self.choices:
            present = keys.intersection(node)
            if len(present) > 1 and len({key.removeprefix("_") for key in present}) > 1:
                more.append((f".{name}[x]", "choice", "expected one type of value only"))
            elif required and not present:
                more.append((f".{name}[x]", "required", "this element is required, with one of its types"))
            if self.extension and bool(present) == ("extension" in node):
                more.append(("", "ext-1", "expected either a value[x] or nested extensions, and not both"))
        more += _broken(self.rules, node)
        return (faults or []) + more if more else faults

    def check_shadows(self, node: dict[str, Any], scope: Scope, faults: Faults) -> Faults:
        """`_name`: id and extensions of primitive values, which may stand for a missing one (json.html#primitive)."""
        for name, shadow in node.items():
            if name[:1] != "_" or name[1:] not in self.elements:
                continue
            element, kind = self.elements[name[1:]]
            if kind.name not in PRIMITIVES:
                faults.append(self.unknown(name))
            elif element.repeats:
                faults = _check_shadow_list(name, shadow, node.get(name[1:]), scope, faults)
            else:
                found = _check_shadow(shadow, scope, alone=name[1:] not in node)
                faults += [(f".{name}{path}", code, message) for path, code, message in found]
        return faults

    def unknown(self, name: str) -> Fault:
        """Its name is shown only if it looks like one: in other text, somebody may have mixed up key and value."""
        shown = f".{name if _FIELD_NAME.fullmatch(name) else '?'}"
        for choice, keys, _ in self.choices:
            if name[: len(choice)] == choice and len(keys) < _SHOWN:
                allowed = sorted(key for key in keys if key[0] != "_")
                return (shown, "choice", f"expected {choice}[x] as one of {', '.join(allowed)}")
        return (shown, "unknown_element", "R4 has no such element here; names are case-sensitive")


def _shadows(element: Element) -> frozenset[str]:
    return frozenset(f"_{name}" for name, kind in element.json_names().items() if kind.name in PRIMITIVES)


def _check_shadow(shadow: Any, scope: Scope, *, alone: bool) -> Faults:
    """With a value beside it, an id is enough (ele-1)."""
    if type(shadow) is dict and shadow.keys() == {"id"}:
        found = check_of_type("Element")(shadow, scope) or []
        return found if alone else [fault for fault in found if fault[1] != "empty"]
    return check_of_type("Element")(shadow, scope) or []


def _check_shadow_list(name: str, shadows: Any, values: Any, scope: Scope, faults: Faults) -> Faults:
    """Two lists side by side: null in one is allowed where the other has something."""
    if type(shadows) is not list or not shadows:
        return [*faults, (f".{name}", "structure", "expected a list that is not empty")]
    if type(values) is list and len(values) != len(shadows):
        return [*faults, (f".{name}", "structure", "expected as many items as in the list of values, filled with null")]
    values = values if type(values) is list else [None] * len(shadows)
    for index, (shadow, value) in enumerate(zip(shadows, values, strict=True)):
        if shadow is not None:
            found = _check_shadow(shadow, scope, alone=value is None)
            faults += [(f".{name}[{index}]{path}", code, message) for path, code, message in found]
    excused = {f".{name[1:]}[{i}]" for i, shadow in enumerate(shadows) if shadow is not None and values[i] is None}
    if all(shadow is None for shadow in shadows):
        faults.append((f".{name}", "null", "expected at least one item that is not null"))
    return [fault for fault in faults if not (fault[0] in excused and fault[1] == "null")]


# --------------------------------------------------------------------------------------------------------------- values


def _item_check(kind: Kind, name: str) -> Check:
    if kind.name in _CODED and kind.arguments:
        return _bound(kind.name, kind.arguments[0])
    if expected := PRIMITIVES.get(kind.name) or ATTRIBUTES.get(kind.name):
        return _primitive(*expected, "value")
    if kind.name == "Resource":
        return _check_contained if name == "contained" else check_resource
    if kind.name == "Reference":
        return _reference(frozenset(kind.arguments))
    if kind.name == "xhtml":
        return _narrative
    return _object(kind.name)


def _object(type_name: str) -> Check:
    return check_of_type(type_name)


def _primitive(predicate: Callable[[Any], bool], expected: str, code: str) -> Check:
    def check(value: Any, _scope: Scope) -> Faults | None:
        return None if predicate(value) else [_value_fault(value, expected, code)]

    return check


def _value_fault(value: Any, expected: str, code: str) -> Fault:
    if value is None:
        return ("", "null", "null is not allowed; leave the element out")
    if type(value) is list or type(value) is dict:
        return ("", "structure", _wrong_json(value, expected))
    return ("", code, "expected text that is not empty; leave the element out" if value == "" else expected)


def _wrong_json(value: Any, expected: str) -> str:
    if value is None:
        return "null is not allowed; leave the element out"
    return f"{expected}, found {'a list' if type(value) is list else 'an object' if type(value) is dict else 'a value'}"


def _list_of(item: Check) -> Check:
    def check(values: Any, scope: Scope) -> Faults | None:
        if type(values) is not list:
            return [("", "cardinality", _wrong_json(values, "expected a list"))]
        if not values:
            return [("", "empty", "expected at least one item: empty lists are not allowed")]
        faults: Faults | None = None
        for index, value in enumerate(values):
            if found := item(value, scope):
                faults = faults or []
                faults += [(f"[{index}]{path}", code, message) for path, code, message in found]
        return faults

    return check


def _narrative(value: Any, _scope: Scope) -> Faults | None:
    problem = narrative_problem(value)
    return [("", "txt-1", problem)] if problem else None


def _reference(targets: frozenset[str]) -> Check:
    whole = _object("Reference")

    def check(node: Any, scope: Scope) -> Faults | None:
        faults = whole(node, scope)
        reference = node.get("reference") if type(node) is dict else None
        if type(reference) is str and (problem := reference_problem(reference, targets, scope)):
            return [*(faults or ()), (".reference", *problem)]
        return faults

    return check


# --------------------------------------------------------------------------------------------------- bindings and rules


@cache
def _bound(type_name: str, value_set: str) -> Check:
    systems = tables.codes(value_set)
    if not systems:
        if type_name == "code":
            return _primitive(*SYNTAXES.get(value_set, PRIMITIVES["code"]), "value")
        return _object(type_name)
    expected = _expected(value_set, systems)
    if type_name == "code":
        members = frozenset().union(*systems.values())
        return _primitive(lambda value: type(value) is str and value in members, expected, "code")
    whole = _object(type_name)

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
    if len(members) < _SHOWN:
        return f"expected one of {', '.join(members)} (value set {value_set})"
    return f"expected a code of the value set {value_set}, such as {', '.join(members[:3])}"


CompiledRules = tuple[tuple[fhirpath.Rule, str, str], ...]


def _compiled(rules: tuple[tables.Rule, ...], at_resource: bool, choices: fhirpath.Choices) -> CompiledRules:
    return tuple(
        (fhirpath.compile_rule(rule.expression, at_resource=at_resource, choices=choices), rule.key, rule.human)
        for rule in rules
    )


def _broken(rules: CompiledRules, node: Any) -> Faults:
    faults: Faults = []
    for holds, key, human in rules:
        try:
            if not holds(node):
                faults.append(("", key, human))
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            # Only malformed content breaks a rule's own calculation, and its elements' checks have said so already.
            continue
    return faults


def _with_rules(check: Check, path: str) -> Check:
    """Adds the invariants that R4 puts on this element of this type alone; a nested type brings its own."""
    rules = () if path in tables.type_names() else _compiled(tables.rules(path), False, {})
    if not rules:
        return check

    def check_with_rules(value: Any, scope: Scope) -> Faults | None:
        faults = check(value, scope)
        return faults if faults else _broken(rules, value) or None

    return check_with_rules
