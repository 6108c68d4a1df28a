"""The work list in DynamoDB: counts add up, the first example stays, and a feed full of one code costs few writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headwater.adapters.inbox.dynamodb import DynamoDbInbox
from headwater.adapters.work_list.dynamodb import DynamoDbWorkList
from headwater.model import MessageState, Unmapped
from tests.adapters.conftest import MESSAGES, Calls

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GLUCOSE, SODIUM = Unmapped("lab", "GLU", "urn:north:lab", "Glucose"), Unmapped("lab", "NA", "urn:north:lab")


@pytest.fixture
def dynamodb(table: Callable[..., Any]) -> Any:
    return table(MESSAGES, "key", "updated_at")


def test_codes_are_counted_with_their_first_example(dynamodb: Any) -> None:
    DynamoDbWorkList(dynamodb, MESSAGES).note("north", [GLUCOSE, SODIUM], message="north/1", at=NOON)
    later = DynamoDbWorkList(dynamodb, MESSAGES)
    later.note("north", [GLUCOSE], message="north/2", at=NOON + timedelta(hours=1))
    first, second = later.list()
    assert (first.unmapped, first.count, first.example, first.first_seen) == (GLUCOSE, 2, "north/1", NOON.isoformat())
    assert (second.unmapped, second.count) == (SODIUM, 1)


def test_a_code_in_every_message_is_written_by_the_hundred(dynamodb: Any, calls: Calls) -> None:
    work_list = DynamoDbWorkList(dynamodb, MESSAGES)
    with calls.counted() as made:
        for number in range(201):
            work_list.note("north", [GLUCOSE], message=f"north/{number}", at=NOON)
    assert len(made) == 3
    assert [one.count for one in work_list.list()] == [201]


def test_a_rare_code_is_written_within_a_minute_of_its_next_sight(dynamodb: Any) -> None:
    work_list = DynamoDbWorkList(dynamodb, MESSAGES)
    for seconds in (0, 30, 90):
        work_list.note("north", [GLUCOSE], message="north/1", at=NOON + timedelta(seconds=seconds))
    assert [one.count for one in work_list.list()] == [3]


def test_a_feed_without_any_mapping_costs_no_more_than_so_much(dynamodb: Any, calls: Calls) -> None:
    unmapped = [Unmapped("lab", f"C{number}") for number in range(500)]
    with calls.counted() as made:
        DynamoDbWorkList(dynamodb, MESSAGES).note("north", unmapped, message="north/1", at=NOON)
    assert len(made) == 25


def test_the_inbox_lists_none_of_it(dynamodb: Any) -> None:
    DynamoDbWorkList(dynamodb, MESSAGES).note("north", [GLUCOSE], message="north/1", at=NOON)
    inbox = DynamoDbInbox(dynamodb, MESSAGES)
    assert [inbox.list(state) for state in MessageState] == [[] for _ in MessageState]
