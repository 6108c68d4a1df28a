"""Lambda's event source mappings for SQS: takes batches off the queues and gives them to the deployed functions.

The mappings come from the deployed templates. As in Lambda: what a function does not report as failed is deleted; a
batch that ends in an exception or a time-out stays, and comes back after the queue's visibility time-out; SQS moves a
message to the dead-letter queue after maxReceiveCount, and hands out a FIFO group again only when nothing of it is in
flight. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    python -m local.aws.poller --endpoint http://localhost:4566 --logs .local/logs --port 4567
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from local.aws.clients import REGION, Resource, client, resources
from local.aws.lambda_runtime import Function, Outcome, Runtime
from local.loopback import LoopbackHandler

PAYLOAD_LIMIT = 6_000_000  # bytes of an event; Lambda cuts batches to fit
PATIENCE = 2  # seconds of a long poll

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One event source mapping: `window` in seconds gathers a batch (standard queues only, as in AWS)."""

    queue_arn: str
    function: Function
    batch_size: int = 10
    window: float = 0.0
    partial: bool = False
    concurrency: int = 1000

    @classmethod
    def from_resource(cls, resource: Resource, functions: Mapping[str, Function]) -> EventSourceMapping:
        """`functions` by name; the mapping may name one by name, ARN, version or alias."""
        properties = resource.properties
        name = str(properties["FunctionName"])
        name = name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]
        return cls(
            queue_arn=properties["EventSourceArn"],
            function=functions[name],
            batch_size=int(properties.get("BatchSize", 10)),
            window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
            partial="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
            concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)),
        )


@dataclass(slots=True)
class Tally:
    """What a mapping did so far; `torn` counts FIFO groups of which a later message was deleted before a failed one."""

    invocations: int = 0
    cold_starts: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    received: int = 0
    deleted: int = 0
    failed: int = 0
    torn: int = 0
    milliseconds: float = 0.0


class Poller:
    """Runs one mapping on `threads` threads, of which one at a time asks the queue."""

    def __init__(
        self, mapping: EventSourceMapping, endpoint: str, runtime: Runtime, *, visibility: int | None = None
    ) -> None:
        self.mapping = mapping
        self.tally = Tally()
        self._sqs = client("sqs", endpoint)
        self._queue_url = self._sqs.get_queue_url(QueueName=mapping.queue_arn.split(":")[-1])["QueueUrl"]
        self._runtime = runtime
        self._visibility = {} if visibility is None else {"VisibilityTimeout": visibility}
        self._asking = threading.Lock()
        self._counting = threading.Lock()
        self._stopped = threading.Event()

    def start(self, threads: int) -> None:
        for number in range(min(threads, self.mapping.concurrency)):
            name = f"{self.mapping.function.name}-{number}"
            threading.Thread(target=self._run, daemon=True, name=name).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._asking:
                    messages = self._gather()
                for batch in _within_limit(messages):
                    self._work(batch)
            except Exception as error:  # noqa: BLE001  a mapping never stops; what is in flight comes back by itself
                print(f"{self.mapping.function.name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                self._stopped.wait(0.5)

    def _gather(self) -> list[Message]:
        messages = self._receive(min(10, self.mapping.batch_size), PATIENCE)
        until = time.monotonic() + self.mapping.window
        while messages and len(messages) < self.mapping.batch_size and time.monotonic() < until:
            messages += self._receive(min(10, self.mapping.batch_size - len(messages)), 1)
        return messages

    def _receive(self, count: int, wait: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            **self._visibility,
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def _work(self, batch: Sequence[Message]) -> None:
        event = {"Records": [record(message, self.mapping.queue_arn) for message in batch]}
        outcome = self._runtime.invoke(self.mapping.function, event)
        failed = failed_ids(outcome, batch, partial=self.mapping.partial)
        done = [message for message in batch if message["MessageId"] not in failed]
        self._count(outcome, batch, failed)
        for start in range(0, len(done), 10):
            self._delete(done[start : start + 10])

    def _delete(self, messages: Sequence[Message]) -> None:
        """Keeps trying for a while: a message that was worked on should not be worked on again needlessly."""
        entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(messages)]
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0, 8.0):
            try:
                self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
                return
            except BotoCoreError:
                time.sleep(pause)
        self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)

    def _count(self, outcome: Outcome, batch: Sequence[Message], failed: set[str]) -> None:
        tally, torn = self.tally, torn_groups(batch, failed)
        with self._counting:
            tally.invocations += 1
            tally.cold_starts += outcome.cold
            tally.received += len(batch)
            tally.failed += len(failed)
            tally.deleted += len(batch) - len(failed)
            tally.milliseconds += outcome.milliseconds
            tally.torn += torn
            if outcome.error:
                tally.errors[outcome.error] = tally.errors.get(outcome.error, 0) + 1
        if torn:
            name = self.mapping.function.name
            print(f"{name}: reported a failure but not the later messages of its group", file=sys.stderr, flush=True)


