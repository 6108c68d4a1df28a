"""A whole population into the index at once, in the rows that the gate itself would have written.

Nothing here overwrites. BatchWriteItem takes no conditions and costs as many write units as single writes, so it is not
used: a person comes in one transaction with its records' rows and its history, and only if none of these is there; a
bucket is put back only if nobody touched it since it was read. Persons come before buckets, so that a gate which has
looked into a bucket meanwhile is cancelled, as by another gate. All of it may be done again, whole or in part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from headwater.adapters.dynamodb_items import Item
from headwater.adapters.person_index import rows
from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex, Seen, noted
from headwater.errors import Retry
from headwater.model import Candidates, LinkEvent, Person

MOST_RECORDS = 49  # of a person in a TransactWriteItems of 100: its row; a row and a line of history for each record
MOST_ROWS = 100  # BatchGetItem
_UNIT = 1024  # bytes of an item that one write unit writes


@dataclass(frozen=True, slots=True)
class Settled:
    """A person as a batch settled it, and how it came to be: a line for each record, the oldest first."""

    person: Person
    history: tuple[LinkEvent, ...]

    @property
    def claims(self) -> list[Item]:
        """The keys of the rows that nobody may have written before: the person's and its records'."""
        return [rows.person_key(self.person.id), *(rows.record_key_of(one.key) for one in self.person.records)]


class Standing(StrEnum):
    """What became of a person: one that is `THERE` the index has with all these records, from a load before or by the
    gate; of one that was `TAKEN` the gate has some elsewhere, and nothing was written."""

    ADDED = "added"
    THERE = "there"
    TAKEN = "taken"


class DynamoDbLoad(DynamoDbPersonIndex):
    """The index, filled from outside of the gate. `add` and `file` raise Retry('match.unavailable' | 'match.conflict'),
    and can then be asked for again."""

    def add(self, persons: Sequence[Settled]) -> list[Standing]:
        """One read for each hundred rows, one transaction for each person that is not there."""
        claims = [claim for one in persons for claim in one.claims]
        found: dict[str, Item] = {}
        for first in range(0, len(claims), MOST_ROWS):
            found |= self._read(claims[first : first + MOST_ROWS])
        return [_standing(one, found) or self._added(one) for one in persons]

    def file(self, filed: Mapping[str, Set[str]]) -> None:
        """Put persons under blocking keys, beside those that are filed there: one read for each hundred keys, one
        PutItem for each bucket that changes."""
        note = noted(self.read((), (), list(filed)))
        for (pk, before), persons in zip(note.filed.items(), filed.values(), strict=True):
            after = before | self._beside(before, persons)
            if pk not in note.full and after != before:
                self._write([self._put_bucket(pk, after, note)])

    def units_of(self, one: Settled) -> int:
        """The write units of a person. Rows of records and lines of history are far below 1 KB; all are written in a
        transaction, which takes twice as many."""
        return 2 * (_units(rows.person_row(one.person, 1)) + len(one.person.records) + len(one.history))

    def units_filed(self, key: str, persons: Set[str]) -> int:
        """The write units of a bucket that is not there yet."""
        return _units(rows.bucket_row(f"bucket#{key}", self._beside(frozenset(), persons), 1, full=False))

    def _added(self, one: Settled) -> Standing:
        absent = Seen({claim["pk"]["S"]: 0 for claim in one.claims}, {})
        try:
            self.relink([one.person], one.history, keys={}, seen=Candidates(seen=absent))
        except Retry as lost:
            standing = lost.code == "match.conflict" and _standing(one, self._read(one.claims))
            if not standing:
                raise
            return standing
        return Standing.ADDED

    def _beside(self, before: Set[str], persons: Set[str]) -> frozenset[str]:
        """So many of the persons that the bucket is full, but no more: one that is full stands for nobody."""
        room = max(0, self._bucket_limit + 1 - len(before))
        return frozenset(islice(sorted(persons - before), room))


def _standing(one: Settled, found: Mapping[str, Item]) -> Standing | None:
    """None for a person of whom nothing is there."""
    person, *records = (found.get(claim["pk"]["S"], {}) for claim in one.claims)
    if person and all(record.get("person") == {"S": one.person.id} for record in records):
        return Standing.THERE
    return Standing.TAKEN if person or any(records) else None


def _units(row: Item) -> int:
    """Write units of an item: its size, rounded up.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    return -(-sum(len(name) + _size(*value.items()) for name, value in row.items()) // _UNIT)


def _size(typed: tuple[str, Any]) -> int:
    kind, value = typed
    if kind == "S":
        return len(value.encode())
    if kind in ("SS", "L"):
        return 3 + sum(1 + len(each["S"] if kind == "L" else each) for each in value)
    return len(value) if isinstance(value, (str, bytes)) else 1
