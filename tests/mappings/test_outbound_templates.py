"""What each EHR is sent: the outbound templates render valid FHIR that the EHR takes, and lose nothing unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headwater.fhir.validate import validate
from headwater.templates.engine import Engine
from tests.ehr_servers import MAPPINGS, profiles, running

MARKER = "headwater:0123456789abcdef"
WRITERS = ["epic", "oracle-millennium"]  # of laboratory results
MONITORS = ["canvas", "us-core-9-write"]  # these take vital signs and nothing else
SOURCE: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "golden-1",
    "meta": {"versionId": "3"},
    "status": "final",
    "identifier": [{"system": "urn:lab", "value": "F-1"}],
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": 'Glucose "fasting" \\ é'},
    "subject": {"reference": "Patient/golden"},
    "effectiveDateTime": "2026-11-21T23:30:00-05:00",
    "valueQuantity": {"value": 5.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    "interpretation": [{"coding": [{"code": "H"}]}],
    "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 5.5}}, {"text": "for children"}],
    "note": [{"text": "hemolysed"}],
}


PULSE: dict[str, Any] = {
    **{
        key: SOURCE[key]
        for key in ("resourceType", "id", "status", "identifier", "subject", "effectiveDateTime", "note")
    },
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
}


def rendered(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    ehr = profiles()[name]
    engine = Engine([*(MAPPINGS / "ehrs" / folder for folder in ehr.folders), MAPPINGS / "base"])
    variables = {"resource": resource, "patient": "Patient/p1", "marker": MARKER}
    payload: dict[str, Any] = engine.build(ehr.operation("Observation").template, variables)
    return payload


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": SOURCE["valueQuantity"]},
        {"valueQuantity": {"value": 0, "comparator": "<", "unit": "1"}},
        {"valueString": "007"},
        {"valueString": 'line one\nline "two" </script> {{ x }}'},
        {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "260385009"}]}},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_value_arrives_exactly_as_it_was(name: str, value: dict[str, Any]) -> None:
    source = {key: element for key, element in SOURCE.items() if not key.startswith("value")} | value
    payload = rendered(name, source)
    assert {key: element for key, element in payload.items() if key.startswith("value")} == value
    for key in ("status", "category", "code", "effectiveDateTime", "interpretation"):
        assert payload[key] == SOURCE[key]
    assert payload["subject"] == {"reference": "Patient/p1"}
    assert not {"id", "meta", "identifier"} & set(payload)
    assert validate(payload) == []
    assert profiles()[name].operation("Observation").unmet(payload) == ()


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("value", [{}, {"valueRatio": {"numerator": {"value": 1}}}, {"valueSampledData": {}}])
def test_a_result_whose_value_the_template_does_not_carry_is_not_sendable(name: str, value: dict[str, Any]) -> None:
    source = {key: element for key, element in SOURCE.items() if not key.startswith("value")} | value
    assert profiles()[name].operation("Observation").unmet(rendered(name, source)) == ("value[x]",)


def test_the_marker_goes_where_the_profile_says_and_beside_the_lab_s_own_note() -> None:
    millennium, epic = rendered("oracle-millennium", SOURCE), rendered("epic", SOURCE)
    assert millennium["note"] == [{"text": "hemolysed"}, {"text": MARKER}]
    assert epic["note"] == [{"text": "hemolysed"}]
    assert MARKER not in json.dumps(epic)
    assert "note" not in rendered("epic", {key: SOURCE[key] for key in SOURCE if key != "note"})


def test_only_one_reference_range_where_the_ehr_takes_one() -> None:
    assert rendered("oracle-millennium", SOURCE)["referenceRange"] == SOURCE["referenceRange"][:1]
    assert rendered("epic", SOURCE)["referenceRange"] == SOURCE["referenceRange"]


@pytest.mark.parametrize("name", MONITORS)
def test_a_vital_sign_arrives_exactly_as_it_was(name: str) -> None:
    payload = rendered(name, PULSE)
    for key in ("status", "category", "code", "effectiveDateTime", "valueQuantity"):
        assert payload[key] == PULSE[key]
    assert validate(payload) == []
    assert profiles()[name].operation("Observation").unmet(payload) == ()
    assert (MARKER in json.dumps(payload)) is bool(profiles()[name].operation("Observation").marker)


@pytest.mark.parametrize("name", MONITORS)
@pytest.mark.parametrize(
    ("change", "unmet"),
    [
        ({"category": SOURCE["category"]}, "category.coding"),
        ({"status": "preliminary"}, "status"),
        ({"effectiveDateTime": None}, "effectiveDateTime"),
        ({"valueQuantity": {"value": 72}}, "valueQuantity.unit"),
        ({"valueQuantity": {"unit": "/min"}}, "valueQuantity.value"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_the_ehr_would_fill_in_by_itself_is_not_sendable(name: str, change: dict[str, Any], unmet: str) -> None:
    source = {key: value for key, value in (PULSE | change).items() if value is not None}
    assert profiles()[name].operation("Observation").unmet(rendered(name, source)) == (unmet,)


@pytest.mark.parametrize("name", WRITERS + MONITORS)
def test_the_simulated_ehr_takes_it_and_gives_it_back(name: str, tmp_path: Path) -> None:
    payload = rendered(name, PULSE if name in MONITORS else SOURCE)
    with running(name, tmp_path) as site:
        api = site.api()
        assert api.create("Observation", json.dumps(payload).encode()).status == 201
        found = api.search("Observation", profiles()[name].operation("Observation").search(payload)).body or {}
    row = found["entry"][0]["resource"]
    assert {key: row[key] for key in payload} == payload
