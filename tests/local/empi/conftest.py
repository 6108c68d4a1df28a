"""Indexes of persons in moto, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from headwater.adapters.clients import client_of, session_of
from local.aws import moto_tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two tables of persons, `loaded` and `gated`; transactions cost what they touch, as in the local stack."""
    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", moto_tables._transact)
    monkeypatch.setattr(Table, "__deepcopy__", lambda table, _: table, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    account = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    with mock_aws():
        client = client_of(session_of(**account), "dynamodb")
        for name in ("loaded", "gated"):
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            )
        yield client
