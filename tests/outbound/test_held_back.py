"""What holds approved bytes back: switches, an EHR's pace, its failures, a patient's budget, a missing signature, and
an audit log that knows more than the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwater.ehrs.profile import Pace
from headwater.errors import Refuse, Retry
from headwater.model import Answer, Proposal, ProposalState, Switch
from tests.outbound.conftest import CLINICIAN, TARGET, Desk, observation, wish
from tests.outbound.test_send import outcome_of, run

PATIENT = "p-M77120"


def throw(desk: Desk, scope: str) -> Switch:
    switch = Switch(scope, "safety.officer", "drill", desk.clock().isoformat())
    desk.brakes.throw(switch)
    return switch


def another(desk: Desk, minute: int, **changes: Any) -> Proposal:
    at = f"2026-11-20T09:{minute:02d}:00-05:00"
    return desk.approved(wish(observation(effectiveDateTime=at, **changes), origin_ref=f"Observation/{minute}"))


# ---------------------------------------------------------------------------------------------------------- switches


@pytest.mark.parametrize(
    "scope",
    ["all", f"ehr/{TARGET}", "kind/Observation", "kind/final-lab-result", f"ehr/{TARGET}/kind/Observation",
     f"patient/{TARGET}/{PATIENT}"],
)  # fmt: skip
def test_a_switch_stops_what_it_names_until_it_is_released(desk: Desk, scope: str) -> None:
    intent = desk.approved().intent
    switch = throw(desk, scope)
    with pytest.raises(Retry, match=r"send\.switched_off"):
        desk.send(intent)
    assert desk.chart.posts == 0
    desk.brakes.release(switch)
    assert desk.send(intent).state is ProposalState.FILED


@pytest.mark.parametrize("scope", ["ehr/epic", "kind/Condition", f"patient/{TARGET}/another"])
def test_a_switch_stops_nothing_else(desk: Desk, scope: str) -> None:
    throw(desk, scope)
    assert desk.send(desk.approved().intent).state is ProposalState.FILED


def test_what_was_sent_before_the_switch_is_still_verified(desk: Desk) -> None:
    desk.chart.faults = ["drop_after_commit"]
    intent = desk.approved().intent
    with pytest.raises(Retry, match=r"send\.outcome_unknown"):
        desk.send(intent)
    throw(desk, "all")
    assert run(desk, intent) is ProposalState.FILED
    assert desk.chart.posts == 1


def test_a_switch_holds_the_resend_as_well(desk: Desk) -> None:
    desk.chart.faults = ["drop_before_commit"]
    intent = desk.approved().intent
    switch = throw(desk, "all")
    desk.brakes.release(switch)
    with pytest.raises(Retry, match=r"send\.outcome_unknown"):
        desk.send(intent)
    throw(desk, "all")
    desk.clock.move(500)
    with pytest.raises(Retry, match=r"send\.switched_off"):
        desk.send(intent)
    assert desk.chart.posts == 1


def test_a_switch_that_is_thrown_while_an_ehr_is_slow_is_seen(desk: Desk) -> None:
    search = desk.chart.search
    intent = desk.approved().intent

    def slow(resource_type: str, parameters: Any) -> Answer:
        desk.clock.move(20)
        throw(desk, f"ehr/{TARGET}")
        return search(resource_type, parameters)

    desk.chart.search = slow
    with pytest.raises(Retry, match=r"send\.switched_off"):
        desk.send(intent)
    assert desk.chart.posts == 0


def test_a_code_that_the_ehr_s_build_has_no_place_for_is_held_and_not_tried_again(desk: Desk) -> None:
    ehr = desk.ehrs[TARGET]
    row = next(row for row in desk.ehrs["epic"].retry if "59188" in row.issue)
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, retry=(row,))}
    first, second = another(desk, 1), another(desk, 2)
    other = another(desk, 3, code={"coding": [{"system": "http://loinc.org", "code": "2339-0"}]})
    desk.chart.faults = [outcome_of(422, "59188")]
    assert desk.send(first.intent).state is ProposalState.FAILED
    held = desk.send(second.intent)
    assert (held.state, held.reason) == (ProposalState.NEEDS_HUMAN, "send.code_held")
    assert desk.chart.posts == 1
    assert desk.send(other.intent).state is ProposalState.FILED
    assert [switch.by for switch in desk.brakes.switches()] == ["send"]


# -------------------------------------------------------------------------------------------------- pace and failures


def test_an_ehr_that_says_wait_is_left_alone_by_all(desk: Desk) -> None:
    first, second = another(desk, 1), another(desk, 2)
    desk.chart.faults = [Answer(429, {"Retry-After": "40"})]
    with pytest.raises(Retry) as told:
        desk.send(first.intent)
    assert told.value.after == 40
    desk.clock.move(20)
    with pytest.raises(Retry, match=r"send\.ehr_closed") as told:
        desk.send(second.intent)
    assert told.value.after == 21
    with pytest.raises(Retry, match=r"propose\.ehr_closed"):
        desk.propose(wish(observation(effectiveDateTime="2026-11-20T11:15:00-05:00")))
    desk.clock.move(21)
    assert desk.send(second.intent).state is ProposalState.FILED


def test_without_a_word_a_429_ends_with_the_ehr_s_own_minute(desk: Desk) -> None:
    desk.ehrs = {**desk.ehrs, TARGET: replace(desk.ehrs[TARGET], pace=Pace(250, 60, resets=True))}
    intent = desk.approved().intent
    desk.clock.move(42)
    desk.chart.faults = [Answer(429)]
    with pytest.raises(Retry) as told:
        desk.send(intent)
    assert told.value.after == 19


def test_no_more_is_asked_of_an_ehr_than_its_pace_allows(desk: Desk) -> None:
    desk.ehrs = {**desk.ehrs, TARGET: replace(desk.ehrs[TARGET], pace=Pace(40, 60))}
    intents = [another(desk, minute).intent for minute in range(30)]
    sent: list[float] = []
    started = desk.clock()
    waiting, codes = list(intents), set()
    while waiting and len(sent) < 100:
        for intent in list(waiting):
            try:
                desk.send(intent)
            except Retry as held:
                codes.add(held.code)
            else:
                waiting.remove(intent)
                sent.append((desk.clock() - started).total_seconds())
        desk.clock.move(1)
    assert len(desk.chart.rows) == 30
    assert "send.paced" in codes
    worst = max(sum(begin <= one < begin + 60 for one in sent) for begin in sent)
    assert worst * 4 <= 40


def test_failures_in_a_row_close_an_ehr_and_a_read_opens_it(desk: Desk) -> None:
    intents = [another(desk, minute).intent for minute in range(8)]
    desk.chart.down, desk.chart.asked = True, 0
    codes = []
    for intent in intents:
        with pytest.raises(Retry) as told:
            desk.send(intent)
        codes.append(told.value.code)
    assert codes[-1] == "send.ehr_closed"
    assert desk.chart.asked == desk.rules.budget.failures
    desk.chart.down = False
    desk.clock.move(desk.rules.budget.pause_s + 1)
    assert desk.send(intents[0]).state is ProposalState.FILED
    assert desk.brakes.failures[TARGET] == 0


def test_ten_minutes_of_refused_writes_cost_no_intent_its_second_attempt(desk: Desk) -> None:
    due = {another(desk, minute).intent: 0.0 for minute in range(12)}
    begun = desk.clock()
    desk.chart.failing_writes = True
    states: dict[str, ProposalState] = {}
    while due:
        passed = (desk.clock() - begun).total_seconds()
        desk.chart.failing_writes = passed < 600
        for intent in [one for one, at in due.items() if at <= passed]:
            try:
                states[intent] = desk.send(intent).state
                del due[intent]
            except Retry as retry:
                due[intent] = passed + (retry.after or 30)
        desk.clock.move(1)
        assert passed < 6 * 3600
    assert set(states.values()) == {ProposalState.FILED}
    assert len(desk.chart.rows) == 12
    assert desk.chart.posts <= 24


def test_an_ehr_that_refuses_all_writes_is_tried_in_the_end(desk: Desk) -> None:
    desk.chart.faults = [Answer(503)]
    desk.brakes.failures[f"{TARGET}/writes"] = 20
    intent = desk.approved().intent
    assert run(desk, intent, most=100) is ProposalState.FILED


def test_a_patient_has_a_budget_of_writes(desk: Desk) -> None:
    desk.rules = replace(desk.rules, budget=replace(desk.rules.budget, patient_writes_per_h=6))
    intents = [another(desk, minute).intent for minute in range(4)]
    for intent in intents[:3]:
        assert desk.send(intent).state is ProposalState.FILED
    with pytest.raises(Retry, match=r"send\.patient_budget"):
        desk.send(intents[3])
    desk.clock.move(1200)
    assert desk.send(intents[3]).state is ProposalState.FILED


# ---------------------------------------------------------------------------------------------------- what was signed


def test_nobody_signs_what_they_wrote(desk: Desk) -> None:
    proposal = desk.propose(wish(author=CLINICIAN.id))
    with pytest.raises(Refuse, match=r"review\.own_proposal"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.events(proposal.intent)[-1] == "denied"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payload": b"{}"}, "send.other_bytes"),
        ({"approvals": ()}, "send.unsigned"),
        ({"approvers": 2}, "send.unsigned"),
        ({"author": CLINICIAN.id}, "send.unsigned"),
        ({"patient_ref": "Patient/another"}, "send.subject_differs"),
    ],
)
def test_a_ledger_that_was_tampered_with_is_not_believed(desk: Desk, change: dict[str, Any], reason: str) -> None:
    proposal = desk.approved()
    change = {**change, **({"decided_by": ""} if "approvals" in change else {})}
    desk.proposals.rows[proposal.intent] = replace(proposal, **change)
    stopped = desk.send(proposal.intent)
    assert (stopped.state, stopped.reason) == (ProposalState.NEEDS_HUMAN, reason)
    assert [recipient for recipient, _, _ in desk.notices.told] == ["safety"]
    assert desk.chart.posts == 0


def test_signing_by_the_dozen_is_for_what_is_plain(desk: Desk) -> None:
    rows = [desk.propose(wish(observation(effectiveDateTime=f"2026-11-20T0{hour}:15:00-05:00"))) for hour in range(3)]
    told = desk.review.approve_batch(CLINICIAN, [(row.intent, row.payload_hash) for row in rows])
    assert set(told.values()) == {"APPROVED"}
    with pytest.raises(Refuse, match=r"review\.batch_too_large"):
        desk.review.approve_batch(CLINICIAN, [(rows[0].intent, "")] * 21)


def test_an_expired_row_begins_again_when_it_is_told_again(desk: Desk) -> None:
    approved = desk.approved()
    desk.clock.move(73 * 3600)
    assert desk.send(approved.intent).state is ProposalState.EXPIRED
    again = desk.propose(wish())
    assert (again.intent, again.state, again.approvals) == (approved.intent, ProposalState.PROPOSED, ())
    with pytest.raises(Retry, match=r"send\.not_yet_approved"):
        desk.send(again.intent)


# ------------------------------------------------------------------------------------------------- a restored ledger


def test_a_ledger_from_before_the_write_adopts_what_it_finds(desk: Desk) -> None:
    approved = desk.approved()
    desk.send(approved.intent)
    desk.proposals.rows[approved.intent] = approved
    filed = desk.send(approved.intent)
    assert (filed.state, filed.filed_ref) == (ProposalState.FILED, "Observation/1")
    assert desk.chart.posts == 1


def test_what_a_clinician_has_taken_out_since_does_not_come_back(desk: Desk) -> None:
    approved = desk.approved()
    desk.send(approved.intent)
    desk.chart.rows.clear()
    desk.proposals.rows[approved.intent] = approved
    assert run(desk, approved.intent) is ProposalState.NEEDS_HUMAN
    assert desk.chart.posts == 1


def test_a_ledger_from_before_the_proposal_does_not_send_again(desk: Desk) -> None:
    approved = desk.approved()
    desk.send(approved.intent)
    desk.chart.rows["Observation/1"]["status"] = "entered-in-error"
    desk.proposals.rows.clear()
    again = desk.approved()
    assert again.intent == approved.intent
    assert run(desk, again.intent) is ProposalState.NEEDS_HUMAN
    assert desk.chart.posts == 1


def test_what_the_ehr_refused_is_not_tried_again_by_a_restored_ledger(desk: Desk) -> None:
    approved = desk.approved()
    desk.chart.faults = [outcome_of(422, "required")]
    assert desk.send(approved.intent).state is ProposalState.FAILED
    desk.proposals.rows[approved.intent] = approved
    assert run(desk, approved.intent) is ProposalState.NEEDS_HUMAN
    assert desk.chart.posts == 1


def test_what_the_ehr_refused_is_tried_again_when_a_person_asks(desk: Desk) -> None:
    approved = desk.approved()
    desk.chart.faults = [outcome_of(422, "required")]
    desk.send(approved.intent)
    desk.review.ask_again(CLINICIAN, approved.intent)
    (body,) = desk.write_queue.bodies
    again = desk.approved(body)
    assert again.intent == approved.intent
    assert desk.send(again.intent).state is ProposalState.FILED
    assert desk.chart.posts == 2


def test_a_broken_chain_sends_nothing(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.audit.chains[intent][0]["payload"] = "0" * 64
    with pytest.raises(Refuse, match=r"send\.audit_broken"):
        desk.send(intent)
    assert desk.chart.posts == 0
