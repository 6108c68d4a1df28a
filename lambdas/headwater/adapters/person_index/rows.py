"""The rows of the single table: how persons, records, buckets, decisions and moves are written as DynamoDB items.

Partition key `pk`, sort key `sk`. Every row that can change has `rev`, which counts its changes and is what `save`
holds its conditions against. docs/empi.md draws the table and its access patterns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import orjson

from headwater.adapters.dynamodb_items import Item, pack
from headwater.model import Decision, Identifier, LinkChange, LinkEvent, Move, Person, SourceRecord, Traits

PERSON, RECORD, BUCKET, MOVES = "person", "record", "bucket", "moves"


def person_key(person_id: str) -> Item:
    return _key(f"person#{person_id}", PERSON)


def record_key_of(record_key: str) -> Item:
    """The record's row. An MRN is PHI, so it stands in the row and not in its key."""
    return _key(f"record#{_digest(record_key)}", RECORD)


def bucket_key(blocking_key: str) -> Item:
    return _key(f"bucket#{blocking_key}", BUCKET)


def decision_key(record_key: str, version: int) -> Item:
    return _key(f"record#{_digest(record_key)}", f"decision#{version:06d}")


def event_key(person_id: str, version: int) -> Item:
    return _key(f"person#{person_id}", f"event#{version:06d}")


def move_key(name: str) -> Item:
    """All moves lie together: there are few at a time, and whoever takes them up asks for all."""
    return _key(MOVES, name)


def person_row(person: Person, revision: int) -> Item:
    """A person in one item of some KB; DynamoDB takes 400 KB, some hundred records."""
    records = orjson.dumps([_record(record) for record in person.records])
    merged: dict[str, Any] = {"replaced_by": person.replaced_by} if person.replaced_by else {}
    merged |= {"replaces": list(person.replaces)} if person.replaces else {}
    row = person_key(person.id) | pack({"rev": revision, "version": person.version, "records": records, **merged})
    return row | ({"moving": {"SS": sorted(person.moving)}} if person.moving else {})


def person_of(row: Item) -> Person:
    records = orjson.loads(row["records"]["B"])
    return Person(
        id=row["pk"]["S"].partition("#")[2],
        version=int(row["version"]["N"]),
        records=tuple(_source_record(values) for values in records),
        replaced_by=row.get("replaced_by", {}).get("S", ""),
        replaces=tuple(each["S"] for each in row.get("replaces", {}).get("L", ())),
        moving=frozenset(row.get("moving", {}).get("SS", ())),
    )


def bucket_row(pk: str, persons: Set[str], revision: int, *, full: bool) -> Item:
    row = pack({"pk": pk, "sk": BUCKET, "rev": revision}) | ({"full": {"BOOL": True}} if full else {})
    return row | ({"persons": {"SS": sorted(persons)}} if persons else {})


def event_row(event: LinkEvent) -> Item:
    return event_key(event.person_id, event.version) | _event(event)


def move_row(event: LinkEvent) -> Item:
    return move_key(event.name) | _event(event)


def move_of(row: Item) -> Move:
    return Move(event_of(row), row.get("since", {}).get("S", ""))


def _event(event: LinkEvent) -> Item:
    return pack({"event": orjson.dumps(asdict(event)).decode()})


def event_of(row: Item) -> LinkEvent:
    values = orjson.loads(row["event"]["S"])
    listed = {name: tuple(values[name]) for name in ("gained", "lost")}
    return LinkEvent(**values | listed | {"change": LinkChange(values["change"])})


def decision_json(decision: Decision) -> str:
    return orjson.dumps(asdict(decision) | {"apart_from": sorted(decision.apart_from)}).decode()


def decision_of(text: str) -> Decision:
    values = orjson.loads(text)
    return Decision(**values | {"apart_from": frozenset(values["apart_from"])})


def _record(record: SourceRecord) -> dict[str, Any]:
    traits = {name: value for name, value in asdict(record.traits).items() if value}
    event_time = record.event_time.isoformat()
    retired = {"retired": True} if record.retired else {}
    return {
        "key": record.key, "ehr": record.ehr, "event_time": event_time, "traits": traits, "patient": record.patient,
        **retired,
    }  # fmt: skip


def _source_record(values: dict[str, Any]) -> SourceRecord:
    return SourceRecord(
        key=values["key"],
        ehr=values["ehr"],
        traits=_traits(values["traits"]),
        event_time=datetime.fromisoformat(values["event_time"]),
        patient=values["patient"],
        retired=values.get("retired", False),
    )


def _traits(values: dict[str, Any]) -> Traits:
    """Traits from JSON, where tuples are lists and dates are text; the values are changed where they lie."""
    values["identifiers"] = [Identifier(**entry) for entry in values.get("identifiers", ())]
    for name, value in values.items():
        if type(value) is list:
            values[name] = tuple(value)
    if born := values.get("birth_date"):
        values["birth_date"] = date.fromisoformat(born)
    return Traits(**values)


def _key(pk: str, sk: str) -> Item:
    """`pack` for a key: a match makes some fifteen."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
