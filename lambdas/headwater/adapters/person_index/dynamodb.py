"""Persons in one DynamoDB table, found by blocking keys in one BatchGetItem and kept by one TransactWriteItems.

Buckets are items of the table and not a global index, which is eventually consistent and would miss a person that was
made a moment ago. What `find` read goes back into `save` as conditions, so that two Lambdas that see one new human at
the same time make one person: the slower one is cancelled and matches again. docs/empi.md has the design.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.dynamodb_items import Item, pack
from headwater.adapters.person_index import rows
from headwater.errors import Refuse, Retry
from headwater.model import Candidates, Decision, LinkEvent, Person
from headwater.persons.history import events_of_save

# So many persons share a key before it stands for nobody any more. Two buckets' worth fit one BatchGetItem (100 keys).
BUCKET_LIMIT = 50
_MOST_KEYS_A_READ = 100  # BatchGetItem, https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
_MOST_WRITES = 100  # TransactWriteItems
_READ_ATTEMPTS = 3
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html, cancellation reasons
_LOST_RACE = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What `find` read: the revision of each row by `pk` (0 = not there), and who is in which bucket."""

    revisions: Mapping[str, int]
    filed: Mapping[str, frozenset[str]]
    full: frozenset[str] = field(default_factory=frozenset)


class DynamoDbPersonIndex:
    """`PersonIndex` in the table `table`; `client` is boto3's DynamoDB client (not the resource)."""

    def __init__(self, client: Any, table: str, *, bucket_limit: int = BUCKET_LIMIT) -> None:
        self._client = client
        self._table = table
        self._bucket_limit = bucket_limit

    def find(self, record_key: str, keys: Sequence[str], *, likely: str = "") -> Candidates:
        asked = [rows.record_key_of(record_key), *(rows.bucket_key(key) for key in keys)]
        found = self._read([*asked, *([rows.person_key(likely)] if likely else [])])
        record = found.get(_pk(asked[0]), {})
        filed = {_pk(key): frozenset(found.get(_pk(key), {}).get("persons", {}).get("SS", ())) for key in asked[1:]}
        full = {pk for pk in filed if "full" in found.get(pk, {})}
        linked = record.get("person", {}).get("S", "")
        decision = rows.decision_of(record["decision"]["S"]) if "decision" in record else None
        # Who is linked is checked against that person alone, so the others need not be read.
        wanted = {linked} if linked else set().union(*filed.values())
        wanted |= {decision.link_to} if decision and decision.link_to else set()
        too_many = len(wanted) > _MOST_KEYS_A_READ - 1
        unread = [rows.person_key(one) for one in sorted(wanted) if f"person#{one}" not in found]
        found |= self._read([] if too_many else unread)
        persons = {one: rows.person_of(found[f"person#{one}"]) for one in sorted(wanted) if f"person#{one}" in found}
        return Candidates(
            known=persons.pop(linked, None),
            persons=tuple(person for person in persons.values() if person.records),
            full=not linked and bool(full or too_many),
            decision=decision,
            apart=frozenset(record.get("apart", {}).get("SS", ())),
            seen=Seen(revisions=_revisions(asked, found), filed=filed, full=frozenset(full)),
        )

    def get(self, person_id: str) -> Person | None:
        found = self._read([rows.person_key(person_id)])
        return next((rows.person_of(row) for row in found.values()), None)

    def save(
        self, person: Person, *, record_key: str, keys: Sequence[str], seen: Candidates, left: Person | None = None
    ) -> None:
        """A transaction of some ten rows; only a PutItem when a linked record is renewed and shares no new key."""
        note = noted(seen)
        linked = seen.known is not None and seen.known.id == person.id
        writes = [self._put_person(person, seen, note)]
        if not linked or seen.decision is not None:
            writes.append(self._link(record_key, person.id, note))
        if left is not None:
            writes.append(self._put_person(left, seen, note))
        writes += self._note_events(events_of_save(person, record_key, seen, left))
        writes += self._file(person.id, keys, note, recheck=not linked)
        self._write(writes)

    def read(self, person_ids: Sequence[str], record_keys: Sequence[str], keys: Sequence[str]) -> Candidates:
        """One round trip for each hundred rows."""
        wanted = [rows.person_key(one) for one in person_ids]
        buckets = [rows.bucket_key(key) for key in keys]
        asked = [*wanted, *map(rows.record_key_of, record_keys), *buckets]
        found: dict[str, Item] = {}
        for first in range(0, len(asked), _MOST_KEYS_A_READ):
            found |= self._read(asked[first : first + _MOST_KEYS_A_READ])
        filed = {_pk(key): frozenset(found.get(_pk(key), {}).get("persons", {}).get("SS", ())) for key in buckets}
        full = frozenset(pk for pk in filed if "full" in found.get(pk, {}))
        persons = tuple(rows.person_of(found[_pk(key)]) for key in wanted if _pk(key) in found)
        return Candidates(persons=persons, seen=Seen(_revisions(asked, found), filed, full))

    def relink(
        self,
        persons: Sequence[Person],
        events: Sequence[LinkEvent],
        *,
        keys: Mapping[str, Collection[str]],
        seen: Candidates,
    ) -> None:
        """One transaction; a person is filed or taken out of a bucket by writing the bucket as a whole."""
        note = noted(seen)
        writes = [self._put_person(person, seen, note) for person in persons]
        writes += self._note_events(events)
        writes += [self._link(key, event.person_id, note) for event in events for key in event.gained]
        writes += self._refile(keys, note)
        if len(writes) > _MOST_WRITES:
            hint = f"{len(writes)} rows would change at once, of at most {_MOST_WRITES}: move fewer records at a time"
            raise Refuse("steward.too_large", place="person", hint=hint)
        self._write(writes)

    def history(self, person_id: str) -> Sequence[LinkEvent]:
        return [rows.event_of(row) for row in self._lines(rows.person_key(person_id), "event#")]

    def decide(self, decision: Decision) -> None:
        """Two rows: the open answer on the record, and its line in the record's history."""
        text = rows.decision_json(decision)
        values = {":d": {"S": text}, ":n": {"N": str(decision.version)}, ":one": {"N": "1"}}
        apart = {":apart": {"SS": sorted(decision.apart_from)}} if decision.apart_from else {}
        before = {":before": {"N": str(decision.version - 1)}} if decision.version > 1 else {}
        note = {
            "Key": rows.record_key_of(decision.record_key),
            "UpdateExpression": "SET decision = :d, decisions = :n ADD rev :one" + (", apart :apart" if apart else ""),
            "ConditionExpression": "decisions = :before" if before else "attribute_not_exists(decisions)",
            "ExpressionAttributeValues": values | apart | before,
        }
        line = rows.decision_key(decision.record_key, decision.version) | pack({"decision": text, "rev": 1})
        history = {"Item": line, "ConditionExpression": "attribute_not_exists(pk)"}
        self._write([{"Update": self._here(note)}, {"Put": self._here(history)}])

    def decisions(self, record_key: str) -> Sequence[Decision]:
        lines = self._lines(rows.record_key_of(record_key), "decision#")
        return [rows.decision_of(line["decision"]["S"]) for line in lines]

    # ------------------------------------------------------------------------------------------------------- writes

    def _put_person(self, person: Person, seen: Candidates, note: Seen) -> dict[str, Any]:
        """A person that `find` did not give must be new, even if a row of that id was read along: never overwritten."""
        given = {one.id for one in (seen.known, *seen.persons) if one}
        revision = note.revisions[f"person#{person.id}"] if person.id in given else 0
        return {"Put": self._here({"Item": rows.person_row(person, revision + 1)} | _unchanged(revision))}

    def _link(self, record_key: str, person_id: str, note: Seen) -> dict[str, Any]:
        """Point the record to the person; what stewards answered before stays on the row."""
        key = rows.record_key_of(record_key)
        condition = _unchanged(note.revisions[_pk(key)])
        values = {":p": {"S": person_id}, ":k": {"S": record_key}, ":one": {"N": "1"}}
        update = {"Key": key, "UpdateExpression": "SET person = :p, record_key = :k ADD rev :one REMOVE decision"}
        return {"Update": self._here(condition | update | _values(condition, values))}

    def _file(self, person_id: str, keys: Iterable[str], note: Seen, *, recheck: bool) -> list[dict[str, Any]]:
        """Put the person into the buckets that miss it. With `recheck` the others must still be as they were read:
        else a rival might have been filed there since."""
        writes = []
        for key in map(rows.bucket_key, dict.fromkeys(keys)):
            pk = _pk(key)
            condition = _unchanged(note.revisions[pk])
            if person_id not in note.filed[pk] and pk not in note.full:
                overflows = len(note.filed[pk]) >= self._bucket_limit
                change, value = ("SET #full = :p", {"BOOL": True}) if overflows else ("", {"SS": [person_id]})
                update = {
                    "Key": key,
                    "UpdateExpression": f"{change} ADD rev :one" + ("" if overflows else ", persons :p"),
                }
                names = {"ExpressionAttributeNames": {"#full": "full"}} if overflows else {}
                values = _values(condition, {":p": value, ":one": {"N": "1"}})
                writes.append({"Update": self._here(condition | update | names | values)})
            elif recheck:
                writes.append({"ConditionCheck": self._here({"Key": key} | condition)})
        return writes

    def _refile(self, keys: Mapping[str, Collection[str]], note: Seen) -> list[dict[str, Any]]:
        """The buckets that change. One that is over-full stays as it is: it stands for nobody."""
        writes = []
        named = {person: {_pk(rows.bucket_key(key)) for key in own} for person, own in keys.items()}
        for pk, before in note.filed.items():
            after = (before - named.keys()) | {person for person, own in named.items() if pk in own}
            if pk not in note.full and after != before:
                writes.append(self._put_bucket(pk, after, note))
        return writes

    def _put_bucket(self, pk: str, persons: Set[str], note: Seen) -> dict[str, Any]:
        revision = note.revisions[pk]
        row = rows.bucket_row(pk, persons, revision + 1, full=len(persons) > self._bucket_limit)
        return {"Put": self._here({"Item": row} | _unchanged(revision))}

    def _note_events(self, events: Iterable[LinkEvent]) -> list[dict[str, Any]]:
        """Lines of the histories, and a note of what has to follow in the FHIR store (`moves.py` reads it)."""
        events = list(events)
        lines = [*map(rows.event_row, events), *(rows.move_row(event) for event in events if event.moves)]
        return [{"Put": self._here({"Item": line} | _unchanged(0))} for line in lines]

    def _write(self, writes: Sequence[dict[str, Any]]) -> None:
        try:
            with calling("match.unavailable"):
                if len(writes) == 1 and "Put" in writes[0]:
                    self._client.put_item(**writes[0]["Put"])
                else:
                    self._client.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            reasons = _reasons(error)
            if error_code(error) == "ConditionalCheckFailedException" or (reasons and reasons <= _LOST_RACE):
                raise Retry("match.conflict", hint="somebody else was faster; match again", after=1) from None
            if reasons & _THROTTLED:
                raise Retry("match.unavailable", hint=f"DynamoDB cancelled: {', '.join(sorted(reasons))}") from None
            raise

    def _here(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"TableName": self._table, **request}

    # -------------------------------------------------------------------------------------------------------- reads

    def _read(self, keys: Sequence[Item]) -> dict[str, Item]:
        """The rows that are there, by `pk`, in one round trip (more only if DynamoDB leaves some for later)."""
        found: dict[str, Item] = {}
        unread = list({_pk(key): key for key in keys}.values())
        for _ in range(_READ_ATTEMPTS if unread else 0):
            with calling("match.unavailable"):
                asked = {self._table: {"Keys": unread, "ConsistentRead": True}}
                answer = self._client.batch_get_item(RequestItems=asked)
            found |= {_pk(row): row for row in answer["Responses"].get(self._table, ())}
            unread = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if not unread:
                return found
        if unread:
            raise Retry("match.unavailable", hint="DynamoDB left keys unread", after=1)
        return found

    def _lines(self, key: Item, beginning: str) -> Iterator[Item]:
        """The rows beside a row whose sort keys begin so, in order."""
        with calling("match.unavailable"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :beginning)",
                ExpressionAttributeValues={":pk": key["pk"], ":beginning": {"S": beginning}},
                ConsistentRead=True,
            )
            yield from (item for page in pages for item in page["Items"])


def noted(seen: Candidates) -> Seen:
    if not isinstance(seen.seen, Seen):
        raise TypeError("a write takes the Candidates that this index gave")
    return seen.seen


def _revisions(asked: Iterable[Item], found: Mapping[str, Item]) -> dict[str, int]:
    """The revision of each row, 0 for one that is not there."""
    return {_pk(key): 0 for key in asked} | {pk: int(row["rev"]["N"]) for pk, row in found.items()}


def _pk(row: Mapping[str, Any]) -> str:
    return str(row["pk"]["S"])


def _unchanged(revision: int) -> dict[str, Any]:
    """The condition that a row still has the revision that was read."""
    if not revision:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {"ConditionExpression": "rev = :seen", "ExpressionAttributeValues": {":seen": {"N": str(revision)}}}


def _values(condition: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {"ExpressionAttributeValues": {**condition.get("ExpressionAttributeValues", {}), **values}}


def _reasons(error: ClientError) -> set[str]:
    """Why a transaction was cancelled, without what DynamoDB says of the rows that were not at fault."""
    return {str(reason.get("Code", "")) for reason in error.response.get("CancellationReasons", ())} - {"None"}
