"""The contract of `Queue`, on SQS (moto) and in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headwater.adapters.queue.sqs import SqsQueue
from headwater.ports import Queue
from tests.adapters.conftest import Calls
from tests.fakes import FakeQueue

Received = Callable[[], list[str]]


def sqs_queue(client: Callable[[str], Any]) -> tuple[SqsQueue, Any, str]:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="write.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    return SqsQueue(sqs, url), sqs, url


@pytest.fixture(params=["memory", "sqs"])
def queue_and_received(request: pytest.FixtureRequest) -> tuple[Queue, Received]:
    if request.param == "memory":
        fake = FakeQueue()
        return fake, lambda: fake.bodies
    queue, sqs, url = sqs_queue(request.getfixturevalue("client"))

    def received() -> list[str]:
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies

    return queue, received


def test_a_group_keeps_its_order(queue_and_received: tuple[Queue, Received]) -> None:
    queue, received = queue_and_received
    for number in range(5):
        queue.send(json.dumps({"n": number}), group="north|Patient/1", dedup=f"d{number}")
    assert [json.loads(body)["n"] for body in received()] == [0, 1, 2, 3, 4]


def test_a_repeat_is_one(queue_and_received: tuple[Queue, Received]) -> None:
    queue, received = queue_and_received
    for _ in range(3):
        queue.send("same", group="g", dedup="same")
    queue.send("other", group="g", dedup="other")
    assert received() == ["same", "other"]


@pytest.mark.parametrize("name", ["with a space", "ü", "x" * 129, "tab\t"])
def test_names_that_sqs_refuses_are_sent_all_the_same(queue_and_received: tuple[Queue, Received], name: str) -> None:
    queue, received = queue_and_received
    for _ in range(2):
        queue.send("body", group=name, dedup=name)
    assert received() == ["body"]


def test_sending_is_one_call(client: Callable[[str], Any], calls: Calls) -> None:
    queue, _, _ = sqs_queue(client)
    with calls.counted() as seen:
        queue.send("body", group="g", dedup="d")
    assert seen == ["sqs.SendMessage"]
