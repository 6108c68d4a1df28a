"""send: once into the chart, whatever times out, and proven by reading it back."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from headwater.ehrs import Operations
from headwater.errors import Retry
from headwater.model import Answer, ProposalState
from headwater.outbound.send import lease_of
from tests.outbound.chart_ehr import REFUSED_CONNECTION
from tests.outbound.conftest import CLINICIAN, TARGET, Desk, patient, wish


def outcome_of(status: int, *codes: str) -> Answer:
    issues = [{"severity": "error", "code": "processing", "details": {"coding": [{"code": code}]}} for code in codes]
    return Answer(status, body={"resourceType": "OperationOutcome", "issue": issues} if codes else None)


def run(desk: Desk, intent: str, *, most: int = 30) -> ProposalState:
    """Let the queue bring the intent again, each time after the wait that was asked for, until it is final."""
    for _ in range(most):
        try:
            return desk.send(intent).state
        except Retry as retry:
            desk.clock.move(retry.after or 30)
            desk.chart.settle()
    raise AssertionError("never final")


def test_approved_bytes_are_filed_once_and_read_back(desk: Desk) -> None:
    intent = desk.approved().intent
    filed = desk.send(intent)
    assert filed.state is ProposalState.FILED
    assert filed.filed_ref == "Observation/1"
    assert desk.chart.posts == len(desk.chart.rows) == 1
    row = desk.chart.rows["Observation/1"]
    assert {k: v for k, v in row.items() if k != "id"} == orjson.loads(filed.payload)
    assert desk.events(intent) == ["proposed", "approved", "sending", "accepted_by_ehr", "filed"]


def test_a_redelivered_intent_is_done_already(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.send(intent)
    assert desk.send(intent).state is ProposalState.FILED
    assert desk.chart.posts == 1


def test_nothing_is_sent_before_a_clinician_signed(desk: Desk) -> None:
    proposal = desk.propose(wish())
    with pytest.raises(Retry, match=r"send\.not_yet_approved"):
        desk.send(proposal.intent)
    assert desk.send(proposal.intent, receives=9).state is ProposalState.PROPOSED
    assert desk.chart.posts == 0


def test_a_timeout_after_the_commit_is_found_and_never_resent(desk: Desk) -> None:
    desk.chart.faults = ["drop_after_commit"]
    intent = desk.approved().intent
    assert run(desk, intent) is ProposalState.FILED
    assert desk.chart.posts == len(desk.chart.rows) == 1
    assert "outcome_unknown" in desk.events(intent)


def test_a_row_that_is_committed_late_is_waited_for(desk: Desk) -> None:
    desk.chart.faults = ["late"]
    assert run(desk, desk.approved().intent) is ProposalState.FILED
    assert desk.chart.posts == len(desk.chart.rows) == 1


def test_a_timeout_before_the_commit_is_resent_once_after_the_commit_window(desk: Desk) -> None:
    desk.chart.faults = ["drop_before_commit"]
    intent = desk.approved().intent
    started = desk.clock()
    assert run(desk, intent) is ProposalState.FILED
    assert desk.chart.posts == 2
    assert len(desk.chart.rows) == 1
    window = desk.ehrs[TARGET].operation("Observation").max_commit_window_s
    assert (desk.clock() - started).total_seconds() >= window


def test_a_resend_asks_again_who_the_patient_is(desk: Desk) -> None:
    desk.chart.faults = ["drop_before_commit"]
    intent = desk.approved().intent
    with pytest.raises(Retry, match=r"send\.outcome_unknown"):
        desk.send(intent)
    system = desk.ehrs[TARGET].patient.identifier_system
    desk.chart.patients[0] = patient(system, "M77120", id="p-merged")
    assert run(desk, intent) is ProposalState.NEEDS_HUMAN
    assert desk.chart.posts == 1


def test_after_two_lost_attempts_a_person_decides(desk: Desk) -> None:
    desk.chart.faults = ["drop_before_commit", "drop_before_commit"]
    assert run(desk, desk.approved().intent) is ProposalState.NEEDS_HUMAN
    assert desk.chart.posts == 2


def test_a_connection_that_was_refused_is_no_attempt(desk: Desk) -> None:
    desk.chart.faults = [REFUSED_CONNECTION] * 5
    intent = desk.approved().intent
    assert run(desk, intent) is ProposalState.FILED
    assert desk.proposals.rows[intent].attempts == 1


def test_a_sender_that_died_with_bytes_on_the_wire_is_followed_by_a_look(desk: Desk) -> None:
    proposal = desk.approved()
    desk.chart.create(proposal.resource_type, proposal.payload)  # the bytes left …
    now = desk.clock()
    died = replace(
        proposal, state=ProposalState.SENDING, version=proposal.version + 1, attempts=1, sent_at=now.isoformat(),
        lease_until=(now + lease_of(desk.ehrs[TARGET])).isoformat(),
    )  # fmt: skip
    desk.proposals.move(died, expected_version=proposal.version)  # … and nobody heard of it
    with pytest.raises(Retry, match=r"send\.leased"):
        desk.send(proposal.intent)
    desk.clock.move(lease_of(desk.ehrs[TARGET]).total_seconds())
    assert desk.send(proposal.intent).state is ProposalState.FILED
    assert desk.chart.posts == 1


def test_a_ledger_from_an_old_backup_does_not_resend(desk: Desk) -> None:
    approved = desk.approved()
    desk.send(approved.intent)
    desk.proposals.rows[approved.intent] = approved
    assert desk.send(approved.intent).state is ProposalState.FILED
    assert desk.chart.posts == len(desk.chart.rows) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (outcome_of(422, "required"), ProposalState.FAILED),
        (outcome_of(400, "invalid"), ProposalState.FAILED),
        (outcome_of(409), ProposalState.NEEDS_HUMAN),
        (outcome_of(412), ProposalState.NEEDS_HUMAN),
        (Answer(302, {"Location": "https://elsewhere.example.org/Patient/2"}), ProposalState.NEEDS_HUMAN),
    ],
)
def test_a_refusal_is_never_resent(desk: Desk, answer: Answer, state: ProposalState) -> None:
    desk.chart.faults = [answer]
    assert run(desk, desk.approved().intent) is state
    assert desk.chart.posts == 1
    assert not desk.chart.rows


def test_a_throttle_is_waited_out(desk: Desk) -> None:
    desk.chart.faults = [Answer(429, {"Retry-After": "40"})]
    intent = desk.approved().intent
    with pytest.raises(Retry) as told:
        desk.send(intent)
    assert told.value.after == 40
    assert run(desk, intent) is ProposalState.FILED


def test_a_success_that_cannot_be_read_is_not_a_success(desk: Desk) -> None:
    desk.chart.faults = [Answer(201, {"Location": "Observation/404"})]
    assert run(desk, desk.approved().intent, most=200) is ProposalState.NEEDS_HUMAN


def test_a_row_that_says_something_else_needs_a_human(desk: Desk) -> None:
    desk.chart.drops = ("valueQuantity",)
    filed = desk.send(desk.approved().intent)
    assert filed.state is ProposalState.NEEDS_HUMAN
    assert filed.reason == "send.chart_differs"
    assert any(path.startswith("Observation.valueQuantity") for path in filed.differences)


def test_what_is_lost_beside_the_meaning_is_looked_at_by_a_person(desk: Desk) -> None:
    desk.chart.drops = ("note",)
    filed = desk.send(desk.approved().intent)
    assert (filed.state, filed.reason) == (ProposalState.NEEDS_HUMAN, "send.undeclared_loss")
    assert filed.differences == ("Observation.note[0]",)


def test_what_the_profile_says_is_lost_was_known_when_it_was_signed(desk: Desk) -> None:
    ehr = desk.ehrs[TARGET]
    operation = replace(ehr.operation("Observation"), losses=("Observation.note",))
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write={"Observation": Operations(create=operation)})}
    desk.chart.drops = ("note",)
    filed = desk.send(desk.approved().intent)
    assert (filed.state, filed.differences) == (ProposalState.FILED, ("Observation.note[0]",))


def test_an_approval_that_waited_too_long_is_not_sent(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.clock.move(73 * 3600)
    assert desk.send(intent).state is ProposalState.EXPIRED
    assert desk.chart.posts == 0


def test_a_patient_who_became_somebody_else_is_not_written_to(desk: Desk) -> None:
    intent = desk.approved().intent
    system = desk.ehrs[TARGET].patient.identifier_system
    desk.chart.patients[0] = patient(system, "M77120", id="p-merged")
    assert desk.send(intent).state is ProposalState.NEEDS_HUMAN
    assert desk.proposals.rows[intent].reason == "send.identity_changed"
    assert desk.chart.posts == 0


def test_a_chart_that_is_silent_for_a_day_is_told_to_a_person(desk: Desk) -> None:
    desk.chart.faults = ["drop_after_commit"]
    intent = desk.approved().intent
    with pytest.raises(Retry, match=r"send\.outcome_unknown"):
        desk.send(intent)
    desk.chart.down = True
    desk.clock.move(12 * 3600)
    with pytest.raises(Retry):
        desk.send(intent)
    desk.clock.move(13 * 3600)
    stopped = desk.send(intent)
    assert (stopped.state, stopped.reason) == (ProposalState.NEEDS_HUMAN, "send.outcome_not_provable")
    assert desk.chart.posts == 1


def test_without_audit_no_byte_leaves(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.audit.down = Retry("audit.unavailable")
    with pytest.raises(Retry, match=r"audit\.unavailable"):
        desk.send(intent)
    assert desk.chart.posts == 0
    desk.audit.down = None
    assert desk.send(intent).state is ProposalState.FILED


def test_a_decision_of_a_clinician_stands_in_the_chain(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.send(intent)
    by = {str(entry["event"]): entry.get("who") for entry in desk.audit.read(intent)}
    assert by["approved"] == CLINICIAN.id
    assert by["sending"] == "send"
