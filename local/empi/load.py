"""The table of a batch, made into what the index holds: persons with their records and their history.

Records lie in parts on disk, by person, so that no more than a part is in memory. What the batch did not settle goes to
the gate as messages: what it held for a steward, records without a number to go by, a number that comes twice, and
whoever the gate has met meanwhile.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from headwater.adapters.person_index.load import MOST_RECORDS, Settled
from headwater.ehrs import Ehr
from headwater.errors import Hold, Quarantine
from headwater.inbound.accept import message_key
from headwater.inbound.convert import convert
from headwater.inbound.match.record import linked_to, person_id_of, record_of
from headwater.model import Candidates, Envelope, Person, SourceRecord
from headwater.persons.blocking import profile_keys
from headwater.persons.history import events_of_save
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.templates.engine import Engine
from local.empi.spill import Spill

CONTENT_TYPE = "application/fhir+json"
_NOBODY_YET = Candidates()


@dataclass(frozen=True, slots=True)
class Message:
    """A record as its source would send it: one FHIR Patient."""

    ehr: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A file of FHIR Patients, one a line, and whose it is. A Patient that does not say since when it is so
    (`meta.lastUpdated`) is as of `as_of`."""

    path: Path
    ehr: Ehr
    engine: Engine
    as_of: datetime

    def messages(self) -> Iterator[tuple[str, Message]]:
        """Every record's id, and its message."""
        with self.path.open("rb") as lines:
            for line in filter(bytes.strip, lines):
                patient = orjson.loads(line)
                meta = {"lastUpdated": self.as_of.astimezone(UTC).isoformat(), **patient.get("meta", {})}
                yield str(patient["id"]), Message(self.ehr.name, orjson.dumps({**patient, "meta": meta}))

    def record(self, message: Message, policy: MatchingPolicy) -> SourceRecord | None:
        """What the gate would make of the message; None of what it would set aside."""
        envelope = Envelope(message_key(message.ehr, message.body), message.ehr, CONTENT_TYPE, message.body, "")
        try:
            return record_of(convert(envelope, self.ehr, self.engine), self.ehr.name, policy)
        except (Hold, Quarantine):
            return None


def split(sources: Sequence[Source], table: Path, policy: MatchingPolicy, records: Spill, rest: Spill) -> Iterator[int]:
    """Every record by its person into `records`, and the messages of those that were held into `rest`; gives how many
    are done. Raises ValueError when the table is of other files."""
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        for done, (source, record_id, message) in enumerate(_all(sources), 1):
            row = next(rows, {})
            if row.get("record_id") != record_id:
                raise ValueError(f"line {done} of the table is not of record {done} of the files: match them again")
            if person := row["person_id"]:
                records.put(person, (person, message, source.record(message, policy)))
            else:
                rest.put("", message)
            yield done
        if next(rows, None):
            raise ValueError("the table has more records than the files: match them again")


def _all(sources: Iterable[Source]) -> Iterator[tuple[Source, str, Message]]:
    for source in sources:
        for record_id, message in source.messages():
            yield source, record_id, message


@dataclass(frozen=True, slots=True)
class Group:
    """A person, and the messages that its records came in."""

    settled: Settled
    messages: tuple[Message, ...]

    def keys(self, policy: MatchingPolicy) -> frozenset[str]:
        """What the person is filed under."""
        return frozenset(
            key for one in self.settled.person.records for key in profile_keys(profile_of(one.traits, policy), policy)
        )


_Entry = tuple[str, Message, SourceRecord | None]


def groups(part: Iterable[_Entry]) -> tuple[list[Group], list[Message]]:
    """The persons of a part, and the messages that are left to the gate. It takes no record without a number, so it
    must look again at all who were linked by what such a record says; a second record of one number is news to it."""
    members: defaultdict[str, list[_Entry]] = defaultdict(list)
    for entry in part:
        members[entry[0]].append(entry)
    found, left = list[Group](), list[Message]()
    for entries in members.values():
        numbered: dict[str, tuple[Message, SourceRecord]] = {}
        for _, message, record in entries:
            if record is None or record.key in numbered:
                left.append(message)
            else:
                numbered[record.key] = message, record
        messages = tuple(message for message, _ in numbered.values())
        if len(numbered) > MOST_RECORDS or any(record is None for _, _, record in entries):
            left += messages
        else:
            found.append(Group(settle([record for _, record in numbered.values()]), messages))
    return found, left


def settle(records: Sequence[SourceRecord]) -> Settled:
    """The person that the first record founds and the others are linked to, as the gate links one after the other."""
    founder, *others = records
    person = Person(person_id_of(founder.key), 1, (founder,))
    history = [*events_of_save(person, founder.key, _NOBODY_YET)]
    for record in others:
        person = linked_to(person, record)
        history += events_of_save(person, record.key, _NOBODY_YET)
    return Settled(person, tuple(history))
