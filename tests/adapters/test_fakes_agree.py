"""The fakes and the real adapters give the same answers to the same questions, in any order: what all other tests build
on is not kinder than AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.adapters.inbox.dynamodb import DynamoDbInbox
from headwater.adapters.proposals.dynamodb import DynamoDbProposals
from headwater.errors import Retry
from headwater.model import MessageState, ProposalState
from headwater.ports import Inbox, Proposals
from tests.adapters.conftest import MESSAGES, PROPOSALS
from tests.adapters.test_inbox import RECORD
from tests.adapters.test_proposals import PROPOSAL
from tests.fakes import FakeInbox, FakeProposals

_names = count()
_few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_when = st.integers(min_value=0, max_value=5)
_inbox_moves = st.lists(
    st.tuples(st.just("open"), st.sampled_from("abc"), st.just(MessageState.ACCEPTED))
    | st.tuples(st.just("close"), st.sampled_from("abc"), st.sampled_from(MessageState))
    | st.tuples(st.just("advance"), st.sampled_from("ab"), _when),
    max_size=12,
)
_proposal_moves = st.lists(
    st.tuples(st.just("add"), st.sampled_from("ab"), st.just(0), st.just(ProposalState.PROPOSED))
    | st.tuples(
        st.just("move"), st.sampled_from("ab"), st.integers(min_value=1, max_value=3), st.sampled_from(ProposalState)
    ),
    max_size=12,
)


def inbox_answers(inbox: Inbox, prefix: str, moves: list[tuple[str, str, Any]]) -> list[object]:
    answers: list[object] = []
    for second, (what, name, value) in enumerate(moves):
        key, at = f"{prefix}/{name}", f"2026-11-22T10:00:{second:02d}Z"
        try:
            if what == "open":
                answers.append(inbox.open(replace(RECORD, key=key, updated_at=at)))
            elif what == "close":
                inbox.close(key, value, at=at, code=f"code.{second}")
                answers.append("closed")
            else:
                answers.append(inbox.advance(key, datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=value)))
        except LookupError:
            answers.append("unknown")
    listed = [[record for record in inbox.list(state) if record.key.startswith(prefix)] for state in MessageState]
    return [*answers, *listed, *(inbox.get(f"{prefix}/{name}") for name in "abc")]


def proposal_answers(proposals: Proposals, prefix: str, moves: list[tuple[str, str, int, Any]]) -> list[object]:
    answers: list[object] = []
    for second, (what, name, version, state) in enumerate(moves):
        given_ = replace(PROPOSAL, intent=f"{prefix}/{name}", state=state, created_at=f"2026-11-22T10:00:{second:02d}Z")
        try:
            if what == "add":
                answers.append(proposals.add(given_))
            else:
                proposals.move(replace(given_, version=version + 1), expected_version=version)
                answers.append("moved")
        except Retry as retry:
            answers.append(retry.code)
    listed = [[row for row in proposals.list(state) if row.intent.startswith(prefix)] for state in ProposalState]
    return [*answers, *listed, *(proposals.get(f"{prefix}/{name}") for name in "ab")]


@pytest.fixture
def inbox(table: Callable[[str, str, str], Any]) -> DynamoDbInbox:
    return DynamoDbInbox(table(MESSAGES, "key", "updated_at"), MESSAGES)


@pytest.fixture
def proposals(table: Callable[[str, str, str], Any]) -> DynamoDbProposals:
    return DynamoDbProposals(table(PROPOSALS, "intent", "created_at"), PROPOSALS)


@_few
@given(moves=_inbox_moves)
def test_the_inbox_in_memory_answers_as_dynamodb_does(inbox: DynamoDbInbox, moves: list[Any]) -> None:
    prefix = f"run{next(_names)}"
    assert inbox_answers(FakeInbox(), prefix, moves) == inbox_answers(inbox, prefix, moves)


@_few
@given(moves=_proposal_moves)
def test_the_ledger_in_memory_answers_as_dynamodb_does(proposals: DynamoDbProposals, moves: list[Any]) -> None:
    prefix = f"run{next(_names)}"
    assert proposal_answers(FakeProposals(), prefix, moves) == proposal_answers(proposals, prefix, moves)
