"""How every queue handler takes its batch. Of a FIFO batch, what failed and what follows it in its group go back to the
queue; all else is done. Errors are noted by code and place only: another's message may quote a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from headwater.adapters.aws_errors import described
from headwater.errors import Retry
from headwater.model import Delivery
from headwater.ports import Watch

_STEP = "receive"
_LONGEST_WAIT = 43_000  # seconds; SQS allows 12 hours, counted from the receive
_LONGEST_PAUSE = 900  # seconds between two tries, where the error names no time
_RESERVE = 5_000  # milliseconds that must be left to begin with one more record


class _Reported(Exception):
    """Stands for an error that was noted; holds nothing of it, for Powertools keeps and prints what it catches."""


def process(
    event: dict[str, Any], context: Any, handle: Callable[[Delivery], object], *, sqs: Any, watch: Watch
) -> Mapping[str, Any]:
    """Give each record of an SQS event to `handle`; the answer lists what must come again (`batchItemFailures`).

    `context` is Lambda's, `sqs` boto3's SQS client. After a `Retry` the message, and with it the rest of its group,
    is visible again in `after` seconds, or later each time where it names none. Needs `ReportBatchItemFailures` on the
    event source mapping.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    waits: dict[str, int] = {}

    def take(record: SQSRecord) -> None:
        try:
            if context.get_remaining_time_in_millis() < _RESERVE:
                raise Retry("receive.out_of_time", hint="the batch was too large for one invocation", after=0)
            handle(_delivery(record))
        except Exception as error:  # noqa: BLE001
            if isinstance(error, Retry):
                waits[_group(record)] = min(_pause(record) if error.after is None else error.after, _LONGEST_WAIT)
            what, place = described(error)
            outcome = "retried" if isinstance(error, Retry) else "failed"
            watch.note(_STEP, outcome, record=record.message_id, error=what, place=place)
            raise _Reported from None

    processor = SqsFifoPartialProcessor(skip_group_on_error=True)
    # Else Powertools raises when every record failed, and Lambda prints the tracebacks, values and all.
    processor.raise_on_entire_batch_failure = False
    answer = process_partial_response(event, take, processor, context)
    _postpone([record for record in processor.fail_messages if isinstance(record, SQSRecord)], waits, sqs, watch)
    return answer


def _delivery(record: SQSRecord) -> Delivery:
    attributes = record.raw_event.get("messageAttributes") or {}
    texts = {name: value["stringValue"] for name, value in attributes.items() if value.get("stringValue") is not None}
    group = record.attributes.message_group_id or ""
    return Delivery(body=record.body, attributes=texts, group=group, receives=_receives(record))


def _pause(record: SQSRecord) -> int:
    """Seconds until a message that may pass later is tried again: 10, 30, 90 … up to a quarter of an hour.

    The queue's own time-out is six times the function's and would hold up a whole group for the slightest collision.
    """
    return int(min(10 * 3 ** min(_receives(record) - 1, 5), _LONGEST_PAUSE))


def _receives(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count or 1)


def _group(record: SQSRecord) -> str:
    """The FIFO group; of a standard queue, the message alone."""
    return record.attributes.message_group_id or record.message_id


def _postpone(failed: Iterable[SQSRecord], waits: Mapping[str, int], sqs: Any, watch: Watch) -> None:
    """Set when what failed may come again. A group stays blocked while any of its messages is still invisible, so the
    messages behind the failed one are set too. If this fails, the queue's own visibility timeout holds."""
    entries_by_queue: dict[str, list[dict[str, Any]]] = {}
    for number, record in enumerate(failed):
        wait = waits.get(_group(record))
        if wait is not None:
            entry = {"Id": str(number), "ReceiptHandle": record.receipt_handle, "VisibilityTimeout": wait}
            entries_by_queue.setdefault(_queue_url(record.event_source_arn, sqs), []).append(entry)
    for url, entries in entries_by_queue.items():
        for start in range(0, len(entries), 10):
            try:
                sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries[start : start + 10])
            except (ClientError, BotoCoreError) as error:
                what, place = described(error)
                watch.note(_STEP, "not_postponed", error=what, place=place)


def _queue_url(arn: str, sqs: Any) -> str:
    """From `arn:aws:sqs:region:account:name`, without asking SQS for it."""
    account, name = arn.split(":")[4:6]
    return f"{sqs.meta.endpoint_url}/{account}/{name}"
