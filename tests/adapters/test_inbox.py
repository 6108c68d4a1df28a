"""The contract of `Inbox`, on DynamoDB (moto) and in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from headwater.adapters.archive.s3 import S3Archive
from headwater.adapters.inbox.dynamodb import DynamoDbInbox
from headwater.model import MessageRecord, MessageState, Thread
from headwater.ports import Inbox
from tests.adapters.conftest import ARCHIVE, MESSAGES, Calls
from tests.fakes import FakeInbox

RECORD = MessageRecord(
    key="north/ab12",
    ehr="north",
    content_type="x-application/hl7-v2+er7",
    archive_key="north/ab12",
    state=MessageState.ACCEPTED,
    accepted_at="2026-11-22T10:00:00Z",
    updated_at="2026-11-22T10:00:00Z",
)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "dynamodb"])
def inbox(request: pytest.FixtureRequest) -> Inbox:
    if request.param == "memory":
        return FakeInbox()
    return DynamoDbInbox(request.getfixturevalue("table")(MESSAGES, "key", "updated_at"), MESSAGES)


def test_a_new_message_is_noted(inbox: Inbox) -> None:
    assert inbox.open(RECORD) == RECORD
    assert inbox.get(RECORD.key) == RECORD


def test_which_backfill_brought_a_message_is_kept(inbox: Inbox) -> None:
    inbox.open(replace(RECORD, backfill="north-1"))
    inbox.close(RECORD.key, MessageState.HELD, at="2026-11-22T10:00:01Z")
    assert inbox.open(RECORD).backfill == "north-1"


def test_a_retry_with_the_same_bytes_is_one_row(inbox: Inbox) -> None:
    inbox.open(RECORD)
    inbox.close(RECORD.key, MessageState.STORED, at="2026-11-22T10:00:01Z")
    known = inbox.open(replace(RECORD, accepted_at="2026-11-22T11:00:00Z", updated_at="2026-11-22T11:00:00Z"))
    assert (known.state, known.accepted_at) == (MessageState.STORED, RECORD.accepted_at)
    assert inbox.list(MessageState.ACCEPTED) == []


def test_an_unknown_key_is_none(inbox: Inbox) -> None:
    assert inbox.get("north/none") is None


def test_a_message_that_was_never_opened_cannot_be_closed(inbox: Inbox) -> None:
    with pytest.raises(LookupError):
        inbox.close("north/none", MessageState.STORED, at="2026-11-22T10:00:01Z")
    assert inbox.get("north/none") is None


def test_closing_twice_is_closing_once(inbox: Inbox) -> None:
    inbox.open(RECORD)
    for _ in range(2):
        inbox.close(RECORD.key, MessageState.QUARANTINED, at="2026-11-22T10:00:01Z", code="convert.x", place="PID-7")
    closed = inbox.get(RECORD.key)
    assert closed == replace(
        RECORD,
        state=MessageState.QUARANTINED,
        updated_at="2026-11-22T10:00:01Z",
        error_code="convert.x",
        error_place="PID-7",
    )


def test_a_released_message_forgets_its_error(inbox: Inbox) -> None:
    inbox.open(RECORD)
    inbox.close(RECORD.key, MessageState.HELD, at="2026-11-22T10:00:01Z", code="match.possible", hint="look")
    inbox.close(RECORD.key, MessageState.STORED, at="2026-11-22T10:00:02Z")
    assert inbox.get(RECORD.key) == replace(RECORD, state=MessageState.STORED, updated_at="2026-11-22T10:00:02Z")


def test_a_state_lists_its_newest_first(inbox: Inbox) -> None:
    for second in (2, 0, 1):
        inbox.open(replace(RECORD, key=f"north/{second}", updated_at=f"2026-11-22T10:00:0{second}Z"))
    inbox.advance("north|Encounter/1", NOON)
    assert [record.key for record in inbox.list(MessageState.ACCEPTED)] == ["north/2", "north/1", "north/0"]
    assert [record.key for record in inbox.list(MessageState.ACCEPTED, limit=2)] == ["north/2", "north/1"]
    assert inbox.list(MessageState.HELD) == []


def test_a_thread_goes_forward_only(inbox: Inbox) -> None:
    assert inbox.advance("north|Encounter/1", NOON)
    assert inbox.advance("north|Encounter/1", NOON), "the same message, tried again"
    assert inbox.advance("north|Encounter/1", NOON + timedelta(microseconds=1))
    assert not inbox.advance("north|Encounter/1", NOON)
    assert inbox.advance("north|Encounter/2", NOON), "threads do not know each other"


def test_a_thread_compares_moments_not_clock_faces(inbox: Inbox) -> None:
    at_five_hours_west = datetime(2026, 11, 22, 8, 0, tzinfo=timezone(timedelta(hours=-5)))  # 13:00 UTC
    assert inbox.advance("north|Encounter/1", at_five_hours_west)
    assert not inbox.advance("north|Encounter/1", NOON)


def test_a_time_without_zone_is_refused(inbox: Inbox) -> None:
    with pytest.raises(ValueError, match="aware"):
        inbox.advance("north|Encounter/1", datetime(2026, 11, 22))


def test_a_thread_is_no_message(inbox: Inbox) -> None:
    inbox.advance("north|Encounter/1", NOON)
    assert inbox.get("north|Encounter/1") is None


def test_accepting_a_message_costs_one_s3_put_and_one_dynamodb_put(
    client: Callable[[str], Any], table: Callable[[str, str, str], Any], calls: Calls
) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=ARCHIVE)
    archive, inbox = S3Archive(s3, ARCHIVE), DynamoDbInbox(table(MESSAGES, "key", "updated_at"), MESSAGES)
    for _ in ("new", "again"):
        with calls.counted() as seen:
            archive.put(RECORD.archive_key, b"MSH|", RECORD.content_type)
            inbox.open(RECORD)
        assert seen == ["s3.PutObject", "dynamodb.PutItem"]


def test_advancing_and_closing_cost_one_update_each(table: Callable[[str, str, str], Any], calls: Calls) -> None:
    inbox = DynamoDbInbox(table(MESSAGES, "key", "updated_at"), MESSAGES)
    inbox.open(RECORD)
    with calls.counted() as seen:
        inbox.advance("north|Encounter/1", NOON)
        inbox.close(RECORD.key, MessageState.STORED, at="2026-11-22T10:00:01Z")
    assert seen == ["dynamodb.UpdateItem", "dynamodb.UpdateItem"]


def test_news_says_what_earlier_news_told_of(inbox: Inbox) -> None:
    first = inbox.advance("north|Encounter/9", NOON, ["diagnosis", "location"])
    assert first == Thread()
    assert inbox.advance("north|Encounter/9", NOON + timedelta(hours=1)) == Thread(frozenset({"diagnosis", "location"}))
    assert inbox.advance("north|Encounter/9", NOON, ["priority"]) is None
    later = inbox.advance("north|Encounter/9", NOON + timedelta(hours=2), ["diagnosis", "type"])
    assert later == Thread(frozenset({"diagnosis", "location"})), "of older news nothing was noted"
    assert inbox.advance("north|Encounter/9", NOON + timedelta(hours=3)) == Thread(
        frozenset({"diagnosis", "location", "type"})
    )
