"""duplicate: what the chart says already is shown before anything is added; what is hidden is not taken for absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwater.errors import Refuse
from headwater.model import ProposalState, Resource
from headwater.outbound.review import Reviewer
from tests.outbound.conftest import CLINICIAN, COLLEAGUE, TARGET, Desk, observation, wish

RXNORM, SNOMED = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://snomed.info/sct"
THERE = {"reference": "Patient/p-M77120"}
MASK = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}


def allergy(system: str, code: str, text: str = "", **changes: Any) -> Resource:
    active = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
    sure = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": "confirmed"}
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [active]},
        "verificationStatus": {"coding": [sure]},
        "type": "allergy",
        "category": ["medication"],
        "criticality": "high",
        "code": {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})},
        "patient": {"reference": "Patient/person-1"},
        "recordedDate": "2026-11-01T09:00:00-05:00",
        **changes,
    }


def put(desk: Desk, row: Resource) -> str:
    about = "patient" if "patient" in row else "subject"
    reference = f"{row['resourceType']}/r{len(desk.chart.rows)}"
    desk.chart.rows[reference] = {**row, "id": reference.partition("/")[2], about: THERE}
    return reference


def penicillin(desk: Desk) -> Any:
    return desk.propose(wish(allergy(RXNORM, "7980"), intent="allergy", origin_ref="AllergyIntolerance/a1"))


def test_no_known_allergies_contradicts_a_new_one_and_two_must_sign(desk: Desk) -> None:
    row = put(desk, allergy(SNOMED, "716186003", "No known allergies"))
    proposal = penicillin(desk)
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    assert proposal.flags == ("conflict.no_known_allergies",)
    assert (proposal.alike, proposal.approvers) == ((row,), 2)
    told = desk.review.approve_batch(CLINICIAN, [(proposal.intent, proposal.payload_hash)])
    assert told == {proposal.intent: "review.not_in_a_batch"}
    with pytest.raises(Refuse, match=r"review\.flags_not_seen"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    for reviewer, state in ((CLINICIAN, ProposalState.PROPOSED), (CLINICIAN, ProposalState.PROPOSED),
                            (COLLEAGUE, ProposalState.APPROVED)):  # fmt: skip
        signed = desk.review.approve(reviewer, proposal.intent, proposal.payload_hash, seen=proposal.flags)
        assert signed.state is state
        assert desk.queue.bodies == [proposal.intent] * (state is ProposalState.APPROVED)
    assert signed.approvals == ("dr.rivera", "dr.chen")
    assert desk.send(proposal.intent).state is ProposalState.FILED
    approvers = {entry["who"] for entry in desk.audit.read(proposal.intent) if entry["event"] == "approved"}
    assert approvers == {"dr.rivera", "dr.chen"}


def test_an_allergy_of_the_same_class_under_another_code_is_shown(desk: Desk) -> None:
    row = put(desk, allergy(RXNORM, "723", "amoxicillin"))
    proposal = penicillin(desk)
    assert (proposal.flags, proposal.alike) == (("duplicate.same_allergen_class",), (row,))


def test_the_same_allergy_needs_no_decision(desk: Desk) -> None:
    put(desk, allergy(RXNORM, "7980"))
    assert penicillin(desk).state is ProposalState.ALREADY_PRESENT


def test_an_allergy_that_has_gone_is_not_the_one_that_lasts(desk: Desk) -> None:
    gone = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "resolved"}
    put(desk, allergy(RXNORM, "7980", clinicalStatus={"coding": [gone]}))
    proposal = penicillin(desk)
    assert (proposal.state, proposal.flags) == (ProposalState.PROPOSED, ("duplicate.same_allergen_class",))


@pytest.mark.parametrize("taken_back", ["entered-in-error", "refuted"])
def test_what_was_taken_back_is_no_duplicate(desk: Desk, taken_back: str) -> None:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": taken_back}
    put(desk, allergy(RXNORM, "7980", verificationStatus={"coding": [coding]}))
    proposal = penicillin(desk)
    assert (proposal.state, proposal.flags) == (ProposalState.PROPOSED, ())


def test_what_is_masked_is_hidden_and_not_absent(desk: Desk) -> None:
    row = put(desk, observation(valueQuantity=MASK))
    proposal = desk.propose(wish())
    assert proposal.state is ProposalState.PROPOSED
    assert (proposal.flags, proposal.alike, proposal.approvers) == (("duplicate.chart_hidden",), (row,), 2)


def test_beside_a_masked_row_nothing_is_decided_by_machine(desk: Desk) -> None:
    put(desk, observation())
    put(desk, observation(meta={"security": [{"code": "REDACTED"}]}, valueQuantity=MASK))
    assert desk.propose(wish()).state is ProposalState.PROPOSED


def test_another_value_at_the_same_time_is_a_contradiction(desk: Desk) -> None:
    quantity = {"value": 240, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    put(desk, observation(valueQuantity=quantity))
    assert desk.propose(wish()).flags == ("conflict.other_value_at_that_time",)


def test_the_same_ingredient_under_a_brand_name_is_shown_and_added_only_by_who_has_seen_it(desk: Desk) -> None:
    name = "veradigm"
    desk.ehrs = {**desk.ehrs, name: replace(desk.ehrs[name], patient=desk.ehrs[TARGET].patient)}
    desk.persons.move(TARGET, name)
    ordered = {"coding": [{"system": RXNORM, "code": "314076", "display": "lisinopril 10 MG Oral Tablet"}]}
    row = put(desk, {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": THERE,
                     "medicationCodeableConcept": ordered})  # fmt: skip
    brand = {"coding": [{"system": RXNORM, "code": "104377"}], "text": "Zestril 10 mg tablet"}
    taken = {"resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": brand,
             "subject": {"reference": "Patient/person-1"}, "effectiveDateTime": "2026-11-10T09:00:00-05:00",
             "dateAsserted": "2026-11-20T09:00:00-05:00"}  # fmt: skip
    proposal = desk.propose(wish(taken, to=name, intent="medication"))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    assert (proposal.flags, proposal.alike) == (("duplicate.same_ingredient",), (row,))
    with pytest.raises(Refuse, match=r"review\.flags_not_seen"):
        desk.review.approve(Reviewer("dr.lee", frozenset({"clinician"})), proposal.intent, proposal.payload_hash)
    assert desk.chart.posts == 0
