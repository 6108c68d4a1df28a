"""What one incoming patient costs against an index of many persons: CPU, candidates, round trips to DynamoDB.

The adapter, its rows and botocore are the real ones; only the wire is cut. An event of botocore answers each request
with the bytes that DynamoDB would send, so that signing, writing and reading them is counted, and DynamoDB's own work
is not.
"""

from __future__ import annotations

import base64
import gc
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.awsrequest import AWSResponse

from headwater.adapters.clients import client_of, session_of
from headwater.adapters.dynamodb_items import Item, pack
from headwater.adapters.person_index import rows
from headwater.adapters.person_index.dynamodb import BUCKET_LIMIT, DynamoDbPersonIndex
from headwater.model import Person, Resource, SourceRecord
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.grade import grade_linked, grade_person, only_one
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.persons.traits import traits_of
from local.aws.clients import CREDENTIALS, REGION
from local.empi.patients import patient_of
from local.empi.truth import Known

_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_ASKED = 2000  # returning records that are kept out of the index and then looked for


@dataclass(slots=True)
class Speed:
    """CPU in seconds; one entry of `cpu`, `candidates` and `trips` for each incoming record, and of `graded` and
    `from_items` for each fifty candidates: compared and graded, and that from DynamoDB's items on."""

    persons: int = 0
    cpu: list[float] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    full: int = 0
    graded: list[float] = field(default_factory=list)
    from_items: list[float] = field(default_factory=list)


class _Wire:
    """A table in memory that answers BatchGetItem in DynamoDB's own format; counts requests and its own CPU."""

    def __init__(self) -> None:
        self.rows: dict[str, Item] = {}
        self.buckets: defaultdict[str, list[str]] = defaultdict(list)
        self.trips = 0
        self.cpu = 0.0

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        started = time.process_time()
        ((table, asked),) = json.loads(request.body)["RequestItems"].items()
        found = [row for key in asked["Keys"] if (row := self._row(key["pk"]["S"]))]
        body = json.dumps({"Responses": {table: found}, "UnprocessedKeys": {}}, default=_as_sent).encode()
        self.trips += 1
        self.cpu += time.process_time() - started
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, _Body(body))

    def _row(self, pk: str) -> Item | None:
        if pk in self.rows:
            return self.rows[pk]
        if pk not in self.buckets:
            return None
        persons = self.buckets[pk]
        row = pack({"pk": pk, "sk": rows.BUCKET, "rev": len(persons)}) | {"persons": {"SS": persons[:BUCKET_LIMIT]}}
        return row | ({"full": {"BOOL": True}} if len(persons) > BUCKET_LIMIT else {})


class _Body:
    """The one thing that botocore asks of a raw response."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterable[bytes]:
        yield self._body


def measure_speed(records: Sequence[Known], policy: MatchingPolicy) -> Speed:
    """Index every person but for the last records of some of them, then look for these."""
    wire, incoming, result = _Wire(), [], Speed()
    persons: defaultdict[str, list[Known]] = defaultdict(list)
    for record in records:
        persons[record.person].append(record)
    several = [of for of in persons.values() if len(of) > 1]
    for of in several[:: max(1, len(several) // _ASKED)]:
        incoming.append(of.pop())
    for person, of in persons.items():
        _keep(wire, person, of, policy)
    result.persons = len(persons)
    account = {name.lower(): value for name, value in CREDENTIALS.items()} | {"region_name": REGION}
    dynamodb = client_of(session_of(**account), "dynamodb", endpoint_url="http://127.0.0.1:1")
    dynamodb.meta.events.register("before-send.dynamodb", wire.answer)
    index = DynamoDbPersonIndex(dynamodb, "persons")
    gc.collect()
    gc.freeze()  # the table is not in the memory of a Lambda, whose collector does not look through it either
    for record in [*incoming[:50], *incoming]:  # the first ones warm up: a Lambda is cold once, and is not measured so
        _look_for(patient_of(record.traits, record.id), index, wire, policy, result)
    del result.cpu[:50], result.candidates[:50], result.trips[:50]
    _fifty(incoming, wire, policy, result)
    gc.unfreeze()
    return result


def _keep(wire: _Wire, person: str, records: Iterable[Known], policy: MatchingPolicy) -> None:
    linked = tuple(
        SourceRecord(one.id, one.source, one.traits, _NOON, patient_of(one.traits, one.id)) for one in records
    )
    row = rows.person_row(Person(person, len(linked), linked), len(linked))
    wire.rows[row["pk"]["S"]] = row
    for key in dict.fromkeys(key for one in records for key in profile_keys(one.profile, policy)):
        wire.buckets[rows.bucket_key(key)["pk"]["S"]].append(person)


def _look_for(
    patient: Resource, index: DynamoDbPersonIndex, wire: _Wire, policy: MatchingPolicy, result: Speed
) -> None:
    """What `inbound.match` does before it saves."""
    trips, served, started = wire.trips, wire.cpu, time.process_time()
    profile = profile_of(traits_of(patient), policy)
    seen = index.find(patient["id"], lookup_keys(profile, policy), likely="nobody")
    grades = [grade_person(profile, person, policy) for person in seen.persons]
    only_one(grades, policy)
    result.cpu.append(time.process_time() - started - (wire.cpu - served))
    result.candidates.append(len(seen.persons))
    result.trips.append(wire.trips - trips)
    result.full += seen.full


def _fifty(incoming: Sequence[Known], wire: _Wire, policy: MatchingPolicy, result: Speed) -> None:
    """Fifty candidates with names like one another, which compare slowest; each fifty only once, so that none of its
    comparisons is remembered."""
    alike = sorted(incoming, key=lambda record: (record.profile.family, record.profile.given))
    for place in range(0, len(alike) - 50, 50):
        fifty = alike[place : place + 50]
        one, items = fifty[25].profile, [wire.rows[rows.person_key(record.person)["pk"]["S"]] for record in fifty]
        started = time.process_time()
        for other in fifty:
            grade_linked(one, (other.profile,), policy)
        result.graded.append(time.process_time() - started)
        started = time.process_time()
        for item in items:
            grade_person(one, rows.person_of(item), policy)
        result.from_items.append(time.process_time() - started)


def _as_sent(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
