"""SQS as AWS has it, where moto differs: order after a time-out, de-duplication, sequence numbers, cost per call.

Facts of moto 5.2.5 that are mended here: after a visibility time-out it hands out the last message of a FIFO group
first; it forgets a de-duplication id when the message is deleted instead of after five minutes; its sequence numbers
are random; every call counts the whole queue several times; a long poll would hold the server's one lock.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

from copy import copy

from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

from local.aws.moment import MOMENT, mend

DEDUPLICATION_MS = 300_000


def install(base_url: str) -> None:
    """Mend moto's queues in this process; queue URLs will start with `base_url`."""
    url = property(lambda queue: f"{base_url}/{queue.account_id}/{queue.name}")
    deliverable = property(_deliverable)
    mend(Queue, messages=deliverable, add_message=_add, delete_message=_delete, physical_resource_id=url)
    mend(SQSBackend, receive_message=_receive)


def _deliverable(queue: Queue) -> list[Message]:
    now = MOMENT.now() * 1000
    return [message for message in queue._messages if now > message.visible_at and now >= message.delayed_until]


def _add(queue: Queue, message: Message) -> None:
    if queue.fifo_queue and _is_repeat(queue, message):
        return
    if queue.fifo_queue:
        count = queue.__dict__.setdefault("sent_count", 18_850_000_000_000_000_000) + 1
        queue.__dict__["sent_count"] = count
        message.sequence_number = str(count)
    queue._messages.append(message)


def _is_repeat(queue: Queue, message: Message) -> bool:
    """Whether the same de-duplication id was accepted within five minutes, deleted since or not."""
    seen: dict[tuple[str, str], float] = queue.__dict__.setdefault("seen_ids", {})
    scope = message.group_id if getattr(queue, "deduplication_scope", "queue") == "messageGroup" else ""
    key = (scope or "", message.deduplication_id or "")
    now = MOMENT.now() * 1000
    if now - seen.get(key, float("-inf")) < DEDUPLICATION_MS:
        return True
    seen[key] = now
    return False


def _receive(
    backend: SQSBackend,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Message]:
    """Answer at once; waiting is the server's business, so that nobody waits under the lock."""
    queue = backend.get_queue(queue_name)
    MOMENT.patience = wait_seconds_timeout
    now = MOMENT.now() * 1000
    oldest = now - queue.__dict__["message_retention_period"] * 1000
    queue._messages = [m for m in queue._messages if (m.sent_timestamp or now) > oldest]
    # All that timed out is back first; only then is it known which groups are still in flight.
    queue._pending_messages = {m for m in queue._pending_messages if m.visible_at >= now and m in queue._messages}
    locked = queue.pending_message_groups if queue.fifo_queue else set()
    received: list[Message] = []
    for message in _deliverable(queue):
        if len(received) == count:
            break
        if message.group_id in locked:
            continue
        if _is_spent(queue, message):
            _bury(queue, message)
            continue
        queue._pending_messages.add(message)
        message.mark_received(visibility_timeout=visibility_timeout)
        received.append(_as_asked(message, message_attribute_names or []))
        MOMENT.moved = True
    return received


def _is_spent(queue: Queue, message: Message) -> bool:
    policy = queue.redrive_policy
    return policy is not None and bool(policy) and message.approximate_receive_count >= policy["maxReceiveCount"]


def _bury(queue: Queue, message: Message) -> None:
    """Into the dead-letter queue, keeping its sent time as AWS does for standard queues (and we do for both)."""
    queue._messages.remove(message)
    if queue.dead_letter_queue is not None:
        queue.dead_letter_queue._messages.append(message)
    MOMENT.moved = True


def _as_asked(message: Message, names: list[str]) -> Message:
    answer = copy(message)
    answer.message_attributes = dict(message.message_attributes)
    models._filter_message_attributes(answer, names)
    return answer


def _delete(queue: Queue, receipt_handle: str) -> None:
    """As moto, in one pass. An old handle deletes too; the handle of a message that is gone is accepted."""
    if receipt_handle in queue.deleted_messages:
        return
    for place, message in enumerate(queue._messages):
        if message.had_receipt_handle(receipt_handle):
            del queue._messages[place]
            queue._pending_messages.discard(message)
            queue.deleted_messages.update(handle for handle in message.all_receipt_handles if handle)
            return
    raise ReceiptHandleIsInvalid
