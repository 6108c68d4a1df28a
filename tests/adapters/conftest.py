"""AWS in process for the contract suites: moto's mock, the tables and buckets as `infra/data.py` lays them out, and a
ledger of the calls each operation makes (calls are money and milliseconds)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto import mock_aws

from headwater.adapters.clients import client_of, session_of

REGION = "us-east-1"
# One session for all tests: it keeps the service models it has read, which is most of what a client costs.
SESSION = session_of(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
ARCHIVE, FEEDS, AUDIT, MESSAGES, PROPOSALS = "archive", "feeds", "audit-log", "messages", "proposals"


class Calls(list[str]):
    """The operations that went out, in order, for example `["s3.PutObject"]`."""

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        before = len(self)
        seen: list[str] = []
        yield seen
        seen.extend(self[before:])


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def client(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():

        def build(service: str) -> Any:
            built = client_of(SESSION, service)
            built.meta.events.register(
                f"before-call.{service}", lambda model, **_: calls.append(f"{service}.{model.name}")
            )
            return built

        yield build


@pytest.fixture
def table(client: Callable[[str], Any]) -> Callable[[str, str, str], Any]:
    """`table(name, key, sort)` makes a table with the key `key` and the index `by-state` (`state`, `sort`); the
    ledger's also has `by-fingerprint`."""

    def make(name: str, key: str, sort: str) -> Any:
        dynamodb = client("dynamodb")
        indexed = ("state", "fingerprint") if name == PROPOSALS else ("state",)
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in (key, *indexed, sort)],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": f"by-{each}",
                    "KeySchema": [
                        {"AttributeName": each, "KeyType": "HASH"},
                        {"AttributeName": sort, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for each in indexed
            ],
        )
        return dynamodb

    return make
