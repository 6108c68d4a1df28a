"""withdraw: a filed row is taken back by an update that somebody else signs, and only then is the first one over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headwater.ehrs import Operations
from headwater.errors import Refuse, Retry
from headwater.model import Proposal, ProposalState
from tests.outbound.conftest import CLINICIAN, COLLEAGUE, TARGET, Desk, wish


@pytest.fixture
def filed(desk: Desk) -> Proposal:
    """At an EHR that takes a row back by its status."""
    ehr = desk.ehrs[TARGET]
    lenient = Operations(ehr.operation("Observation"), replace(ehr.operation("Observation", "update"), require=()))
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write={**ehr.write, "Observation": lenient})}
    filed = desk.send(desk.approved().intent)
    assert filed.state is ProposalState.FILED
    desk.chart.rows["Observation/1"]["meta"] = {"versionId": "1"}
    return filed


def withdrawal(desk: Desk, filed: Proposal) -> Proposal:
    desk.review.withdraw(CLINICIAN, filed.intent, "wrong specimen")
    (body,) = desk.write_queue.bodies
    proposal = desk.propose(body)
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    return proposal


def test_the_row_is_marked_and_the_first_write_back_is_compensated(desk: Desk, filed: Proposal) -> None:
    proposal = withdrawal(desk, filed)
    assert proposal.changes == ("Observation.status",)
    with pytest.raises(Refuse, match=r"review\.own_proposal"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    desk.review.approve(COLLEAGUE, proposal.intent, proposal.payload_hash)
    assert desk.proposals.rows[filed.intent].state is ProposalState.FILED
    assert desk.send(proposal.intent).state is ProposalState.FILED
    assert desk.chart.rows["Observation/1"]["status"] == "entered-in-error"
    assert desk.proposals.rows[filed.intent].state is ProposalState.COMPENSATED
    assert desk.events(filed.intent)[-1] == "compensated"


def test_a_sender_that_dies_in_between_does_both_again(desk: Desk, filed: Proposal) -> None:
    proposal = withdrawal(desk, filed)
    desk.review.approve(COLLEAGUE, proposal.intent, proposal.payload_hash)
    move = desk.proposals.move

    def dying(moved: Proposal, *, expected_version: int) -> None:
        if moved.state is ProposalState.FILED:
            raise Retry("ledger.unavailable")
        move(moved, expected_version=expected_version)

    desk.proposals.move = dying
    with pytest.raises(Retry):
        desk.send(proposal.intent)
    desk.proposals.move = move
    assert desk.send(proposal.intent).state is ProposalState.FILED
    assert desk.proposals.rows[filed.intent].state is ProposalState.COMPENSATED
    assert desk.chart.puts == 1


def test_what_was_taken_back_is_not_told_again(desk: Desk, filed: Proposal) -> None:
    proposal = withdrawal(desk, filed)
    desk.review.approve(COLLEAGUE, proposal.intent, proposal.payload_hash)
    desk.send(proposal.intent)
    assert desk.propose(wish()).state is ProposalState.COMPENSATED
    assert desk.chart.posts == 1


def test_what_is_not_in_the_chart_cannot_be_taken_back(desk: Desk) -> None:
    proposal = desk.propose(wish())
    with pytest.raises(Refuse, match=r"review\.not_filed"):
        desk.review.withdraw(CLINICIAN, proposal.intent, "wrong")
    with pytest.raises(Refuse, match=r"review\.reason_missing"):
        desk.review.withdraw(CLINICIAN, proposal.intent, " ")


def test_an_ehr_that_does_not_take_it_back_says_so_to_a_person(desk: Desk) -> None:
    filed = desk.send(desk.approved().intent)
    desk.chart.rows["Observation/1"]["meta"] = {"versionId": "1"}
    desk.review.withdraw(CLINICIAN, filed.intent, "wrong specimen")
    refused = desk.propose(desk.write_queue.bodies[0])
    assert refused.reason.startswith("propose.requirement_unmet at Observation.status")
    assert desk.proposals.rows[filed.intent].state is ProposalState.FILED


def test_a_producer_cannot_take_back_what_is_not_its_row(desk: Desk, filed: Proposal) -> None:
    other = {**desk.chart.rows["Observation/1"], "id": "2"}
    desk.chart.rows["Observation/2"] = other
    refused = desk.propose(wish(updates="Observation/2", withdraws=filed.intent, origin_ref="x/1"))
    assert refused.reason.startswith("propose.withdrawal_unknown")
    assert desk.propose(wish(updates="Observation/1", withdraws="nothing", origin_ref="x/2")).reason.startswith(
        "propose.withdrawal_unknown"
    )
