"""Turns the tables' types into functions that check JSON: one per type, made when a resource first uses it.

Faults' paths are relative and grow on the way out (`.value`, then `.valueQuantity.value`, and so on to the resource):
the way through a valid resource builds none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from headwater.fhir import bundles, contained, tables, values
from headwater.fhir.primitives import ATTRIBUTES, PRIMITIVES, Predicate
from headwater.fhir.tables import Element, Kind
from headwater.fhir.values import Check, Fault, Faults, Scope

_FIELD_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_CODED = frozenset({"code", "Coding", "CodeableConcept"})


def check_resource(node: Any, scope: Scope) -> Faults | None:
    """Any resource, with what it contains; a Bundle with its entries."""
    if type(node) is not dict:
        return [("", "structure", "expected a resource: an object with a resourceType")]
    kind = tables.resource_name(node)
    if not kind:
        return [(".resourceType", "resource_type", "expected one of the resource types of FHIR R4")]
    own: Faults = []
    if "contained" in node:
        scope = scope._replace(local={**scope.local, **contained.scope_of(node)})
        own = contained.faults(node)
    elif kind == "Bundle":
        scope = scope._replace(local={**scope.local, **bundles.scope_of(node)})
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
        self.members: dict[str, tuple[Predicate | None, Check]] = {}  # a primitive's predicate, or None
        self.extension = type_name == "Extension"
        self.resource = type_name in tables.resource_names()
        if self.resource:
            self.members["resourceType"] = None, lambda _node, _scope: None
        self.required = tuple(e.name for e in elements if e.required and not e.choice)
        self.choices = tuple(
            (e.name, frozenset(e.json_names()) | _shadows(e), e.required) for e in elements if e.choice
        )
        choices = {name: keys for name, keys, _ in self.choices}
        self.rules = values.compiled(tables.rules_of(type_name), "." not in type_name, choices)
        self.demands = bool(self.required or self.choices or self.rules)

    def learn(self, name: str) -> None:
        """Make the check of an element. KeyError if the type has none of this name."""
        element, kind = self.elements[name]
        check = _check_of_kind(kind, name)
        path = f"{self.type_name}.{element.name}"
        if path not in tables.type_names():  # a nested type brings its rules itself
            check = values.with_rules(check, values.compiled(tables.rules(path), False, {}))
        check = values.list_of(check) if element.repeats else check
        self.members[name] = check.holds if isinstance(check, values.Primitive) else None, check

    def check(self, node: Any, scope: Scope) -> Faults | None:
        if node.__class__ is not dict:
            return [("", "structure", values.wrong_json(node, "expected an object"))]
        members = self.members
        faults: Faults = []
        shadows = False
        for name, value in node.items():
            try:
                holds, check = members[name]
            except KeyError:
                if name in self.elements:
                    self.learn(name)
                    holds, check = members[name]
                elif name[:1] == "_" and name[1:] in self.elements:
                    shadows = True
                    continue
                else:
                    faults.append(self.unknown(name))
                    continue
            if holds is not None and holds(value):
                continue
            if found := check(value, scope):
                faults += [(f".{name}{path}", code, message) for path, code, message in found]
        if shadows:
            faults = self.check_shadows(node, scope, faults)
        if self.demands or not node or "id" in node:
            self.check_whole(node, faults)
        return faults

    def check_whole(self, node: dict[str, Any], faults: Faults) -> None:
        """What is demanded of the object as a whole."""
        for name in self.required:
            if name not in node and f"_{name}" not in node:
                faults.append((f".{name}", "required", "this element is required"))
        if len(node) < 2 and (not node or "id" in node) and not self.resource:
            faults.append(("", "empty", "expected at least one element: empty objects are not allowed"))
        if self.choices:
            self.check_choices(node, faults)
        if self.rules:
            faults += values.broken(self.rules, node)

    def check_choices(self, node: dict[str, Any], faults: Faults) -> None:
        for name, keys, required in self.choices:
            present = keys.intersection(node)
            if len(present) > 1 and len({key.removeprefix("_") for key in present}) > 1:
                faults.append((f".{name}[x]", "choice", "expected one type of value only"))
            elif required and not present:
                faults.append((f".{name}[x]", "required", "this element is required, with one of its types"))
            if self.extension and bool(present) == ("extension" in node):
                faults.append(("", "ext-1", "expected either a value[x] or nested extensions, and not both"))

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
            if name[: len(choice)] == choice and len(keys) < values.SHOWN:
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


def _check_shadow_list(name: str, shadows: Any, beside: Any, scope: Scope, faults: Faults) -> Faults:
    """Two lists side by side: null in one is allowed where the other has something."""
    if type(shadows) is not list or not shadows:
        return [*faults, (f".{name}", "structure", "expected a list that is not empty")]
    if type(beside) is list and len(beside) != len(shadows):
        return [*faults, (f".{name}", "structure", "expected as many items as in the list of beside, filled with null")]
    beside = beside if type(beside) is list else [None] * len(shadows)
    for index, (shadow, value) in enumerate(zip(shadows, beside, strict=True)):
        if shadow is not None:
            found = _check_shadow(shadow, scope, alone=value is None)
            faults += [(f".{name}[{index}]{path}", code, message) for path, code, message in found]
    excused = {f".{name[1:]}[{i}]" for i, shadow in enumerate(shadows) if shadow is not None and beside[i] is None}
    if all(shadow is None for shadow in shadows):
        faults.append((f".{name}", "null", "expected at least one item that is not null"))
    return [fault for fault in faults if not (fault[0] in excused and fault[1] == "null")]


def _check_of_kind(kind: Kind, name: str) -> Check:
    if kind.name in _CODED and kind.arguments:
        return values.bound(kind.name, kind.arguments[0], check_of_type)
    if expected := PRIMITIVES.get(kind.name) or ATTRIBUTES.get(kind.name):
        return values.Primitive(*expected)
    if kind.name == "Resource":
        return _check_contained if name == "contained" else check_resource
    if kind.name == "Reference":
        return values.reference(frozenset(kind.arguments), check_of_type("Reference"))
    if kind.name == "xhtml":
        return values.narrative
    return check_of_type(kind.name)
