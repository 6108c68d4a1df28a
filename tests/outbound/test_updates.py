"""Updates: the row that the reviewer saw is the row that is changed, whole, by the elements that are ours to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from headwater.ehrs import Operations
from headwater.errors import Refuse, Retry
from headwater.model import Answer, Proposal, ProposalState, Resource
from tests.outbound.conftest import CLINICIAN, COLLEAGUE, REGISTRAR, TARGET, Desk, patient, wish
from tests.outbound.test_send import run

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONFIRMED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]}
ROW = "Condition/c1"


def condition(status: str = "active", **changes: Any) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": status}]},
        "verificationStatus": CONFIRMED,
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category",
                                  "code": "problem-list-item"}]}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]},
        "subject": {"reference": "Patient/person-1"},
        **changes,
    }  # fmt: skip


@pytest.fixture
def row(desk: Desk) -> Resource:
    """A problem of the patient's in the chart, with what only this EHR knows of it."""
    made = condition(
        id="c1", meta={"versionId": "3"}, subject={"reference": "Patient/p-M77120"}, onsetDateTime="2019-04-02",
        note=[{"text": "told by the patient"}], encounter={"reference": "Encounter/e1"},
    )  # fmt: skip
    desk.chart.rows[ROW] = made
    return made


def proposed(desk: Desk, resource: Resource | None = None, **changes: Any) -> Proposal:
    asked = {"updates": ROW, "intent": "problem-resolved", "origin_ref": "Condition/src", **changes}
    return desk.propose(wish(resource or condition("resolved"), **asked))


def approved(desk: Desk, **changes: Any) -> Proposal:
    proposal = proposed(desk, **changes)
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    return desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)


def test_the_whole_row_goes_back_with_one_element_changed(desk: Desk, row: Resource) -> None:
    proposal = approved(desk)
    assert (proposal.target, proposal.seen) == (ROW, "3")
    assert proposal.changes == ("Condition.clinicalStatus",)
    assert desk.send(proposal.intent).state is ProposalState.FILED
    after = desk.chart.rows[ROW]
    assert after["clinicalStatus"]["coding"][0]["code"] == "resolved"
    untouched = set(row) - {"clinicalStatus", "meta"}
    assert {key: after[key] for key in untouched} == {key: row[key] for key in untouched}
    assert (desk.chart.posts, desk.chart.puts) == (0, 1)


def test_a_redelivered_update_is_done_already(desk: Desk, row: Resource) -> None:
    intent = approved(desk).intent
    desk.send(intent)
    assert desk.send(intent).state is ProposalState.FILED
    assert desk.chart.puts == 1


def test_a_chart_that_has_moved_on_is_reviewed_again_and_not_written(desk: Desk, row: Resource) -> None:
    intent = approved(desk).intent
    desk.chart.rows[ROW] = {**row, "meta": {"versionId": "4"}, "note": [{"text": "seen by the clinician"}]}
    stopped = desk.send(intent)
    assert (stopped.state, stopped.reason) == (ProposalState.NEEDS_HUMAN, "send.chart_changed")
    assert stopped.differences == ("Condition.note[0].text",)
    assert desk.chart.puts == 0


@pytest.mark.parametrize("status", [409, 412])
def test_an_edit_in_the_last_moment_is_refused_by_the_ehr_and_never_forced(
    desk: Desk, row: Resource, status: int
) -> None:
    intent = approved(desk).intent
    desk.chart.edit_before_put = {"note": [{"text": "seen by the clinician"}]}
    desk.chart.conflict = status
    stopped = desk.send(intent)
    assert stopped.state is ProposalState.NEEDS_HUMAN
    assert stopped.reason.startswith(f"send.review {status}")
    assert stopped.differences == ("Condition.note[0].text",)
    assert desk.chart.rows[ROW]["note"] == [{"text": "seen by the clinician"}]
    assert desk.send(intent).state is ProposalState.NEEDS_HUMAN
    assert desk.chart.puts == 1


def test_who_asks_again_gets_a_new_proposal_on_the_row_as_it_is_now(desk: Desk, row: Resource) -> None:
    old = approved(desk)
    desk.chart.rows[ROW] = {**row, "meta": {"versionId": "4"}, "note": [{"text": "seen by the clinician"}]}
    desk.send(old.intent)
    desk.review.ask_again(CLINICIAN, old.intent)
    assert desk.proposals.rows[old.intent].state is ProposalState.SUPERSEDED
    (body,) = desk.write_queue.bodies
    new = desk.propose(body)
    assert (new.state, new.seen) == (ProposalState.PROPOSED, "4")
    assert new.intent != old.intent
    assert new.approvals == ()
    assert orjson.loads(new.payload)["note"] == [{"text": "seen by the clinician"}]


@pytest.mark.parametrize("fault", ["drop_before_commit", "drop_after_commit"])
def test_a_timeout_is_followed_by_a_look(desk: Desk, row: Resource, fault: str) -> None:
    desk.chart.faults = [fault]
    assert run(desk, approved(desk).intent) is ProposalState.FILED
    assert desk.chart.rows[ROW]["meta"]["versionId"] == "4"
    assert desk.chart.puts == (2 if fault == "drop_before_commit" else 1)


