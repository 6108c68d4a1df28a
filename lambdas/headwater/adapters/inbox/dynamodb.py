"""The inbox in one DynamoDB table. Two kinds of rows share the key `key`: a message's row (`<ehr>/<sha256>`), and
`thread#<thread>`, which remembers the time of the newest news about one encounter or order. Only messages have one of
their states, so the index `by-state` (`state`, `updated_at`; all attributes projected) lists nothing else under them.
The work list keeps its rows here as well (`adapters/work_list`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.dynamodb_items import Item, in_state, pack, unpack
from headwater.model import MessageRecord, MessageState, Thread

_FIELDS = tuple(field.name for field in fields(MessageRecord))
_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoDbInbox:
    """`Inbox` in the table `table`; `client` is boto3's DynamoDB client (not the resource)."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def open(self, record: MessageRecord) -> MessageRecord:
        """One conditional PutItem; a refusal brings the known row along, so that a duplicate costs no second call."""
        with calling("inbox.unavailable"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=pack(asdict(record)),
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": "key"},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return _record(error.response["Item"])
        return record

    def close(self, key: str, state: MessageState, *, at: str, code: str = "", place: str = "", hint: str = "") -> None:
        """One UpdateItem; raises LookupError when the message was never opened."""
        changed = {
            "state": state,
            "updated_at": at,
            "error_code": code,
            "error_place": place,
            "error_hint": hint,
        }
        with calling("inbox.unavailable"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=pack({"key": key}),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changed),
                    ConditionExpression="attribute_exists(#key)",
                    ExpressionAttributeNames={"#key": "key"} | {f"#{name}": name for name in changed},
                    ExpressionAttributeValues={f":{name}": {"S": str(value)} for name, value in changed.items()},
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                raise LookupError(f"no message {key} was opened") from None

    def get(self, key: str) -> MessageRecord | None:
        with calling("inbox.unavailable"):
            answer = self._client.get_item(TableName=self._table, Key=pack({"key": key}), ConsistentRead=True)
        return _record(answer["Item"]) if "Item" in answer else None

    def list(self, state: MessageState, *, limit: int = 100) -> Sequence[MessageRecord]:
        with calling("inbox.unavailable"):
            items = in_state(self._client, self._table, state, limit=limit, newest_first=True)
            return [_record(item) for item in items]

    def advance(self, thread: str, event_time: datetime, told: Collection[str] = ()) -> Thread | None:
        """One conditional UpdateItem. The same time again is news: it is most likely the same message, tried again."""
        if event_time.tzinfo is None:
            raise ValueError("event_time must be aware")
        # Fixed width, so that DynamoDB's comparison of strings is a comparison of times.
        moment = event_time.astimezone(UTC).isoformat(timespec="microseconds")
        noted = {":told": {"SS": sorted(told)}} if told else {}
        with calling("inbox.unavailable"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=pack({"key": f"thread#{thread}"}),
                    UpdateExpression="SET event_time = :moment" + (" ADD told :told" if noted else ""),
                    ConditionExpression="attribute_not_exists(event_time) OR event_time <= :moment",
                    ExpressionAttributeValues={":moment": {"S": moment}} | noted,
                    ReturnValues="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return None
        return Thread(frozenset(answer.get("Attributes", {}).get("told", {}).get("SS", ())))


def _record(item: Item) -> MessageRecord:
    values = unpack(item, _FIELDS)
    return MessageRecord(**{**values, "state": MessageState(values["state"])})
