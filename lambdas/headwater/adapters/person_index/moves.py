"""Changes of links that the FHIR store does not show yet: rows of the persons' table, written with the change itself by
`DynamoDbPersonIndex`, read and taken away here. While a row is there, both persons' rows have its name in `moving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.dynamodb_items import pack
from headwater.adapters.person_index import rows
from headwater.errors import Retry
from headwater.model import Move

_CONDITION_FAILED = "ConditionalCheckFailed"


class DynamoDbMoves:
    """`Moves` in the persons' table `table`; `client` is boto3's DynamoDB client (not the resource)."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def list(self) -> Sequence[Move]:
        """One Query a page of 1 MB, some thousand rows."""
        with calling("match.unavailable"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :moves",
                ExpressionAttributeValues=pack({":moves": rows.MOVES}),
                ConsistentRead=True,
            )
            found = [rows.move_of(row) for page in pages for row in page["Items"]]
        return sorted(found, key=lambda move: move.event.at)

    def begin(self, move: Move, at: str) -> None:
        """One UpdateItem."""
        with calling("match.unavailable"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=rows.move_key(move.event.name),
                    UpdateExpression="SET since = :at",
                    ConditionExpression="attribute_exists(pk) AND attribute_not_exists(since)",
                    ExpressionAttributeValues=pack({":at": at}),
                )
            except ClientError as error:
                if error_code(error) != f"{_CONDITION_FAILED}Exception":
                    raise

    def end(self, move: Move) -> None:
        """One transaction of three rows."""
        name = move.event.name
        unmarked = {
            "UpdateExpression": "DELETE moving :name ADD rev :one",
            "ExpressionAttributeValues": {":name": {"SS": [name]}, ":one": {"N": "1"}},
        }
        gone = {"Key": rows.move_key(name), "ConditionExpression": "attribute_exists(pk)"}
        writes: list[dict[str, Any]] = [{"Delete": {"TableName": self._table, **gone}}]
        writes += (
            {"Update": {"TableName": self._table, "Key": rows.person_key(person_id), **unmarked}}
            for person_id in (move.event.person_id, move.event.other)
        )
        with calling("match.unavailable"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                reasons = {str(one.get("Code", "")) for one in error.response.get("CancellationReasons", ())}
                if "TransactionConflict" in reasons:
                    raise Retry("match.conflict", hint="news of a person came just now", after=1) from None
                if _CONDITION_FAILED not in reasons:
                    raise
