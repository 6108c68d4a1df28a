"""What one message costs in AWS calls, through all of ingest with the real adapters: a cost that can be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters.archive.s3 import S3Archive
from headwater.adapters.inbox.dynamodb import DynamoDbInbox
from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.adapters.queue.sqs import SqsQueue
from headwater.adapters.work_list.dynamodb import DynamoDbWorkList
from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.model import Delivery
from headwater.persons.policy import load_policy
from headwater.pipeline import Ingest
from local.demo.feed import make
from tests.adapters.conftest import Calls
from tests.fakes import FakeClock, FakeFhirStore, FakeWatch

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


def table(dynamodb: Any, name: str, key: str, sort: str = "") -> str:
    names = [key, *([sort] if sort else [])]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": n, "KeyType": t} for n, t in zip(names, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def ingest(client: Callable[[str], Any]) -> Ingest:
    s3, dynamodb, sqs = client("s3"), client("dynamodb"), client("sqs")
    s3.create_bucket(Bucket="archive")
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="write.fifo", Attributes=attributes)["QueueUrl"]
    return Ingest(
        ehrs=load(MAPPINGS),
        engine_for=engine_for(MAPPINGS),
        policy=load_policy(MAPPINGS),
        archive=S3Archive(s3, "archive"),
        inbox=DynamoDbInbox(dynamodb, table(dynamodb, "messages", "key")),
        persons=DynamoDbPersonIndex(dynamodb, table(dynamodb, "persons", "pk", "sk")),
        fhir=FakeFhirStore(),  # one transaction, one call: tests/adapters/test_fhir_store.py counts it
        write_queue=SqsQueue(sqs, url),
        watch=FakeWatch(),
        clock=FakeClock(),
        work_list=DynamoDbWorkList(dynamodb, "messages"),
    )


def test_what_the_messages_of_one_person_cost(ingest: Ingest, calls: Calls) -> None:
    demo = make(MAPPINGS, people=1, seed=3)
    chart = demo.charts[0]
    about = [one for one in demo.sendings if chart.mrn.encode() in one.body and one.expect == "stored"]
    costs = []
    for sending in about:
        with calls.counted() as seen:
            ingest(Delivery(sending.body.decode(), {"ehr": sending.ehr}))
        costs.append(Counter(seen))
    first, *later = costs
    # Archived, noted, looked up, filed, dated, closed.
    assert first.total() <= 7
    assert first["s3.PutObject"] == 1
    assert first["dynamodb.PutItem"] == 1
    assert first["dynamodb.TransactWriteItems"] == 1
    # A person who is known is read, and written only when there is news.
    assert later
    assert all(cost.total() - cost["sqs.SendMessage"] <= 7 for cost in later), later
    assert all(cost["dynamodb.TransactWriteItems"] == 0 for cost in later)


def test_what_was_seen_before_costs_two_calls(ingest: Ingest, calls: Calls) -> None:
    sending = make(MAPPINGS, people=1, seed=3).sendings[0]
    delivery = Delivery(sending.body.decode(), {"ehr": sending.ehr})
    ingest(delivery)
    with calls.counted() as seen:
        ingest(delivery)
    assert Counter(seen) == {"s3.PutObject": 1, "dynamodb.PutItem": 1}
