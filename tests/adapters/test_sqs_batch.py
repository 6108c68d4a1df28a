"""A batch from a FIFO queue: what failed comes again, with all that follows it in its group, and nothing is told that
could hold a value."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from headwater.adapters.sqs_batch import process
from headwater.errors import Quarantine, Retry
from headwater.model import Delivery
from tests.adapters.conftest import Calls
from tests.fakes import FakeWatch


class Context:
    """Lambda's, as far as a batch looks at it."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def record(number: int, group: str = "g", **attributes: str) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"handle-{number}",
        "body": json.dumps({"n": number}),
        "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": "1"},
        "messageAttributes": {name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:feed.fifo",
        "awsRegion": "us-east-1",
    }


class Run:
    """Handles a batch; `failing` says what each message number raises."""

    def __init__(self, sqs: Any = None) -> None:
        self.watch, self.seen = FakeWatch(), list[Delivery]()
        self._sqs = sqs

    def __call__(
        self, records: list[dict[str, Any]], failing: dict[int, Exception] | None = None, context: Any = None
    ) -> list[str]:
        def handle(delivery: Delivery) -> None:
            self.seen.append(delivery)
            if error := (failing or {}).get(json.loads(delivery.body)["n"]):
                raise error

        answer = process({"Records": records}, context or Context(), handle, sqs=self._sqs, watch=self.watch)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_record_becomes_a_delivery() -> None:
    run = Run()
    assert run([record(1, group="north|1", ehr="north")]) == []
    assert run.seen == [Delivery(body='{"n": 1}', attributes={"ehr": "north"}, group="north|1")]


def test_a_failure_holds_up_its_own_group_only() -> None:
    run = Run(Postponed())
    failed = run([record(1, "a"), record(2, "b"), record(3, "a"), record(4, "b")], {1: Retry("store.unavailable")})
    assert failed == ["m1", "m3"]
    assert [json.loads(delivery.body)["n"] for delivery in run.seen] == [1, 2, 4]


def test_when_all_fail_all_are_reported_and_nothing_is_raised() -> None:
    assert Run()([record(1), record(2)], {1: Quarantine("convert.x")}) == ["m1", "m2"]


def test_a_foreign_exception_is_told_by_type_and_place_only(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    run = Run()
    assert run([record(1)], {1: KeyError("SMITH^JON")}) == ["m1"]
    ((step, outcome, ids),) = run.watch.notes
    assert (step, outcome, ids["error"], ids["record"]) == ("receive", "failed", "KeyError", "m1")
    assert re.fullmatch(r"adapters/test_sqs_batch.py:\d+", str(ids["place"]))
    assert "SMITH" not in f"{run.watch.notes} {caplog.text} {capsys.readouterr()}"


def test_our_own_error_is_told_by_code_and_place() -> None:
    run = Run()
    run([record(1)], {1: Quarantine("convert.template_missing", place="MSH-9", hint="add one")})
    assert run.watch.notes[0][2] == {"record": "m1", "error": "convert.template_missing", "place": "MSH-9"}


def test_records_for_which_no_time_is_left_are_not_begun() -> None:
    run = Run(sqs=Postponed())
    assert run([record(1), record(2, "b")], context=Context(milliseconds=100)) == ["m1", "m2"]
    assert run.seen == []
    assert {ids["error"] for _, _, ids in run.watch.notes} == {"receive.out_of_time"}


class Postponed:
    """SQS, as far as a wait goes."""

    class Meta:
        endpoint_url = "https://sqs.us-east-1.amazonaws.com"

    meta = Meta()

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return {}


def test_a_retry_with_a_time_postpones_its_whole_group() -> None:
    sqs = Postponed()
    run = Run(sqs)
    run([record(1, "a"), record(2, "b"), record(3, "a")], {1: Retry("x.y", after=7), 2: Quarantine("x.z")})
    (request,) = sqs.requests
    assert request["QueueUrl"] == "https://sqs.us-east-1.amazonaws.com/123456789012/feed.fifo"
    waits = [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in request["Entries"]]
    assert waits == [("handle-1", 7), ("handle-3", 7)]


@pytest.mark.parametrize(("received", "seconds"), [("1", 10), ("2", 30), ("3", 90), ("4", 270), ("9", 900)])
def test_a_retry_without_a_time_comes_later_each_time(received: str, seconds: int) -> None:
    sqs = Postponed()
    again = record(1)
    again["attributes"]["ApproximateReceiveCount"] = received
    Run(sqs)([again], {1: Retry("x.y")})
    assert [entry["VisibilityTimeout"] for request in sqs.requests for entry in request["Entries"]] == [seconds]


def test_a_wait_reaches_a_real_queue(client: Callable[[str], Any], calls: Calls) -> None:
    sqs = client("sqs")
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "600"}
    url = sqs.create_queue(QueueName="feed.fifo", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=url, MessageBody='{"n": 1}', MessageGroupId="g", MessageDeduplicationId="1")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    received = {**record(1), "receiptHandle": message["ReceiptHandle"], "eventSourceARN": arn}
    with calls.counted() as seen:
        assert Run(sqs)([received], {1: Retry("x.y", after=0)}) == ["m1"]
    assert seen == ["sqs.ChangeMessageVisibilityBatch"]
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["MessageId"] == message["MessageId"]


def test_a_wait_that_sqs_refuses_fails_nothing_else(client: Callable[[str], Any]) -> None:
    run = Run(client("sqs"))  # has no such queue
    assert run([record(1)], {1: Retry("x.y", after=5)}) == ["m1"]
    assert run.watch.outcomes == ["receive.retried", "receive.not_postponed"]
