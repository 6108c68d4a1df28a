# ruff: noqa: E501 - a case is a line
"""A resource that conforms to a profile of US Core is said to, and the same with one thing missing is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from headwater.fhir.us_core import BASE, RULES, claim, conforming
from headwater.model import Resource

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
TERMS = "http://terminology.hl7.org/CodeSystem/"
OMB = "urn:oid:2.16.840.1.113883.6.238"
WHO = {"reference": "Patient/p"}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def category(code: str, system: str = f"{TERMS}observation-category") -> list[dict[str, Any]]:
    return [coded(system, code)]


def measured(value: float, code: str, system: str = UCUM) -> dict[str, Any]:
    return {"value": value, "unit": code, "system": system, "code": code}


def observation(kind: str, code: str, **more: Any) -> Resource:
    told = {"category": category(kind), "code": coded(LOINC, code), "subject": WHO}
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        **told,
        "effectiveDateTime": "2026-03-12",
        **more,
    }


PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"system": "urn:mrn", "value": "1"}],
    "name": [{"family": "Okafor", "given": ["Marisol"]}],
    "gender": "female",
    "telecom": [{"system": "phone", "value": "419 555 0164"}],
    "address": [{"state": "OH"}],
    "communication": [{"language": coded("urn:ietf:bcp:47", "es")}],
    "extension": [
        {
            "url": f"{BASE}us-core-race",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"system": OMB, "code": "2106-3"}},
                {"url": "text", "valueString": "White"},
            ],
        },
        {
            "url": f"{BASE}us-core-ethnicity",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"system": OMB, "code": "2135-2"}},
                {"url": "text", "valueString": "Hispanic or Latino"},
            ],
        },
        {"url": f"{BASE}us-core-birthsex", "valueCode": "F"},
    ],
}
NPI = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
CONDITION = {"resourceType": "Condition", "id": "c", "code": coded(SNOMED, "44054006"), "subject": WHO}
PARTS = {
    "pressure": [
        {"code": coded(LOINC, "8480-6"), "valueQuantity": measured(128, "mm[Hg]")},
        {"code": coded(LOINC, "8462-4"), "valueQuantity": measured(82, "mm[Hg]")},
    ]
}

# What conforms; the profile; and places, each of which it must not be without.
CONFORMING: list[tuple[Resource, str, list[str]]] = [
    (PATIENT, "us-core-patient", ["identifier", "name", "gender", "identifier.0.system", "telecom.0.system", "name.0.family,given"]),
    (
        {"resourceType": "AllergyIntolerance", "code": coded(SNOMED, "91936005"), "patient": WHO},
        "us-core-allergyintolerance",
        ["code"],
    ),
    ({**CONDITION, "category": category("encounter-diagnosis", f"{TERMS}condition-category")},
     "us-core-condition-encounter-diagnosis", ["category", "code", "code.coding"]),
    ({**CONDITION, "category": category("problem-list-item", f"{TERMS}condition-category")},
     "us-core-condition-problems-health-concerns", ["category", "code"]),
    ({**CONDITION, "category": category("health-concern", "http://hl7.org/fhir/us/core/CodeSystem/condition-category")},
     "us-core-condition-problems-health-concerns", ["category", "code"]),
    ({"resourceType": "CarePlan", "category": category("assess-plan", "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"),
      "status": "active", "intent": "plan", "subject": WHO}, "us-core-careplan", ["category"]),
    ({"resourceType": "CareTeam", "status": "active", "subject": WHO,
      "participant": [{"role": [coded(SNOMED, "17561000")], "member": WHO}]},
     "us-core-careteam", ["subject", "participant", "participant.0.role", "participant.0.member"]),
    ({"resourceType": "Coverage", "status": "active", "relationship": coded(f"{TERMS}subscriber-relationship", "self"),
      "beneficiary": WHO, "payor": [{"identifier": {"value": "1"}}], "subscriberId": "W1"},
     "us-core-coverage", ["relationship", "subscriberId"]),
    ({"resourceType": "Device", "patient": WHO, "type": coded(SNOMED, "14106009"),
      "udiCarrier": [{"deviceIdentifier": "1", "carrierHRF": "(01)1"}]},
     "us-core-implantable-device", ["patient", "type", "udiCarrier.0.deviceIdentifier"]),
    ({"resourceType": "DiagnosticReport", "status": "final", "category": category("LAB", f"{TERMS}v2-0074"),
      "code": coded(LOINC, "24321-2"), "subject": WHO, "effectiveDateTime": "2026", "issued": "2026-03-12T08:00:00Z"},
     "us-core-diagnosticreport-lab", ["category", "subject", "effectiveDateTime", "issued", "code.coding"]),
    ({"resourceType": "DiagnosticReport", "status": "final", "category": category("LP29684-5", LOINC),
      "code": coded(LOINC, "18748-4"), "subject": WHO, "effectiveDateTime": "2026"},
     "us-core-diagnosticreport-note", ["category", "subject", "effectiveDateTime"]),
    ({"resourceType": "DocumentReference", "status": "current", "type": coded(LOINC, "11506-3"), "subject": WHO,
      "category": category("clinical-note", "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"),
      "content": [{"attachment": {"contentType": "text/plain", "data": "YQ=="}}]},
     "us-core-documentreference", ["type", "category", "subject", "content.0.attachment.data"]),
    ({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "type": [coded(SNOMED, "308335008")],
      "subject": WHO, "identifier": [{"system": "urn:v", "value": "1"}]},
     "us-core-encounter", ["type", "subject", "identifier.0.system"]),
    ({"resourceType": "Goal", "lifecycleStatus": "active", "description": coded(SNOMED, "289169006"), "subject": WHO},
     "us-core-goal", ["description.coding"]),
    ({"resourceType": "Immunization", "status": "completed", "patient": WHO, "occurrenceString": "once",
      "vaccineCode": coded("http://hl7.org/fhir/sid/cvx", "141")}, "us-core-immunization", ["vaccineCode.coding"]),
    ({"resourceType": "Location", "name": "Ward 3"}, "us-core-location", ["name"]),
    ({"resourceType": "Medication", "code": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "861007")},
     "us-core-medication", ["code"]),
    ({"resourceType": "MedicationDispense", "status": "completed", "subject": WHO, "whenHandedOver": "2026-03-12",
      "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "861007")},
     "us-core-medicationdispense", ["subject", "whenHandedOver"]),
    ({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": WHO, "reportedBoolean": True,
      "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "861007"),
      "requester": {"identifier": NPI}}, "us-core-medicationrequest", ["requester", "medicationCodeableConcept.coding"]),
    (observation("laboratory", "2345-7", valueQuantity=measured(104, "mg/dL")),
     "us-core-observation-lab", ["category", "subject", "valueQuantity"]),
    (observation("vital-signs", "29463-7", valueQuantity=measured(70, "kg")),
     "us-core-body-weight", ["category", "subject", "effectiveDateTime", "valueQuantity.unit", "valueQuantity"]),
    (observation("vital-signs", "8867-4", valueQuantity=measured(70, "/min")), "us-core-heart-rate", ["valueQuantity.code"]),
    (observation("vital-signs", "8310-5", valueQuantity=measured(98, "[degF]")), "us-core-body-temperature", ["valueQuantity.system"]),
    (observation("vital-signs", "85354-9", component=PARTS["pressure"]), "us-core-blood-pressure", ["component.0", "component.1.valueQuantity.code"]),
    (observation("social-history", "72166-2", valueCodeableConcept=coded(SNOMED, "266919005")),
     "us-core-smokingstatus", ["category", "effectiveDateTime", "valueCodeableConcept"]),
    (observation("social-history", "82810-3", valueCodeableConcept=coded(SNOMED, "77386006")),
     "us-core-observation-pregnancystatus", ["effectiveDateTime", "valueCodeableConcept"]),
    ({"resourceType": "Organization", "active": True, "name": "Lakeside", "identifier": [NPI]}, "us-core-organization", ["active", "name"]),
    ({"resourceType": "Practitioner", "identifier": [NPI], "name": [{"family": "Haddad"}]},
     "us-core-practitioner", ["identifier", "identifier.0.system", "name", "name.0.family"]),
    ({"resourceType": "PractitionerRole", "practitioner": {"identifier": NPI}, "telecom": [{"system": "phone", "value": "1"}]},
     "us-core-practitionerrole", ["practitioner", "telecom"]),
    ({"resourceType": "Procedure", "status": "completed", "code": coded(SNOMED, "80146002"), "subject": WHO,
      "performedDateTime": "2026"}, "us-core-procedure", ["code", "performedDateTime"]),
    ({"resourceType": "Provenance", "target": [WHO], "recorded": "2026-03-12T08:00:00Z", "agent": [
        {"type": coded(f"{TERMS}provenance-participant-type", "author"), "who": {"display": "x"}}]},
     "us-core-provenance", ["agent.0.type.coding"]),
    ({"resourceType": "RelatedPerson", "active": True, "patient": WHO, "name": [{"family": "Okafor"}]},
     "us-core-relatedperson", ["active", "name"]),
    ({"resourceType": "ServiceRequest", "status": "active", "intent": "order", "code": coded(LOINC, "24321-2"),
      "subject": WHO}, "us-core-servicerequest", ["code", "code.coding"]),
    ({"resourceType": "Specimen", "type": coded(SNOMED, "119297000"), "subject": WHO}, "us-core-specimen", ["type"]),
]  # fmt: skip
IDS = [f"{profile.removeprefix('us-core-')}{number}" for number, (_, profile, _) in enumerate(CONFORMING)]
CASES = [(resource, profile, place) for resource, profile, places in CONFORMING for place in places]


def named(resource: Resource, *others: Resource) -> list[str]:
    return conforming([{"id": "x", **resource}, *others])[0]


def without(resource: Resource, place: str) -> Resource:
    """A copy that lacks what is at the place; `a,b` at its end are two."""
    found = copy.deepcopy(resource)
    *way, last = place.split(".")
    node: Any = found
    for step in way:
        node = node[int(step)] if step.isdigit() else node[step]
    for name in last.split(","):
        del node[int(name) if name.isdigit() else name]
    return found


@pytest.mark.parametrize(("resource", "profile", "_"), CONFORMING, ids=IDS)
def test_what_conforms_is_named(resource: Resource, profile: str, _: list[str]) -> None:
    assert named(resource, PATIENT) == [profile]


@pytest.mark.parametrize(("resource", "profile", "place"), CASES, ids=[f"{one[1]}-{one[2]}" for one in CASES])
def test_without_one_thing_it_is_not_named(resource: Resource, profile: str, place: str) -> None:
    assert profile not in named(without(resource, place), PATIENT)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("extension", 0, "extension", 0, "valueCoding", "code"), "2131-1"),  # a race, and no category of OMB's
        (("extension", 1, "extension", 0, "valueCoding", "system"), "urn:local"),
        (("extension", 2, "valueCode"), "M?"),
        (("address", 0, "state"), "Ohio"),
        (("communication", 0, "language", "coding", 0, "system"), "urn:local"),
    ],
)
def test_a_code_of_another_value_set_is_none(at: tuple[Any, ...], value: str) -> None:
    patient = copy.deepcopy(PATIENT)
    node: Any = patient
    for step in at[:-1]:
        node = node[step]
    node[at[-1]] = value
    assert named(patient) == []


def test_a_weight_in_stones_is_no_body_weight_but_a_vital_sign() -> None:
    heavy = observation("vital-signs", "29463-7", valueQuantity=measured(11, "[stone_av]"))
    assert named(heavy, PATIENT) == ["us-core-vital-signs"]


def test_two_races_texts_or_two_lab_categories_are_one_too_many() -> None:
    patient = copy.deepcopy(PATIENT)
    patient["extension"][0]["extension"].append({"url": "text", "valueString": "again"})
    assert named(patient) == []
    twice = observation("laboratory", "2345-7", valueString="x")
    twice["category"] = twice["category"] * 2
    assert "us-core-observation-lab" not in named(twice, PATIENT)


def test_what_refers_to_somebody_who_does_not_conform_does_not_either() -> None:
    lab = observation("laboratory", "2345-7", valueString="x")
    report = {**CONFORMING[9][0], "id": "r", "result": [{"reference": "Observation/o"}]}
    assert conforming([PATIENT, lab, report]) == [
        ["us-core-patient"],
        ["us-core-observation-lab"],
        ["us-core-diagnosticreport-lab"],
    ]
    nameless = without(PATIENT, "name")
    assert conforming([nameless, lab, report]) == [[], [], []]
    assert named(lab) == []  # nobody knows who p is


def test_a_reference_may_be_an_identifier_of_an_allowed_type() -> None:
    order = next(one for one, profile, _ in CONFORMING if profile == "us-core-medicationrequest")
    assert named({**order, "requester": {"type": "Practitioner", "identifier": NPI}}, PATIENT)
    assert not named({**order, "requester": {"type": "Location", "identifier": NPI}}, PATIENT)


def test_a_number_that_is_no_npi_is_none() -> None:
    for value in ("1234567890", "123456789", "x"):
        assert not named(
            {"resourceType": "Organization", "active": True, "name": "x", "identifier": [{**NPI, "value": value}]}
        )


def test_a_claim_keeps_what_meta_says_and_comes_once() -> None:
    patient = {**copy.deepcopy(PATIENT), "meta": {"tag": [{"code": "x"}], "profile": ["urn:theirs"]}}
    for _ in range(2):
        claim([patient])
        assert patient["meta"] == {"tag": [{"code": "x"}], "profile": ["urn:theirs", f"{BASE}us-core-patient"]}


@pytest.mark.parametrize(
    "odd", [{"name": "x"}, {"extension": ["x"]}, {"identifier": [None]}, {"telecom": {"a": 1}}, {}]
)
def test_what_is_no_valid_resource_conforms_to_nothing_and_raises_nothing(odd: dict[str, Any]) -> None:
    assert conforming([{**PATIENT, **odd} if odd else {"resourceType": "Patient"}]) == [[]]


@pytest.mark.parametrize("meta", [{"profile": 5}, {"profile": {"x": 1}}, {"profile": "urn:theirs"}, ["x"], "x"])
def test_where_meta_is_no_meta_nothing_is_claimed_and_all_stays_as_it_was(meta: Any) -> None:
    patient = {**copy.deepcopy(PATIENT), "meta": meta}
    claim([patient])
    assert patient == {**PATIENT, "meta": meta}


def test_every_rule_of_the_table_is_here() -> None:
    assert all(callable(rule) for rule in RULES.values())
