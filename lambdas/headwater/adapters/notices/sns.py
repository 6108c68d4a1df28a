"""`Notices` by an SNS topic. Who subscribes, and to which recipient's messages, is for the hospital to say, by a filter
on the attribute `recipient`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwater.adapters.aws_errors import calling

LONGEST_SUBJECT = 99  # SNS takes fewer than 100 characters


class SnsNotices:
    """`client` is boto3's SNS client, `topic` the ARN."""

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic

    def tell(self, recipient: str, subject: str, lines: Sequence[str]) -> None:
        """Raises Retry('notice.unavailable') when SNS does not take it."""
        with calling("notice.unavailable"):
            self._client.publish(
                TopicArn=self._topic,
                Subject=subject[:LONGEST_SUBJECT],
                Message="\n".join(lines) or subject,
                MessageAttributes={"recipient": {"DataType": "String", "StringValue": recipient}},
            )
