"""Every rule of the validator, each by one resource that breaks it alone and says where and by which code."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from headwater.fhir.references import references
from headwater.fhir.validate import Issue, validate
from tests.fhir.samples import SAMPLES, UCUM, VALID, broken, sample

GONE = None
NULL = object()  # stands for JSON null below, since None takes the element away

# (sample, where to put what, code of the issue, its path below the type if it is another)
CASES: list[tuple[Any, ...]] = [
    # unknown elements
    ("Patient", "nickname", "x", "unknown_element"),
    ("Patient", "birthdate", "1980", "unknown_element"),
    ("Patient", "name.0.first", "x", "unknown_element"),
    ("Patient", "_contact", [{"id": "1"}], "unknown_element"),
    ("Patient", "name.0.resourceType", "HumanName", "unknown_element"),
    ("Patient", "fhir_comments", ["x"], "unknown_element"),
    ("Patient", "name.0._id", {"extension": []}, "unknown_element"),
    ("Patient", "Ann Example, born 1980", "x", "unknown_element", "?"),
    # cardinality and JSON structure
    ("Patient", "gender", ["female"], "structure"),
    ("Patient", "name", {"family": "x"}, "cardinality"),
    ("Patient", "name.0.given", "Ann", "cardinality"),
    ("Patient", "meta", {"profile": "http://example.org/p"}, "cardinality", "meta.profile"),
    ("Observation", "code", [{"text": "x"}], "structure"),
    ("Observation", "subject", "Patient/pat-1", "structure"),
    ("Patient", "name", ["Example"], "structure", "name[0]"),
    # required elements
    ("Observation", "status", GONE, "required"),
    ("Observation", "component.0.code", GONE, "required"),
    ("Condition", "subject", GONE, "required"),
    ("Encounter", "class", GONE, "required"),
    ("DocumentReference", "content", GONE, "required"),
    ("MedicationRequest", "medicationCodeableConcept", GONE, "required", "medication[x]"),
    ("Immunization", "occurrenceDateTime", GONE, "required", "occurrence[x]"),
    ("Patient", "text", {"status": "generated"}, "required", "text.div"),
    # empty things and null
    ("Patient", "name", [], "empty"),
    ("Patient", "name", [{}], "empty", "name[0]"),
    ("Patient", "name", [{"id": "n1"}], "empty", "name[0]"),
    ("Patient", "maritalStatus", {}, "empty"),
    ("Patient", "birthDate", NULL, "null"),
    ("Patient", "maritalStatus", NULL, "structure"),
    ("Patient", "name.0.given", ["Ann", NULL], "null", "name[0].given[1]"),
    ("Patient", "name.0.family", "", "value"),
    ("Patient", "name.0.family", " \t", "value"),
    # primitive types
    ("Patient", "active", "true", "value"),
    ("Patient", "active", 1, "value"),
    ("Patient", "name.0.family", 42, "value"),
    ("Patient", "name.0.family", "x\u0000", "value"),
    ("Patient", "name.0.family", "x\ud800", "value"),
    ("Patient", "name.0.family", "x" * 1048577, "value"),
    ("Patient", "id", "a b", "value"),
    ("Patient", "id", "x" * 65, "value"),
    ("Patient", "birthDate", "1980/02/29", "value"),
    ("Patient", "birthDate", "19800229", "value"),
    ("Patient", "birthDate", "1981-02-29", "value"),
    ("Patient", "birthDate", "1980-02-29T00:00:00Z", "value"),
    ("Observation", "effectiveDateTime", "2026-13", "value"),
    ("Observation", "effectiveDateTime", "2026-11-22T10:00:00", "value"),
    ("Observation", "effectiveDateTime", "2026-11-22T10:00Z", "value"),
    ("Observation", "effectiveDateTime", "2026-11-31T10:00:00Z", "value"),
    ("Observation", "issued", "2026-11-22", "value"),
    ("Observation", "valueTime", "25:00:00", "value"),
    ("Observation", "valueInteger", 2.0, "value"),
    ("Observation", "valueInteger", 2**31, "value"),
    ("Observation", "valueInteger", "2", "value"),
    ("Patient", "telecom.0.rank", 0, "value"),
    ("Patient", "photo", [{"size": -1}], "value", "photo[0].size"),
    ("Observation", "component.0.valueQuantity.value", "5", "value"),
    ("Observation", "component.0.valueQuantity.value", True, "value"),
    ("Observation", "component.0.valueQuantity.value", float("nan"), "value"),
    ("Patient", "identifier.0.system", "urn:a b", "value"),
    ("Observation", "component.0.valueQuantity.code", "mm  Hg", "value"),
    ("DocumentReference", "content.0.attachment.data", "no base64!", "value"),
    ("Task", "input.0", {"type": {"text": "x"}, "valueOid": "1.2.3"}, "value", "input[0].valueOid"),
    ("Task", "input.0", {"type": {"text": "x"}, "valueUuid": "urn:uuid:C"}, "value", "input[0].valueUuid"),
    # choices
    ("Patient", "deceased", True, "choice"),
    ("Observation", "valueDecimal", 1.5, "choice"),
    ("Observation", "effectivePeriod", {"start": "2026"}, "choice", "effective[x]"),
    # codes
    ("Patient", "gender", "Female", "code"),
    ("Patient", "name.0.use", "legal", "code"),
    ("Patient", "telecom.0.system", "telephone", "code"),
    ("Observation", "status", "done", "code"),
    ("Encounter", "status", "done", "code"),
    ("AllergyIntolerance", "criticality", "severe", "code"),
    ("AllergyIntolerance", "clinicalStatus.coding.0.code", "on", "code", "clinicalStatus"),
    ("AllergyIntolerance", "clinicalStatus.coding.0.system", "urn:x", "code", "clinicalStatus"),
    ("Condition", "clinicalStatus", {"text": "active"}, "code"),
    (
        "Task",
        "input.0",
        {"type": {"text": "x"}, "valueMoney": {"currency": "usd"}},
        "value",
        "input[0].valueMoney.currency",
    ),
    # references
    ("Observation", "subject.reference", "Medication/1", "reference"),
    ("Observation", "subject.reference", "https://e.example/Medication/1", "reference"),
    ("Observation", "subject.reference", "Pateint/1", "reference"),
    ("Observation", "subject.reference", "Patient/", "reference"),
    ("Observation", "subject.reference", "Patient/a b", "reference"),
    ("Observation", "subject.reference", "4711", "reference"),
    ("Observation", "subject.reference", "#nobody", "ref-1"),
    # extensions
    ("Patient", "extension", [{"valueString": "x"}], "required", "extension[0].url"),
    ("Patient", "extension", [{"url": "urn:x"}], "ext-1", "extension[0]"),
    (
        "Patient",
        "extension",
        [{"url": "urn:x", "valueString": "x", "extension": [{"url": "y", "valueCode": "z"}]}],
        "ext-1",
        "extension[0]",
    ),
    (
        "Patient",
        "extension",
        [{"url": "urn:x", "valueCode": "a", "valueString": "x"}],
        "choice",
        "extension[0].value[x]",
    ),
    # ids and extensions of primitive values
    ("Patient", "_birthDate", "x", "structure"),
    ("Patient", "_birthDate", {}, "empty"),
    ("Patient", "_birthDate", {"value": "x"}, "unknown_element", "_birthDate.value"),
    ("Patient", "_active", {"id": "a"}, "empty"),
    ("Patient", "_birthDate", {"id": 5}, "value", "_birthDate.id"),
    ("Patient", "name.0._given", {"id": "g"}, "structure"),
    ("Patient", "name.0._given", [{"id": "g"}, {"id": "h"}], "structure"),
    ("Patient", "name.0._given", [NULL], "null"),
    # contained
    ("Observation", "contained", [{"resourceType": "Patient", "id": "p"}], "dom-3", "contained[0]"),
    ("Observation", "contained", [{"resourceType": "Patient"}], "required", "contained[0].id"),
    # narrative
    ("Patient", "text", {"status": "generated", "div": "<div>x</div>"}, "txt-1", "text.div"),
    (
        "Patient",
        "text",
        {"status": "nice", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
        "code",
        "text.status",
    ),
    # invariants
    ("Patient", "contact", [{"gender": "male"}], "pat-1", "contact[0]"),
    ("Patient", "telecom", [{"value": "555 0100"}], "cpt-2", "telecom[0]"),
    ("Observation", "component.0.valueQuantity", {"value": 1, "code": "mg"}, "qty-3"),
    ("Observation", "component.0.referenceRange", [{"type": {"text": "x"}}], "obs-3", "component[0].referenceRange[0]"),
    (
        "Observation",
        "component.0.referenceRange",
        [{"low": {"value": 1, "comparator": "<"}}],
        "sqty-1",
        "component[0].referenceRange[0].low",
    ),
    ("Condition", "abatementDateTime", "2026", "con-4", ""),
    ("Condition", "stage", [{"type": {"text": "x"}}], "con-1", "stage[0]"),
    ("Condition", "evidence", [{"extension": [{"url": "x", "valueCode": "y"}]}], "con-2", "evidence[0]"),
    ("AllergyIntolerance", "clinicalStatus", GONE, "ait-1", ""),
    ("Encounter", "period", {"start": "2026-02", "end": "2026-01"}, "per-1"),
    ("Encounter", "period", {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T10:30:00+01:00"}, "per-1"),
    ("DocumentReference", "content.0.attachment", {"data": "aGVsbG8="}, "att-1"),
    ("Organization", "name", GONE, "org-1", ""),
    ("Organization", "address.0.use", "home", "org-2", "address[0]"),
    ("Organization", "telecom.0.use", "home", "org-3", "telecom[0]"),
    ("Consent", "policyRule", GONE, "ppc-1", ""),
    ("Linkage", "item", [{"type": "source", "resource": {"reference": "Patient/a"}}], "lnk-1", ""),
    ("Appointment", "cancelationReason", {"text": "x"}, "app-4", ""),
    ("Appointment", "participant", [{"status": "accepted"}], "app-1", "participant[0]"),
    ("Immunization", "education", [{"publicationDate": "2026"}], "imm-1", "education[0]"),
    (
        "MedicationRequest",
        "dosageInstruction.0.timing.repeat.periodUnit",
        GONE,
        "tim-2",
        "dosageInstruction[0].timing.repeat",
    ),
    ("Questionnaire", "item.1.linkId", "1.1", "que-2", ""),
    ("Questionnaire", "item.0.type", "display", "que-1", "item[0]"),
    ("Task", "lastModified", "2026-11-19", "inv-1", ""),
    ("Parameters", "parameter.1", {"name": "x"}, "inv-1"),
    ("Coverage", "costToBeneficiary.0.valueQuantity", {"value": 1, "comparator": "<"}, "sqty-1"),
    # Bundles
    ("Bundle", "type", GONE, "required"),
    ("Bundle", "type", "txn", "code"),
    ("Bundle", "total", 2, "bdl-1"),
    ("Bundle", "entry.0.search", {"mode": "match"}, "bdl-2"),
    ("Bundle", "entry.1.request", GONE, "bdl-3"),
    ("Bundle", "entry.1.response", {"status": "200"}, "bdl-4"),
    ("Bundle", "entry.1.fullUrl", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "bdl-7"),
    ("Bundle", "entry.1.fullUrl", "https://e.example/Observation/1/_history/1", "bdl-8"),
    ("Bundle", "entry.0.request.method", "put", "code"),
    ("Bundle", "entry.0.resource.gender", "malex", "code"),
    ("Bundle", "entry.0.resource.resourceType", "Foo", "resource_type"),
    (
        "Bundle",
        "entry.0.resource",
        {"resourceType": "Substance", "code": {"text": "x"}},
        "reference",
        "entry[1].resource.subject.reference",
    ),
    (
        "Bundle",
        "entry.0.resource.managingOrganization",
        {"reference": "#o"},
        "ref-1",
        "entry[0].resource.managingOrganization.reference",
    ),
    ("Parameters", "parameter.0.resource.gender", "x", "code"),
]


def _with_nulls(value: Any) -> Any:
    if value is NULL:
        return None
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    return value


def _case(name: str, path: str, value: Any) -> dict[str, Any]:
    if value is not NULL and not isinstance(value, list):
        return broken(name, path, value)
    resource = broken(name, path, "placeholder")
    node: Any = resource
    *steps, last = path.split(".")
    for step in steps:
        node = node[int(step)] if step.isdigit() else node[step]
    node[last] = _with_nulls(value)
    return resource


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}")
def test_what_is_wrong_is_found_at_its_place_and_nothing_else(case: tuple[Any, ...]) -> None:
    name, path, value, code, *elsewhere = case
    where = elsewhere[0] if elsewhere else re.sub(r"\.(\d+)", r"[\1]", path)
    expected = f"{name}.{where}" if where else name
    assert [(issue.path, issue.code) for issue in validate(_case(name, path, value))] == [(expected, code)]


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_valid(name: str) -> None:
    assert validate(sample(name)) == []


@pytest.mark.parametrize("resource", [*SAMPLES.values(), *VALID.values()])
def test_the_references_of_what_is_valid_are_found_on_the_way(resource: dict[str, Any]) -> None:
    found: list[str] = []
    assert validate(resource, found) == []
    assert sorted(found) == sorted(references(resource))


@pytest.mark.parametrize("name", VALID)
def test_what_the_specification_allows_is_accepted(name: str) -> None:
    assert validate(VALID[name]) == []


@pytest.mark.parametrize("value", [None, [], {}, "Patient", 5, {"resourceType": None}, {"resourceType": ["Patient"]}])
def test_what_is_no_resource_gets_an_issue_and_no_exception(value: Any) -> None:
    (issue,) = validate(value)
    assert issue.path.startswith("Resource")


@pytest.mark.parametrize(
    "kind", ["Pateint", "patient", "DomainResource", "HumanName", "Observation.component", "SubscriptionStatus"]
)
def test_a_type_that_r4_does_not_have_is_refused(kind: str) -> None:
    assert [issue.code for issue in validate({"resourceType": kind})] == ["resource_type"]


def test_decimals_may_come_as_any_number() -> None:
    for number in (5, 5.25, Decimal("5.250"), -1e-9):
        assert validate(broken("Observation", "component.0.valueQuantity.value", number)) == []
    assert validate(broken("Observation", "component.0.valueQuantity.value", Decimal("NaN")))


def test_a_value_in_both_the_observation_and_the_same_component_breaks_obs_7() -> None:
    resource = sample("Observation")
    resource["code"] = resource["component"][0]["code"]
    resource["valueString"] = "x"
    assert [issue.code for issue in validate(resource)] == ["obs-7"]
    del resource["valueString"]
    assert validate(resource) == []


def test_a_value_and_a_reason_for_its_absence_break_obs_6() -> None:
    resource = broken("Observation", "dataAbsentReason", {"text": "x"})
    assert validate(resource) == []
    resource["valueString"] = "x"
    assert [issue.code for issue in validate(resource)] == ["obs-6"]


def test_entered_in_error_allows_no_clinical_status() -> None:
    status = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}]
    }
    assert [issue.code for issue in validate(broken("Condition", "verificationStatus", status))] == ["con-5"]
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
    status = {"coding": [{"system": system, "code": "entered-in-error"}]}
    resource = broken("AllergyIntolerance", "verificationStatus", status)
    assert [issue.code for issue in validate(resource)] == ["ait-2"]
    del resource["clinicalStatus"]
    assert validate(resource) == []


def test_abatement_goes_with_a_condition_that_is_over() -> None:
    resource = broken("Condition", "clinicalStatus.coding.0.code", "resolved")
    resource["abatementString"] = "last year"
    assert validate(resource) == []


def test_contained_resources_have_no_meta_and_no_contained_of_their_own() -> None:
    inner = {
        "resourceType": "Patient",
        "id": "p",
        "meta": {"versionId": "1", "lastUpdated": "2026-11-22T00:00:00Z", "security": [{"code": "R"}]},
        "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
    }
    resource = broken("Observation", "subject", {"reference": "#p"}) | {"contained": [inner]}
    found = {(issue.path.removeprefix("Observation.contained[0]"), issue.code) for issue in validate(resource)}
    assert found == {
        (".contained", "dom-2"),
        (".meta.versionId", "dom-4"),
        (".meta.lastUpdated", "dom-4"),
        (".meta.security", "dom-5"),
    }


def test_contained_ids_are_unique_and_their_types_count_as_targets() -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    resource = broken("Observation", "subject", {"reference": "#p"}) | {"contained": [patient, patient]}
    assert [(issue.path, issue.code) for issue in validate(resource)] == [("Observation.contained[1].id", "contained")]
    resource["contained"] = [{"resourceType": "Substance", "id": "p", "code": {"text": "x"}}]
    assert [(issue.path, issue.code) for issue in validate(resource)] == [
        ("Observation.subject.reference", "reference")
    ]


@pytest.mark.parametrize(("kind", "codes"), [("document", {"bdl-9", "bdl-10", "bdl-11"}), ("message", {"bdl-12"})])
def test_documents_and_messages_have_their_head(kind: str, codes: set[str]) -> None:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [{"resource": {"resourceType": "Patient"}}]}
    assert {issue.code for issue in validate(bundle)} == codes


def test_an_entry_without_anything_is_refused() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"link": [{"relation": "x", "url": "urn:x"}]}]}
    assert [(issue.path, issue.code) for issue in validate(bundle)] == [("Bundle.entry[0]", "bdl-5")]


def test_all_faults_are_told_at_once_with_readable_places() -> None:
    resource = sample("Observation")
    resource["status"] = "done"
    resource["component"][0]["valueQuantity"] = {"value": "120", "system": UCUM}
    resource["note"] = [{"text": ""}]
    assert [str(issue) for issue in validate(resource)] == [
        "Observation.status: expected one of amended, cancelled, corrected, entered-in-error, final, preliminary, "
        "registered, unknown (value set observation-status) (code)",
        "Observation.component[0].valueQuantity.value: expected a number, without quotes (value)",
        "Observation.note[0].text: expected text that is not empty; leave the element out (value)",
    ]


def test_no_issue_ever_holds_a_value() -> None:
    secret = "Zebedee-1937"
    for name, path, value, *_ in CASES:
        if isinstance(value, str):
            for issue in validate(_case(name, path, f"{value} {secret}")):
                assert secret not in f"{issue}{issue!r}"
    resource: Any = {"resourceType": secret, secret + " x": secret}
    assert secret not in str(validate(resource))
    assert secret not in str(
        validate({"resourceType": "Patient", f"{secret} {secret}": 1, "contained": [{"id": secret}]})
    )


def test_nesting_without_end_is_an_issue() -> None:
    extension: dict[str, Any] = {"url": "x", "valueString": "y"}
    for _ in range(5000):
        extension = {"url": "x", "extension": [extension]}
    issues = validate({"resourceType": "Patient", "extension": [extension]})
    assert issues == [Issue("Patient", "depth", "expected fewer levels of nesting")]


def test_an_appointment_has_both_ends_or_neither() -> None:
    assert [issue.code for issue in validate(broken("Appointment", "end", None))] == ["app-2", "app-3"]
    assert [issue.code for issue in validate(broken("Appointment", "end", None) | {"status": "proposed"})] == ["app-2"]


def test_a_contained_resource_has_a_type_of_r4() -> None:
    resource = broken("Observation", "subject", {"reference": "#p"})
    resource["contained"] = [{"resourceType": "Foo", "id": "p"}]
    assert [(issue.path, issue.code) for issue in validate(resource)] == [
        ("Observation.contained[0].resourceType", "resource_type")
    ]


def test_many_faults_cost_no_more_than_their_number() -> None:
    resource = {"resourceType": "Patient", **{f"x{number}": 1 for number in range(50_000)}}
    assert len(validate(resource)) == 50_000  # minutes, if each fault copied those before it
