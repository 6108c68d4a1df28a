"""The ledger of write-backs in DynamoDB: one row per intent, with the exact bytes as Binary. A row is only ever moved
under the condition that it still has the version that was read, so two senders cannot both take it.

Table key `intent`; indexes `by-state` (`state`, `created_at`) and `by-fingerprint` (`fingerprint`, `created_at`), all
attributes projected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.dynamodb_items import Item, in_state, pack, unpack
from headwater.errors import Retry
from headwater.model import Proposal, ProposalState

_FIELDS = tuple(field.name for field in fields(Proposal))


class DynamoDbProposals:
    """`Proposals` in the table `table`; `client` is boto3's DynamoDB client (not the resource)."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, proposal: Proposal) -> bool:
        return self._put(proposal, ConditionExpression="attribute_not_exists(intent)")

    def get(self, intent: str) -> Proposal | None:
        with calling("ledger.unavailable"):
            answer = self._client.get_item(TableName=self._table, Key=pack({"intent": intent}), ConsistentRead=True)
        return _proposal(answer["Item"]) if "Item" in answer else None

    def list(self, state: ProposalState, *, limit: int = 100) -> Sequence[Proposal]:
        with calling("ledger.unavailable"):
            return [_proposal(item) for item in in_state(self._client, self._table, state, limit=limit)]

    def alike(self, fingerprint: str, *, limit: int = 20) -> Sequence[Proposal]:
        with calling("ledger.unavailable"):
            answer = self._client.query(
                TableName=self._table,
                IndexName="by-fingerprint",
                KeyConditionExpression="fingerprint = :fingerprint",
                ExpressionAttributeValues=pack({":fingerprint": fingerprint}),
                ScanIndexForward=False,
                Limit=limit,
            )
        return [_proposal(item) for item in answer["Items"]]

    def move(self, proposal: Proposal, *, expected_version: int) -> None:
        """One conditional PutItem. Raises ValueError if `proposal` does not carry the next version: a lock whose
        version stands still locks nothing."""
        if proposal.version != expected_version + 1:
            raise ValueError(f"a move raises the version by one: {expected_version} to {proposal.version}")
        moved = self._put(
            proposal,
            ConditionExpression="#version = :expected",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":expected": {"N": str(expected_version)}},
        )
        if not moved:
            raise Retry("ledger.conflict", place=proposal.intent, hint="somebody else moved it; read it again", after=1)

    def _put(self, proposal: Proposal, **condition: Any) -> bool:
        item = pack(asdict(proposal))
        if not proposal.fingerprint:
            del item["fingerprint"]  # the key of an index may be absent, never empty
        with calling("ledger.unavailable"):
            try:
                self._client.put_item(TableName=self._table, Item=item, **condition)
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _proposal(item: Item) -> Proposal:
    values = unpack(item, _FIELDS)
    # DynamoDB gives 1.0 back as 1.
    typed = {"state": ProposalState(values["state"]), "confidence": float(values["confidence"])}
    return Proposal(**{**values, **typed})
