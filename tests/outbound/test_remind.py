"""remind: who is told of what waits, how often, and how it ends when nobody looks."""

from __future__ import annotations

from dataclasses import replace

from headwater.model import ProposalState
from tests.outbound.conftest import CLINICIAN, Desk, observation, wish

HOUR = 3600


def several(desk: Desk, count: int) -> None:
    for number in range(count):
        value = {"value": 100 + number, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
        fact = observation(valueQuantity=value, effectiveDateTime=f"2026-11-20T08:{number:02d}:00-05:00")
        desk.propose(wish(fact, origin_ref=f"Observation/o{number}"))


def test_what_waits_is_one_digest_and_not_one_message_each(desk: Desk) -> None:
    several(desk, 30)
    desk.remind()
    assert desk.notices.told == []
    desk.clock.move(4 * HOUR)
    desk.remind()
    ((recipient, subject, lines),) = desk.notices.told
    assert recipient == "clinician"
    assert "30" in subject
    assert len(lines) == 22
    desk.remind()
    assert len(desk.notices.told) == 1


def test_the_ladder_is_climbed_and_each_rung_tells_its_own_people(desk: Desk) -> None:
    desk.propose(wish())
    for _ in range(60):
        desk.clock.move(HOUR)
        desk.remind()
    assert [recipient for recipient, _, _ in desk.notices.told] == ["clinician", "clinician-lead", "safety"]
    (proposal,) = desk.proposals.rows.values()
    assert desk.events(proposal.intent).count("escalated") == 3


def test_nobody_reviews_and_nothing_is_filed(desk: Desk) -> None:
    several(desk, 3)
    for _ in range(73):
        desk.clock.move(HOUR)
        desk.remind()
    assert {row.state for row in desk.proposals.rows.values()} == {ProposalState.EXPIRED}
    assert {row.reason for row in desk.proposals.rows.values()} == {"review.expired"}
    assert desk.chart.posts == 0
    assert all("expired" in desk.events(intent) for intent in desk.proposals.rows)


def test_a_shift_has_a_budget_of_digests(desk: Desk) -> None:
    desk.rules = replace(desk.rules, notice=replace(desk.rules.notice, per_shift=2))
    for number in range(8):
        desk.propose(wish(observation(effectiveDateTime=f"2026-11-20T0{number}:15:00-05:00")))
        desk.clock.move(HOUR / 4)
    for _ in range(10):
        desk.clock.move(HOUR / 4)
        desk.remind()
    desk.clock.move(2 * HOUR)
    for _ in range(8):
        desk.remind()
        desk.clock.move(HOUR / 4)
    assert len(desk.notices.told) <= 3


def test_an_approval_whose_message_was_lost_is_sent_for_again(desk: Desk) -> None:
    intent = desk.approved().intent
    desk.queue.sent.clear()
    desk.clock.move(3 * HOUR)
    desk.remind()
    desk.remind()
    assert desk.queue.bodies == [intent]
    assert desk.send(intent).state is ProposalState.FILED
    desk.clock.move(3 * HOUR)
    desk.remind()
    assert desk.queue.bodies == [intent]


def test_a_reviewer_who_decides_just_now_wins(desk: Desk) -> None:
    proposal = desk.propose(wish())
    stale = [proposal]
    desk.review.reject(CLINICIAN, proposal.intent, proposal.payload_hash, "known")
    desk.proposals.list = lambda state, limit=100: stale if state is ProposalState.PROPOSED else []
    desk.clock.move(80 * HOUR)
    desk.remind()
    assert desk.proposals.rows[proposal.intent].state is ProposalState.REJECTED
