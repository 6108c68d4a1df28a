"""The contract of `Proposals`, on DynamoDB (moto) and in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headwater.adapters.proposals.dynamodb import DynamoDbProposals
from headwater.errors import Retry
from headwater.model import Proposal, ProposalState
from headwater.ports import Proposals
from tests.adapters.conftest import PROPOSALS, Calls
from tests.fakes import FakeProposals

PAYLOAD = b'{"resourceType":"Observation","valueQuantity":{"value":1.0}}\xff'
PROPOSAL = Proposal(
    intent="north|0f",
    state=ProposalState.PROPOSED,
    ehr="north",
    resource_type="Observation",
    payload=PAYLOAD,
    payload_hash=hashlib.sha256(PAYLOAD).hexdigest(),
    person_id="p1",
    patient_ref="Patient/77",
    link="north|A|77",
    confidence=0.99937,
    evidence=("same identifier", "same birth date"),
    origin_ehr="south",
    origin_ref="Observation/o1/_history/2",
    purpose="final-lab-result",
    created_at="2026-11-22T10:00:00Z",
    expires_at="2026-11-25T10:00:00Z",
)


@pytest.fixture(params=["memory", "dynamodb"])
def proposals(request: pytest.FixtureRequest) -> Proposals:
    if request.param == "memory":
        return FakeProposals()
    return DynamoDbProposals(request.getfixturevalue("table")(PROPOSALS, "intent", "created_at"), PROPOSALS)


@pytest.mark.parametrize(
    "proposal",
    [
        PROPOSAL,
        replace(PROPOSAL, confidence=1.0, evidence=(), payload=b"", payload_hash=""),
        replace(PROPOSAL, confidence=0.1 + 0.2, differences=("Observation.status",), attempts=2, reason="ü"),
    ],
)
def test_a_proposal_comes_back_as_it_was(proposals: Proposals, proposal: Proposal) -> None:
    assert proposals.add(proposal)
    known = proposals.get(proposal.intent)
    assert known == proposal
    assert isinstance(known.confidence, float)
    assert isinstance(known.state, ProposalState)


def test_an_intent_is_added_once(proposals: Proposals) -> None:
    assert proposals.add(PROPOSAL)
    assert not proposals.add(replace(PROPOSAL, payload=b"other"))
    assert proposals.get(PROPOSAL.intent) == PROPOSAL


def test_an_unknown_intent_is_none(proposals: Proposals) -> None:
    assert proposals.get("none") is None


def test_a_state_lists_its_oldest_first(proposals: Proposals) -> None:
    for second in (2, 0, 1):
        proposals.add(replace(PROPOSAL, intent=str(second), created_at=f"2026-11-22T10:00:0{second}Z"))
    assert [proposal.intent for proposal in proposals.list(ProposalState.PROPOSED)] == ["0", "1", "2"]
    assert [proposal.intent for proposal in proposals.list(ProposalState.PROPOSED, limit=1)] == ["0"]
    assert proposals.list(ProposalState.FILED) == []


def test_only_one_of_two_moves_from_the_same_version_wins(proposals: Proposals) -> None:
    proposals.add(PROPOSAL)
    approved = replace(PROPOSAL, state=ProposalState.APPROVED, version=2, decided_by="dr-1")
    proposals.move(approved, expected_version=1)
    with pytest.raises(Retry) as raised:
        proposals.move(replace(PROPOSAL, state=ProposalState.REJECTED, version=2), expected_version=1)
    assert raised.value.code == "ledger.conflict"
    assert proposals.get(PROPOSAL.intent) == approved
    assert proposals.list(ProposalState.PROPOSED) == []


def test_what_was_never_added_cannot_be_moved(proposals: Proposals) -> None:
    with pytest.raises(Retry):
        proposals.move(replace(PROPOSAL, version=2), expected_version=1)
    assert proposals.get(PROPOSAL.intent) is None


def test_a_move_that_keeps_its_version_is_a_mistake(proposals: Proposals) -> None:
    proposals.add(PROPOSAL)
    with pytest.raises(ValueError, match="version"):
        proposals.move(replace(PROPOSAL, state=ProposalState.APPROVED), expected_version=1)


def test_each_operation_is_one_call(table: Callable[[str, str, str], Any], calls: Calls) -> None:
    proposals = DynamoDbProposals(table(PROPOSALS, "intent", "created_at"), PROPOSALS)
    with calls.counted() as seen:
        proposals.add(PROPOSAL)
        proposals.add(PROPOSAL)
        proposals.get(PROPOSAL.intent)
        proposals.move(replace(PROPOSAL, version=2), expected_version=1)
        proposals.list(ProposalState.PROPOSED)
    assert seen == [f"dynamodb.{name}" for name in ("PutItem", "PutItem", "GetItem", "PutItem", "Query")]
