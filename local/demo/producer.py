"""A producer outside: plain boto3 and the documented envelope, nothing of Headwater but the queue's address."""

from __future__ import annotations

from collections.abc import Sequence

from local.demo.feed import Sending
from local.feed_message import envelope
from local.target import Target

BATCH = 10  # messages SendMessageBatch takes


class Producer:
    """Sends in batches; `sent` counts what SQS has acknowledged."""

    def __init__(self, target: Target) -> None:
        self._sqs = target.client("sqs")
        self._url = target.feed_queue_url
        self.sent = 0

    def send(self, sendings: Sequence[Sending]) -> None:
        """Send all, in order; raises RuntimeError when SQS refuses one."""
        for start in range(0, len(sendings), BATCH):
            entries = [
                {
                    "Id": str(number),
                    "MessageGroupId": sending.group,
                    **envelope(sending.body, sending.ehr, "application/hl7-v2", message_id=sending.control_id),
                }
                for number, sending in enumerate(sendings[start : start + BATCH])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise RuntimeError(f"SQS refused {len(answer['Failed'])} messages: {answer['Failed'][0]['Code']}")
            self.sent += len(entries)
