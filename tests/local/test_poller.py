from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.lambda_runtime import Function, Outcome, Runtime
from local.aws.poller import EventSourceMapping, Poller, failed_ids, record, torn_groups
from tests.local.conftest import Server

FUNCTIONS = Path(__file__).parent / "functions"


class Bench:
    """A queue with a dead-letter queue, a function that notes its batches, and a poller between them."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.sqs = server.client("sqs")
        self.endpoint = server.endpoint
        self.notes = folder / "notes"
        self.runtime = Runtime(server.endpoint, folder, workers=3)
        self.pollers: list[Poller] = []

    def queue(self, *, fifo: bool = True, attempts: int = 3, visibility: int = 1) -> str:
        name = uuid4().hex + (".fifo" if fifo else "")
        kind = {"FifoQueue": "true"} if fifo else {}
        dead = self.sqs.create_queue(QueueName=f"dead-{name}", Attributes=kind)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": attempts}
        attributes = {**kind, "VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(policy)}
        self.dead = dead
        self.url = str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return self.url

    def poll(self, *, timeout: float = 5, threads: int = 3, **options: Any) -> Poller:
        function = Function("f", "handlers.consume", timeout, 256, {"NOTES": str(self.notes)}, FUNCTIONS)
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mapping = EventSourceMapping(arn, function, **{"partial": True, **options})
        poller = Poller(mapping, self.endpoint, self.runtime)
        poller.start(threads)
        self.pollers.append(poller)
        return poller

    def send(self, *bodies: dict[str, Any], group: str = "g") -> None:
        for body in bodies:
            text = json.dumps(body)
            fifo = {"MessageGroupId": group, "MessageDeduplicationId": text} if self.url.endswith(".fifo") else {}
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text, **fifo)

    def batches(self) -> list[dict[str, Any]]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [json.loads(line) for line in lines]

    def seen(self) -> list[int]:
        """The `n` of every message in the order in which the function got them."""
        return [json.loads(r["body"])["n"] for batch in self.batches() for r in batch["event"]["Records"]]

    def left(self, url: str = "") -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in counts.values())

    def close(self) -> None:
        for poller in self.pollers:
            poller.stop()
        self.runtime.close()


@pytest.fixture
def bench(shared: Server, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(shared, tmp_path)
    yield made
    made.close()


def until(holds: Any, seconds: float = 12) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_what_succeeds_is_deleted_and_keeps_its_order_within_a_group(bench: Bench) -> None:
    bench.queue()
    bench.send(*({"n": n} for n in range(25)))
    poller = bench.poll()
    until(lambda: bench.left() == 0)
    assert bench.seen() == list(range(25))
    assert poller.tally.deleted == 25
    assert all(len(batch["event"]["Records"]) <= 10 for batch in bench.batches())


def test_only_the_reported_failure_stays_and_ends_in_the_dead_letter_queue(bench: Bench) -> None:
    bench.queue(fifo=False, attempts=2)
    bench.send({"n": 1}, {"n": 2, "do": "fail"}, {"n": 3})
    bench.poll()
    until(lambda: bench.left(bench.dead) == 1 and bench.left() == 0)
    assert sorted(bench.seen()) == [1, 2, 2, 3]


def test_an_exception_returns_the_whole_batch_after_the_visibility_time_out(bench: Bench) -> None:
    bench.queue(fifo=False, attempts=2, visibility=3)
    bench.send({"n": 1}, {"n": 2, "do": "raise"})
    bench.poll(threads=1, window=1)
    until(lambda: bench.left(bench.dead) == 2 and bench.left() == 0)
    first, second = bench.batches()[:2]
    assert second["at"] - first["at"] >= 1.5
    counts = {r["attributes"]["ApproximateReceiveCount"] for r in second["event"]["Records"]}
    assert counts == {"2"}


def test_a_time_out_kills_the_function_and_returns_the_batch(bench: Bench) -> None:
    bench.queue(attempts=1, visibility=3)
    bench.send({"n": 1, "do": "sleep", "seconds": 60})
    poller = bench.poll(timeout=1)
    until(lambda: bench.left(bench.dead) == 1)
    assert poller.tally.errors == {"Timeout": 1}


def test_a_crash_loses_nothing(bench: Bench) -> None:
    bench.queue(attempts=2)
    bench.send({"n": 1, "do": "exit"}, {"n": 2})
    bench.poll(batch_size=1)
    until(lambda: bench.left(bench.dead) == 1 and bench.left() == 0)
    assert bench.seen() == [1, 1, 2]


def test_one_batch_of_a_group_is_in_flight_at_a_time_and_groups_run_side_by_side(bench: Bench) -> None:
    bench.queue(visibility=30)
    for group in ("a", "b"):
        bench.send({"n": 1, "do": "sleep", "seconds": 1, "g": group}, {"n": 2, "g": group}, group=group)
    bench.poll(batch_size=1)
    until(lambda: bench.left() == 0)
    at = {(json.loads(r["body"])["g"], json.loads(r["body"])["n"]): batch["at"]
          for batch in bench.batches() for r in batch["event"]["Records"]}  # fmt: skip
    assert at["a", 2] - at["a", 1] >= 1
    assert at["b", 2] - at["b", 1] >= 1
    assert abs(at["a", 1] - at["b", 1]) < 1


def test_maximum_concurrency_bounds_the_number_of_batches_at_work(bench: Bench) -> None:
    bench.queue(fifo=False, visibility=30)
    bench.send(*({"n": n, "do": "sleep", "seconds": 0.5} for n in range(4)))
    bench.poll(batch_size=1, concurrency=1)
    until(lambda: bench.left() == 0)
    times = sorted(batch["at"] for batch in bench.batches())
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(times))


def test_a_window_gathers_a_batch_on_a_standard_queue(bench: Bench) -> None:
    bench.queue(fifo=False, visibility=30)
    bench.poll(threads=1, window=1.5)
    bench.send({"n": 1})
    threading.Timer(0.3, lambda: bench.send({"n": 2})).start()
    until(lambda: len(bench.seen()) == 2)
    assert [len(batch["event"]["Records"]) for batch in bench.batches()] == [2]


def test_the_event_has_the_shape_that_lambda_documents(bench: Bench) -> None:
    bench.queue()
    attributes = {
        "ehr": {"DataType": "String", "StringValue": "x"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sent = bench.sqs.send_message(
        QueueUrl=bench.url,
        MessageBody='{"n": 1}',
        MessageGroupId="g",
        MessageDeduplicationId="d",
        MessageAttributes=attributes,
    )
    bench.poll()
    until(lambda: len(bench.batches()) == 1)
    (got,) = bench.batches()[0]["event"]["Records"]
    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert got["messageId"] == sent["MessageId"]
    assert got["messageAttributes"] == {
        "ehr": {"stringValue": "x", "dataType": "String", **empty},
        "raw": {"binaryValue": "AAE=", "dataType": "Binary", **empty},
    }
    assert got["eventSource"] == "aws:sqs"
    assert got["eventSourceARN"].endswith(bench.url.split("/")[-1])
    assert got["awsRegion"] == "us-east-1"
    expected = {"MessageGroupId": "g", "MessageDeduplicationId": "d", "ApproximateReceiveCount": "1"}
    assert expected.items() <= got["attributes"].items()
    assert {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SequenceNumber"} <= got["attributes"].keys()
    assert len(got["md5OfBody"]) == 32


def test_a_message_survives_the_local_aws_being_killed_while_it_is_worked_on(server: Server, tmp_path: Path) -> None:
    bench = Bench(server, tmp_path)
    url = bench.queue(visibility=4)
    bench.send({"n": 1, "do": "sleep", "seconds": 1})
    bench.poll()
    until(lambda: bench.batches())
    server.kill()  # the poller cannot delete what it just worked on, unless the server is back in time
    bench.close()
    server.start()
    again = Bench(server, tmp_path)
    again.url = url.replace(url.split("/")[2], server.endpoint.split("/")[2])
    again.poll()
    until(lambda: again.left() == 0, 20)
    again.close()
    assert set(again.seen()) == {1}
    assert len(again.seen()) in {1, 2}


# ---------------------------------------------------------------------------------------- what a report means

BATCH = [{"MessageId": str(n), "Attributes": {"MessageGroupId": "g"}} for n in range(3)]
ALL = {"0", "1", "2"}


def items(*ids: Any) -> Outcome:
    return Outcome({"batchItemFailures": [{"itemIdentifier": identity} for identity in ids]})


@pytest.mark.parametrize(
    ("outcome", "stay"),
    [
        (items("1"), {"1"}),
        (items(), set()),
        (Outcome(None), set()),
        (Outcome({}), set()),
        (Outcome({"batchItemFailures": None}), set()),
        (Outcome("not a report"), ALL),
        (items("unknown"), ALL),
        (items(""), ALL),
        (items(None), ALL),
        (Outcome({"batchItemFailures": ["0"]}), ALL),
        (Outcome({"batchItemFailures": []}, error="Timeout"), ALL),
    ],
)
def test_a_report_means_what_lambda_says_it_means(outcome: Outcome, stay: set[str]) -> None:
    assert failed_ids(outcome, BATCH, partial=True) == stay


def test_without_report_batch_item_failures_a_report_is_ignored() -> None:
    assert failed_ids(items("1"), BATCH, partial=False) == set()
    assert failed_ids(Outcome(None, error="Crash"), BATCH, partial=False) == ALL


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=10))
def test_a_group_is_torn_if_and_only_if_a_success_follows_a_failure_in_it(made: list[tuple[str, bool]]) -> None:
    batch = [{"MessageId": str(n), "Attributes": {"MessageGroupId": group}} for n, (group, _) in enumerate(made)]
    failed = {str(n) for n, (_, fails) in enumerate(made) if fails}
    torn = 0
    for group in "abc":
        fates = [fails for g, fails in made if g == group]
        torn += True in fates and not all(fates[fates.index(True) :])
    assert torn_groups(batch, failed) == torn


def test_a_standard_message_has_no_group_to_tear() -> None:
    message = {"MessageId": "1", "ReceiptHandle": "r", "Body": "b", "MD5OfBody": "m"}
    assert torn_groups([message, {**message, "MessageId": "2"}], {"1"}) == 0
    assert record(message, "arn:q")["messageAttributes"] == {}