def record(message: Message, queue_arn: str) -> dict[str, Any]:
    """One record of Lambda's SQS event, in Lambda's casing.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
    """
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
                **({"binaryValue": base64.b64encode(value["BinaryValue"]).decode()} if "BinaryValue" in value else {}),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def failed_ids(outcome: Outcome, batch: Sequence[Message], *, partial: bool) -> set[str]:
    """The ids of the messages that stay in the queue.

    All of them after an error, or when the function's report is malformed or names a message that is not in the batch;
    none when the report is empty or missing.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    everything = {str(message["MessageId"]) for message in batch}
    if outcome.error:
        return everything
    if not partial or outcome.payload is None:
        return set()
    if not isinstance(outcome.payload, dict):
        return everything
    items = outcome.payload.get("batchItemFailures") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return everything
    failed = {item.get("itemIdentifier") for item in items}
    return {str(identity) for identity in failed} if failed <= everything else everything


def torn_groups(batch: Sequence[Message], failed: set[str]) -> int:
    """How many FIFO groups lose their order because a message after a failed one is deleted.

    AWS does the same and says nothing; the function must report every later message of the group too.
    """
    broken: set[str] = set()
    torn: set[str] = set()
    for message in batch:
        group = message.get("Attributes", {}).get("MessageGroupId")
        if group is None:
            continue
        if message["MessageId"] in failed:
            broken.add(group)
        elif group in broken:
            torn.add(group)
    return len(torn)


def _within_limit(messages: Sequence[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        length = len(message["Body"].encode()) + 2_000
        if batch and size + length > PAYLOAD_LIMIT:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch


def deployed(endpoint: str) -> list[EventSourceMapping]:
    """The event source mappings of SQS queues that the deployed templates have."""
    found = resources(endpoint)
    functions = {
        resource.physical_id: Function.from_resource(resource)
        for resource in found
        if resource.type == "AWS::Lambda::Function"
    }
    return [
        EventSourceMapping.from_resource(resource, functions)
        for resource in found
        if resource.type == "AWS::Lambda::EventSourceMapping" and ":sqs:" in resource.properties["EventSourceArn"]
    ]


class _Status(LoopbackHandler):
    pollers: Sequence[Poller] = ()

    def do_GET(self) -> None:
        body = json.dumps({poller.mapping.function.name: asdict(poller.tally) for poller in self.pollers}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Lambda's SQS event source mappings, on a laptop")
    parser.add_argument("--endpoint", required=True, help="the local AWS")
    parser.add_argument("--logs", type=Path, required=True, help="folder of the functions' logs")
    parser.add_argument("--port", type=int, default=0, help="of the status page: GET / gives counts by function")
    parser.add_argument("--workers", type=int, default=2, help="processes per function at most")
    parser.add_argument("--visibility", type=int, help="seconds, instead of the queues' own time-out")
    options = parser.parse_args(arguments)
    runtime = Runtime(options.endpoint, options.logs, workers=options.workers)
    _Status.pollers = [
        Poller(mapping, options.endpoint, runtime, visibility=options.visibility)
        for mapping in deployed(options.endpoint)
    ]
    server = ThreadingHTTPServer(("127.0.0.1", options.port), _Status)
    for poller in _Status.pollers:
        poller.start(options.workers)
    print(f"ready http://localhost:{server.server_port} mappings={len(_Status.pollers)}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
