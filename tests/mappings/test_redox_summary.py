"""Redox's Clinical Summary: what the golden pairs do not show, one fault of a sender at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from headwater.fhir.validate import validate
from headwater.inbound.convert import convert
from headwater.model import Converted
from tests.mappings.examples import MAPPINGS, PLAIN, engine, envelope

SENDER = replace(PLAIN, feed=replace(PLAIN.feed, templates={"json": "json/redox"}))
SUMMARY = json.loads((MAPPINGS / "base/json/examples/redox-clinical-summary.jsonl").read_text("utf-8"))
SNOMED = "2.16.840.1.113883.6.96"


def made(event: str = "PatientPush", **sections: Any) -> Converted:
    meta = {**SUMMARY["Meta"], "EventType": event}
    body = json.dumps({"Meta": meta, "Header": SUMMARY["Header"], **sections}).encode()
    converted = convert(envelope(SENDER, body, "application/json"), SENDER, engine(SENDER.name))
    assert all(validate(resource) == [] for resource in converted.resources)
    return converted


def of(converted: Converted, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in converted.resources if resource["resourceType"] == kind]


@pytest.mark.parametrize("event", ["PatientQueryResponse", "PatientPush", "VisitQueryResponse", "VisitPush"])
def test_every_event_type_that_brings_a_summary_becomes_the_same_resources(event: str) -> None:
    sections = {name: rows for name, rows in SUMMARY.items() if name not in ("Meta", "Header")}
    ids = [(each["resourceType"], each["id"]) for each in made(event, **sections).resources[:-1]]
    assert ids == [(each["resourceType"], each["id"]) for each in made(**sections).resources[:-1]]


def test_a_section_without_rows_and_words_is_none() -> None:
    (composition,) = of(made(Allergies=[], AllergyText=None, ProblemsText="None known"), "Composition")
    assert [section["title"] for section in composition["section"]] == ["Problems"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("glucose < 60 & pain > 4", "glucose &lt; 60 &amp; pain &gt; 4"),
        ("<p>Heart: regular</p><p>Lungs &lt; clear</p>", "Heart: regular  Lungs &lt; clear"),
        ("<script>alert(1)</script>Stable", "Stable"),
    ],
)
def test_a_narrative_keeps_its_words_and_none_of_its_marks(sent: str, kept: str) -> None:
    (composition,) = of(made(AssessmentText=sent), "Composition")
    assert f">{kept}</div>" in composition["section"][0]["text"]["div"]


def test_a_prescription_without_a_status_is_not_called_active() -> None:
    drug = {"Prescription": True, "Product": {"Code": "314076", "CodeSystemName": "RxNorm", "Name": "Lisinopril"}}
    (request,) = of(made(Medications=[drug]), "MedicationRequest")
    assert request["status"] == "unknown"
    assert request["medicationCodeableConcept"]["coding"][0]["system"] == "http://www.nlm.nih.gov/research/umls/rxnorm"


def test_a_diagnosis_of_a_visit_leaves_the_problem_list_as_it_is() -> None:
    row = {"Code": "38341003", "CodeSystem": SNOMED, "Name": "Hypertension", "StartDate": "2018-03-01T05:00:00Z"}
    listed, assessed = of(made(Problems=[row], Assessment={"Diagnoses": [row]}), "Condition")
    assert listed["id"] != assessed["id"]


def test_a_section_that_no_template_reads_is_reported() -> None:
    assert any(path.startswith("CareTeams") for path in made(CareTeams=[{"Name": "Heart team"}]).unread)


NOTHING: dict[str, Any] = {"Code": None, "CodeSystem": None, "CodeSystemName": None, "Name": None, "AltCodes": []}


@pytest.mark.parametrize(
    ("section", "rows"),
    [
        ("Allergies", [{"Substance": NOTHING, "Reaction": [NOTHING], "Status": NOTHING}]),
        ("Medications", [{"FreeTextSig": "One at night", "Product": NOTHING, "Dose": {"Quantity": None}}]),
        ("Problems", [{**NOTHING, "Name": "Cough"}, {**NOTHING, "Name": "Cough"}]),
        ("Results", [{**NOTHING, "Observations": []}]),
        ("Immunizations", [{"DateTime": None, "Product": NOTHING}]),
        ("VitalSigns", [{"DateTime": None, "Observations": [NOTHING]}]),
        ("FamilyHistory", [{"Relation": NOTHING, "Problems": []}]),
        ("AdvanceDirectives", [{"Type": NOTHING, **NOTHING}]),
        ("Insurances", [{"Plan": {"ID": None}, "Company": {"ID": None}}]),
        ("MedicalEquipment", [{"Product": NOTHING}]),
        ("PlanOfCare", {"Orders": [NOTHING], "MedicationAdministration": [{"Product": NOTHING}]}),
        ("SocialHistory", {"Observations": [NOTHING], "TobaccoUse": [NOTHING], "Pregnancy": [{"StartDate": None}]}),
        ("Goals", [NOTHING]),
    ],
)
def test_a_row_that_says_next_to_nothing_does_not_hold_up_the_summary(section: str, rows: Any) -> None:
    converted = made(**{section: rows})
    (composition,) = of(converted, "Composition")
    assert composition["section"][0]["entry"]
    assert converted.unread == ()


def test_a_problem_that_is_listed_as_active_and_as_resolved_is_one_active_condition_with_a_note() -> None:
    row = {"Code": "38341003", "CodeSystem": SNOMED, "Name": "Hypertension", "StartDate": "2018-03-01T05:00:00Z"}
    ended = {**row, "EndDate": "2020-01-01T05:00:00Z"}
    (condition,) = of(made(Problems=[row], ResolvedProblems=[ended]), "Condition")
    assert [coding["code"] for coding in condition["clinicalStatus"]["coding"]] == ["active"]
    assert "abatementDateTime" not in condition
    assert condition["note"][0]["text"].startswith("Also listed as resolved")


@pytest.mark.parametrize(("status", "over"), [("Active", False), ("Relapse", False), ("Remission", True), (None, True)])
def test_an_end_is_an_abatement_only_of_what_is_over(status: str | None, over: bool) -> None:
    row = {"Name": "Asthma", "Status": {"Name": status}, "EndDate": "2020-01-01T05:00:00Z"}
    (condition,) = of(made(Problems=[row]), "Condition")
    assert ("abatementDateTime" in condition, "note" in condition) == (over, not over)  # FHIR R4 invariant con-4
