"""fhir.resources as an independent second opinion: another maker's reading of HL7's definitions.

It has R4B (4.3.0), not R4; where the two releases differ for the types that feeds bring is listed here, and so is what
fhir.resources lets pass and what it refuses without reason. A new difference turns a test red and has to be explained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from headwater.fhir import tables
from headwater.fhir.primitives import PRIMITIVES
from headwater.fhir.tables import Element, Kind
from headwater.fhir.validate import validate
from tests.fhir.samples import SAMPLES, VALID
from tests.fhir.test_tables import minimal
from tests.fhir.test_validate import CASES, _case

# Types that R4B renamed or took away.
R4_ONLY = re.compile(
    r"(EffectEvidenceSynthesis|RiskEvidenceSynthesis|MedicinalProduct|SubstanceAmount|SubstanceNucleicAcid|"
    r"SubstancePolymer|SubstanceProtein|SubstanceReferenceInformation|SubstanceSourceMaterial|SubstanceSpecification|"
    r"SimpleQuantity)"
)
# Types that R4B wrote anew under the same name.
REWRITTEN = frozenset({"Evidence", "EvidenceVariable", "EvidenceVariable.characteristic"})
# Where R4B has more elements: (type, element).
ONLY_R4B = {
    ("ActivityDefinition", "subjectCanonical"),
    ("PlanDefinition", "subjectCanonical"),
    ("PlanDefinition.action", "subjectCanonical"),
    *(
        (path, f"{name}{kind}")
        for path, name in (
            ("Extension", "value"),
            ("ElementDefinition", "defaultValue"),
            ("ElementDefinition", "fixed"),
            ("ElementDefinition", "pattern"),
            ("ElementDefinition.example", "value"),
        )
        for kind in ("CodeableReference", "RatioRange")
    ),
}
# Where fhir.resources lacks what 4.0.1 has: Meta as an open type.
ONLY_R4 = {
    ("Extension", "valueMeta"),
    ("ElementDefinition", "defaultValueMeta"),
    ("ElementDefinition", "fixedMeta"),
    ("ElementDefinition", "patternMeta"),
    ("ElementDefinition.example", "valueMeta"),
}
# Reference targets that R4B added.
MORE_TARGETS = {
    ("ActivityDefinition", "productReference"): {"Ingredient"},
    ("Group.member", "entity"): {"RelatedPerson"},
    ("Observation", "subject"): {"Medication", "Organization", "Practitioner", "Procedure", "Substance"},
    ("DiagnosticReport", "subject"): {"Medication", "Organization", "Practitioner", "Procedure", "Substance"},
}
# Elements that R4B made optional.
NOW_OPTIONAL = {("MarketingStatus", "country"), ("MarketingStatus", "dateRange")}

SHARED = [name for name in tables.type_names() if not R4_ONLY.match(name)]
# What fhir.resources has under other names, or as Python types.
_PYTHON = {"boolean": "bool", "integer": "int", "decimal": "Decimal", "Resource": "ResourceType"}


@cache
def _model(type_name: str) -> Any:
    return get_fhir_model_class("".join(part[0].upper() + part[1:] for part in type_name.split(".")))


def _theirs(type_name: str) -> dict[str, Any]:
    fields = _model(type_name).model_fields
    return {
        field.alias or name: field
        for name, field in fields.items()
        if (field.json_schema_extra or {}).get("element_property")
    }


def _both(type_name: str) -> Iterator[tuple[str, Element, Kind, Any]]:
    theirs = _theirs(type_name)
    for element in tables.elements(type_name):
        for name, kind in element.json_names().items():
            if name in theirs:
                yield name, element, kind, theirs[name]


def _extra(field: Any, key: str) -> Any:
    return field.json_schema_extra.get(key)


def test_both_know_the_same_elements() -> None:
    ours_only, theirs_only = set(), set()
    for type_name in set(SHARED) - REWRITTEN:
        ours = {name for element in tables.elements(type_name) for name in element.json_names()}
        ours_only |= {(type_name, name) for name in ours - _theirs(type_name).keys()}
        theirs_only |= {(type_name, name) for name in _theirs(type_name).keys() - ours}
    assert ours_only == ONLY_R4
    assert theirs_only == ONLY_R4B


def test_both_say_the_same_of_how_often_an_element_may_come() -> None:
    differences = set()
    for type_name in set(SHARED) - REWRITTEN:
        for name, element, _, field in _both(type_name):
            if element.choice:
                required = bool(_extra(field, "one_of_many_required"))
            else:
                required = field.is_required() or bool(_extra(field, "element_required"))
            if required != element.required or ("List[" in str(field.annotation)) != element.repeats:
                differences.add((type_name, name))
    assert differences == NOW_OPTIONAL


def test_both_allow_references_to_the_same_types() -> None:
    differences = {}
    for type_name in set(SHARED) - REWRITTEN:
        for name, _, kind, field in _both(type_name):
            if kind.name == "Reference":
                theirs = set(_extra(field, "enum_reference_types") or []) - {"Resource"}
                if theirs != set(kind.arguments):
                    assert theirs > set(kind.arguments)
                    differences[(type_name, name)] = theirs - set(kind.arguments)
    assert differences == MORE_TARGETS


def test_both_hold_elements_to_the_same_types() -> None:
    for type_name in set(SHARED) - REWRITTEN:
        for name, _, kind, field in _both(type_name):
            annotation = str(field.annotation)
            if kind.name not in PRIMITIVES and kind.name[0].isupper() and "System." not in kind.name:
                ours = "".join(part[0].upper() + part[1:] for part in kind.name.replace("Simple", "").split("."))
                assert f".{ours}Type" in annotation, (type_name, name)
            elif kind.name in _PYTHON:
                assert _PYTHON[kind.name].lower() in annotation.lower(), (type_name, name)


def test_the_codes_that_fhir_resources_documents_are_ours_too() -> None:
    compared = 0
    for type_name in set(SHARED) - REWRITTEN:
        for name, _, kind, field in _both(type_name):
            theirs = set(_extra(field, "enum_values") or []) - {"+"}
            systems = tables.codes(kind.arguments[0]) if kind.name == "code" and kind.arguments else {}
            if theirs and systems:
                assert theirs <= frozenset().union(*systems.values()), (type_name, name)
                compared += 1
    assert compared > 200


# ------------------------------------------------------------------------------------------------- on whole resources


def _accepts(resource: dict[str, Any]) -> bool:
    try:
        _model(resource["resourceType"]).model_validate(resource)
    except (ValidationError, LookupError):
        return False
    return True


@pytest.mark.parametrize("name", SAMPLES)
def test_both_accept_the_samples(name: str) -> None:
    assert validate(SAMPLES[name]) == []
    assert _accepts(SAMPLES[name])


@pytest.mark.parametrize("name", sorted(tables.resource_names() - REWRITTEN))
def test_both_accept_a_minimal_resource_of_each_type(name: str) -> None:
    if not R4_ONLY.match(name):
        assert _accepts({"resourceType": name, **minimal(name)})


# Valid R4 that fhir.resources refuses, and why.
WRONGLY_REFUSED = {
    "primitive extension on an extension's value": "it forbids `_value[x]` in an Extension",
    "extension of a type that R4B dropped": "valueMeta is R4",
}


@pytest.mark.parametrize("name", VALID)
def test_both_accept_what_the_specification_allows(name: str) -> None:
    assert _accepts(VALID[name]) is (name not in WRONGLY_REFUSED)


# What fhir.resources knows nothing of: terminology, FHIRPath, targets, the insides of Bundles and of `contained`; it
# takes null and empties for absence, and coerces "2" and "true". What it must see too are elements and cardinality.
BOTH_SEE = frozenset({"unknown_element", "required", "cardinality"})
PASSED = {
    ("Patient", "name.0.resourceType"),  # taken for its own marker of a model
    ("Patient", "fhir_comments"),  # of DSTU2
    ("Observation", "contained"),  # one without an id, which is no cardinality but a rule in words
}


@pytest.mark.parametrize("case", [c for c in CASES if c[3] in BOTH_SEE], ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}")
def test_both_refuse_unknown_elements_and_wrong_cardinality(case: tuple[Any, ...]) -> None:
    name, path, value, *_ = case
    assert _accepts(_case(name, path, value)) is ((name, path) in PASSED)


WRONG_VALUES: list[Any] = [
    "",
    "x y!",
    5,
    -1,
    1.5,
    True,
    [],
    ["x"],
    {},
    {"x": 1},
    None,
    "2026-13-01",
    "2026-11-22T10:00:00",
]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_fhir_resources_refuses_is_refused_here(name: str) -> None:
    """Each value of each sample replaced by each of the wrong ones, taken away, and renamed."""
    passed = []
    tried = 0
    for path, resource in _mutants(SAMPLES[name]):
        tried += 1
        if not validate(resource) and not _accepts(resource):
            passed.append(path)
    assert passed == []
    assert tried > 50


def _mutants(resource: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in list(_paths(resource)):
        label = "/".join(map(str, path))
        for wrong in WRONG_VALUES:
            mutant, node = _copy_at(resource, path)
            node[path[-1]] = wrong
            yield f"{label} = {wrong!r}", mutant
        mutant, node = _copy_at(resource, path)
        value = node.pop(path[-1])
        yield f"{label} gone", mutant
        if isinstance(path[-1], str):
            mutant, node = _copy_at(resource, path)
            node.pop(path[-1])
            node[f"{path[-1]}x"] = value
            yield f"{label} renamed", mutant


def _paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if key != "resourceType":
            yield from _paths(child, (*path, key))


def _copy_at(resource: dict[str, Any], path: tuple[str | int, ...]) -> tuple[dict[str, Any], Any]:
    mutant = deepcopy(resource)
    node: Any = mutant
    for step in path[:-1]:
        node = node[step]
    return mutant, node