def test_a_row_that_nulls_a_field_is_an_incident(desk: Desk, row: Resource) -> None:
    desk.chart.drops = ("verificationStatus",)
    filed = desk.send(approved(desk).intent)
    assert (filed.state, filed.reason) == (ProposalState.NEEDS_HUMAN, "send.chart_differs")
    assert [recipient for recipient, _, _ in desk.notices.told] == ["safety"]


def test_what_the_row_says_already_needs_no_decision(desk: Desk, row: Resource) -> None:
    assert proposed(desk, condition()).state is ProposalState.ALREADY_PRESENT


def test_a_list_is_added_to_and_never_replaced(desk: Desk, row: Resource) -> None:
    proposal = proposed(desk, condition(note=[{"text": "resolved by surgery"}]))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    said = [note["text"] for note in orjson.loads(proposal.payload)["note"]]
    assert said[0] == "told by the patient"
    assert "resolved by surgery" in said


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "c2"}, "propose.row_unknown"),
        ({"meta": {}}, "propose.row_unversioned"),
        ({"subject": {"reference": "Patient/another"}}, "subject.mismatch"),
        ({"onsetString": "masked", "meta": {"versionId": "3", "security": [{"code": "MASKED"}]}}, "propose.row_hidden"),
    ],
)
def test_a_row_that_cannot_be_changed_safely_is_left_alone(
    desk: Desk, row: Resource, change: Resource, code: str
) -> None:
    if "id" in change:
        desk.chart.rows.clear()
    else:
        desk.chart.rows[ROW] = {**row, **change}
    assert proposed(desk).reason.startswith(code)


def test_an_element_that_is_another_s_is_refused(desk: Desk, row: Resource) -> None:
    refused = proposed(desk, condition(code={"coding": [{"system": "http://snomed.info/sct", "code": "73211009"}]}))
    assert refused.reason.startswith("ownership.not_ours at Condition.code")


def test_an_ehr_without_updates_is_refused(desk: Desk, row: Resource) -> None:
    ehr = desk.ehrs[TARGET]
    created = {kind: replace(one, update=None) for kind, one in ehr.write.items()}
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write=created)}
    assert proposed(desk).reason.startswith("propose.operation_unknown")


# ------------------------------------------------------------------------------------------------------ demographics


HOME = {"use": "home", "line": ["9 Foundry Ct"], "city": "Lima", "state": "OH", "postalCode": "45801"}


def moved_house(desk: Desk) -> Proposal:
    """The EHR's profile is made to take Patient updates, which no known one is."""
    ehr = desk.ehrs[TARGET]
    update = ehr.operation("Condition", "update")
    patients = Operations(update=replace(update, template="same", require=(), marker=""))
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write={**ehr.write, "Patient": patients})}
    there = patient(ehr.patient.identifier_system, "M77120", meta={"versionId": "1"})
    desk.chart.patients.clear()
    desk.chart.rows["Patient/p-M77120"] = there
    built = desk.engine_for

    class Same:
        def build(self, name: str, variables: Any) -> Resource:
            same: Resource = variables["resource"] if name == "same" else built(ehr).build(name, variables)
            return same

    desk.engine_for = lambda _: Same()
    wished = {"resourceType": "Patient", "address": [HOME]}
    return desk.propose(wish(wished, updates="Patient/p-M77120", intent="new-address", origin_ref="Patient/src"))


def test_an_address_is_signed_by_registration_and_told_to_the_clinic_first(desk: Desk) -> None:
    proposal = moved_house(desk)
    assert (proposal.state, proposal.tier) == (ProposalState.PROPOSED, "demographics"), proposal.reason
    assert orjson.loads(proposal.base)["address"][0]["city"] == "Columbus"
    desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    with pytest.raises(Refuse, match=r"review\.role_missing"):
        desk.review.approve(COLLEAGUE, proposal.intent, proposal.payload_hash)
    assert desk.notices.told == []
    desk.review.approve(REGISTRAR, proposal.intent, proposal.payload_hash)
    assert [recipient for recipient, _, _ in desk.notices.told] == ["registration"]
    assert "noticed" in desk.events(proposal.intent)
    assert desk.queue.bodies == [proposal.intent]


def test_what_the_clinic_could_not_be_told_is_not_approved(desk: Desk) -> None:
    proposal = moved_house(desk)
    desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    desk.notices.down = Retry("notice.unavailable")
    with pytest.raises(Retry, match=r"notice\.unavailable"):
        desk.review.approve(REGISTRAR, proposal.intent, proposal.payload_hash)
    assert desk.proposals.rows[proposal.intent].state is ProposalState.PROPOSED
    assert desk.queue.bodies == []


def test_a_person_is_never_created_by_the_way(desk: Desk) -> None:
    refused = desk.propose(wish({"resourceType": "Patient", "address": [HOME]}))
    assert refused.reason.startswith("ownership.demographics")


def test_nothing_is_asked_of_a_row_that_answers_elsewhere(desk: Desk, row: Resource) -> None:
    intent = approved(desk).intent
    desk.chart.read_answer = Answer(302, {"Location": "https://elsewhere.example.org/Condition/9"})
    assert desk.send(intent).reason == "send.patient_moved"
    assert desk.chart.puts == 0
