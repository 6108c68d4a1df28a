"""What the tables say, and that every type of R4 can be made valid from them alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from headwater.fhir import fhirpath, tables
from headwater.fhir.primitives import ATTRIBUTES, PRIMITIVES
from headwater.fhir.tables import Element, Kind
from headwater.fhir.validate import validate

EXAMPLES: dict[str, Any] = {
    "base64Binary": "aGVsbG8=", "boolean": True, "canonical": "http://example.org/c", "code": "x", "date": "2026-11-22",
    "dateTime": "2026-11-22T10:00:00Z", "decimal": 1.5, "id": "a", "instant": "2026-11-22T10:00:00Z", "integer": 0,
    "markdown": "x", "oid": "urn:oid:1.2", "positiveInt": 1, "string": "x", "time": "10:00:00", "unsignedInt": 0,
    "uri": "urn:x", "url": "http://example.org", "uuid": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>', "System.String": "a", "System.Uri": "urn:x",
}  # fmt: skip

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
# What a type needs beyond its required elements, because an invariant says so.
NEEDED: dict[str, dict[str, Any]] = {
    "AllergyIntolerance": {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]}},
    "Appointment": {"status": "proposed"},
    "Appointment.participant": {"actor": {"display": "x"}},
    "AppointmentResponse": {"actor": {"display": "x"}},
    "CapabilityStatement": {
        "status": "draft",
        "kind": "requirements",
        "description": "x",
        "rest": [{"mode": "server"}],
    },
    "Consent": {"policyRule": {"text": "x"}},
    "InsurancePlan": {"name": "x"},
    "Linkage": {"item": [{"type": "source", "resource": {"display": "x"}}] * 2},
    "MolecularSequence": {"coordinateSystem": 1},
    "Organization": {"name": "x"},
    "StructureDefinition": {"abstract": True, "differential": {"element": [{"id": "x", "path": "x"}]}},
    "ImmunizationRecommendation.recommendation": {"vaccineCode": [{"text": "x"}]},
    "TriggerDefinition": {"type": "named-event", "name": "x"},
    "TerminologyCapabilities": {"kind": "requirements", "description": "x"},
}


def minimal(type_name: str) -> dict[str, Any]:
    """The required elements and nothing else, filled with something of the right type."""
    made: dict[str, Any] = {}
    for element in tables.elements(type_name):
        if element.required:
            name, kind = next(iter(element.json_names().items()))
            made[name] = [example(kind)] if element.repeats else example(kind)
    made |= NEEDED.get(type_name, {})
    if not made and type_name not in tables.resource_names():
        made = {"extension": [{"url": "urn:x", "valueBoolean": True}]}
    return made


def example(kind: Kind) -> Any:
    systems = tables.codes(kind.arguments[0]) if kind.arguments and kind.name != "Reference" else {}
    if systems:
        system, members = next(iter(systems.items()))
        code = min(members)
        return code if kind.name == "code" else {"coding": [{"system": system, "code": code}]}
    if kind.arguments and kind.arguments[0] == "mimetypes":
        return "text/plain"
    if kind.name in EXAMPLES:
        return EXAMPLES[kind.name]
    if kind.name == "Resource":
        return {"resourceType": "Basic", "code": {"text": "x"}}
    return minimal(kind.name)


@pytest.mark.parametrize("name", sorted(tables.resource_names()))
def test_a_minimal_resource_is_valid_and_needs_all_it_has(name: str) -> None:
    resource = {"resourceType": name, **minimal(name)}
    assert validate(resource) == []
    for element in tables.elements(name):
        if element.required:
            (json_name,) = set(element.json_names()) & resource.keys()
            rest = {key: value for key, value in resource.items() if key != json_name}
            path = f"{name}.{element.name}{'[x]' if element.choice else ''}"
            assert (path, "required") in [(issue.path, issue.code) for issue in validate(rest)]


def test_there_are_the_146_resource_types_of_4_0_1_that_can_be_sent() -> None:
    assert len(tables.resource_names()) == 146
    assert {
        "Patient",
        "Bundle",
        "Parameters",
        "Binary",
        "MedicinalProduct",
        "EffectEvidenceSynthesis",
    } <= tables.resource_names()
    assert (
        not {"Resource", "DomainResource", "Citation", "SubscriptionTopic", "SubscriptionStatus", "Project"}
        & tables.resource_names()
    )


@cache
def element(type_name: str, name: str) -> Element:
    return next(element for element in tables.elements(type_name) if element.name == name)


@pytest.mark.parametrize(
    ("type_name", "names"),
    [
        ("Meta", "account accounts author compartment onBehalfOf project"),
        ("Binary", "url"),
        ("DeviceDefinition", "bodySite classification"),
        ("ResearchStudy", "name label studyDesign associatedParty recruitment comparisonGroup result"),
        ("EvidenceVariable.characteristic", "linkId definitionId instances duration timeFromEvent"),
    ],
)  # fmt: skip
def test_what_other_versions_and_other_makers_added_is_not_there(type_name: str, names: str) -> None:
    assert not {element.name for element in tables.elements(type_name)} & set(names.split())


def test_elements_are_read_with_all_their_facts() -> None:
    subject = element("Observation", "subject")
    assert subject == Element(
        "subject", False, False, False, (Kind("Reference", ("Device", "Group", "Location", "Patient")),)
    )
    component = element("Observation", "component")
    assert (component.repeats, component.kinds) == (True, (Kind("Observation.component"),))
    dose = element("Dosage.doseAndRate", "dose")
    assert set(dose.json_names()) == {"doseRange", "doseQuantity"}
    assert dose.json_names()["doseQuantity"] == Kind("SimpleQuantity")
    assert element("Observation.component", "referenceRange").kinds == (Kind("Observation.referenceRange"),)
    assert element("Duration", "value").kinds == (Kind("decimal"),)
    assert element("Patient", "id").kinds == (Kind("id"),)


def test_value_sets_are_what_they_are_in_r4() -> None:
    assert tables.codes("administrative-gender") == {
        "http://hl7.org/fhir/administrative-gender": frozenset({"male", "female", "other", "unknown"})
    }
    assert {system: len(members) for system, members in tables.codes("immunization-status").items()} == {
        "http://hl7.org/fhir/event-status": 3
    }
    assert tables.codes("mimetypes") == {}


def test_every_kind_that_is_named_exists() -> None:
    types = set(tables.type_names())
    known = types | PRIMITIVES.keys() | ATTRIBUTES.keys() | {"xhtml"}
    for type_name in types:
        for one in tables.elements(type_name):
            for kind in one.kinds:
                assert kind.name in known, (type_name, one.name)
                if kind.name == "Reference":
                    assert set(kind.arguments) <= tables.resource_names(), (type_name, one.name)


def test_every_rule_can_be_compiled() -> None:
    compiled = 0
    for path in tables._tables()["rules"]:
        for rule in tables.rules(path):
            fhirpath.compile_rule(rule.expression, at_resource="." not in path)
            compiled += 1
    assert compiled == 175


def test_a_derived_type_has_the_rules_of_its_base() -> None:
    assert [rule.key for rule in tables.rules_of("Duration")] == ["qty-3", "drt-1"]
    assert [rule.key for rule in tables.rules_of("SimpleQuantity")] == ["qty-3", "sqty-1"]
