"""A FIFO queue in SQS, for what must be told and what was approved. Only sending: receiving is Lambda's."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from headwater.adapters.aws_errors import calling

# MessageGroupId and MessageDeduplicationId: up to 128 letters, digits and ASCII punctuation; no space.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_ALLOWED = re.compile(r"[!-~]{1,128}")


class SqsQueue:
    """`Queue` at the URL of a FIFO queue; `client` is boto3's SQS client."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, *, group: str, dedup: str) -> None:
        """One SendMessage. `body` holds up to 1 MiB of UTF-8."""
        with calling("queue.unavailable"):
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body, MessageGroupId=_id(group), MessageDeduplicationId=_id(dedup)
            )


def _id(name: str) -> str:
    """`name` if SQS allows it, else its SHA-256: equal names stay equal, and nothing is refused for its spelling."""
    return name if _ALLOWED.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()
