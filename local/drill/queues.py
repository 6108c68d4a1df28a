"""SQS FIFO queues on the drill's time: groups in order, five minutes of deduplication, visibility, dead letters.

What a function does with a batch is the functions' own code (`headwater.adapters.sqs_batch`); what is here is only the
clock's side of SQS, which cannot be moved in any emulator. The semantics are those that `tests/local/test_poller.py`
holds the local poller to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.drill.clock import DrillClock

DEDUPLICATION_S = 300
ARN = "arn:aws:sqs:us-east-1:123456789012:{}"


@dataclass(slots=True)
class Message:
    """One message; `due` is when it is visible (again)."""

    number: int
    body: str
    group: str
    attributes: Mapping[str, str]
    due: float
    receives: int = 0

    def record(self, queue: str) -> dict[str, Any]:
        """The record of a Lambda SQS event."""
        return {
            "messageId": f"{queue}-{self.number}",
            "receiptHandle": str(self.number),
            "body": self.body,
            "attributes": {"ApproximateReceiveCount": str(self.receives), "MessageGroupId": self.group},
            "messageAttributes": {
                name: {"stringValue": value, "dataType": "String"} for name, value in self.attributes.items()
            },
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN.format(queue),
            "awsRegion": "us-east-1",
        }


@dataclass
class DrillQueue:
    """One FIFO queue, and the `headwater.ports.Queue` that fills it."""

    name: str
    clock: DrillClock
    visibility_s: float = 360.0
    most_receives: int = 20
    _groups: dict[str, deque[Message]] = field(default_factory=dict)
    _seen: dict[str, float] = field(default_factory=dict)
    _count: int = 0
    dead: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    # ------------------------------------------------------------------------------------------------------ in

    def send(self, body: str, *, group: str, dedup: str) -> None:
        self.put(body, group=group, dedup=dedup)

    def put(self, body: str, *, group: str, dedup: str = "", attributes: Mapping[str, str] | None = None) -> None:
        now = self.clock()
        if dedup and now < self._seen.get(dedup, 0.0):
            return
        if dedup:
            self._seen[dedup] = now + DEDUPLICATION_S
        self._count += 1
        message = Message(self._count, body, group, attributes or {}, now)
        self.sent.append(message)
        self._groups.setdefault(group, deque()).append(message)

    # ----------------------------------------------------------------------------------------------------- out

    def receive(self) -> Message | None:
        """The next visible message, hidden for the visibility time-out; a group waits for its first one."""
        now = self.clock()
        for group, waiting in list(self._groups.items()):
            if not waiting:
                del self._groups[group]
            elif waiting[0].due <= now:
                message = waiting[0]
                if message.receives >= self.most_receives:
                    self.dead.append(waiting.popleft())
                    continue
                message.receives += 1
                message.due = now + self.visibility_s
                self._groups[group] = self._groups.pop(group)  # round robin: no group starves another
                return message
        return None

    def delete(self, message: Message) -> None:
        waiting = self._groups.get(message.group)
        if waiting and waiting[0] is message:
            waiting.popleft()

    def redrive(self) -> int:
        """Dead letters back into the queue, as an operator does it; how many."""
        again, self.dead = self.dead, []
        for message in again:
            self.put(message.body, group=message.group, attributes=message.attributes)
        return len(again)

    @property
    def next_due(self) -> float | None:
        """When something here will be visible; None if the queue is empty."""
        return min((waiting[0].due for waiting in self._groups.values() if waiting), default=None)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._groups.values()))


class Visibility:
    """What `sqs_batch` asks of boto3's SQS client: when a message that failed may come again."""

    class meta:
        endpoint_url = "http://drill"

    def __init__(self, queue: DrillQueue, messages: list[Message]) -> None:
        self._queue = queue
        self._messages = {str(message.number): message for message in messages}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:  # noqa: ARG002
        for entry in Entries:
            self._messages[entry["ReceiptHandle"]].due = self._queue.clock() + entry["VisibilityTimeout"]
