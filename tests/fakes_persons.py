"""A `PersonIndex` in memory that keeps the port's contract, for tests of whatever stands on it.

It holds revisions as the DynamoDB adapter does, so that a lost race is a lost race here too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from headwater.errors import Retry
from headwater.model import Candidates, Decision, LinkEvent, Move, Person
from headwater.persons.history import events_of_save


@dataclass
class _Record:
    person_id: str = ""
    decision: Decision | None = None
    apart: frozenset[str] = frozenset()


class InMemoryPersonIndex:
    def __init__(self, *, bucket_limit: int = 50) -> None:
        self.persons: dict[str, Person] = {}
        self.records: defaultdict[str, _Record] = defaultdict(_Record)
        self.buckets: defaultdict[str, set[str]] = defaultdict(set)
        self.full: set[str] = set()
        self.answers: defaultdict[str, list[Decision]] = defaultdict(list)
        self.events: defaultdict[str, list[LinkEvent]] = defaultdict(list)
        self.moves: dict[str, Move] = {}
        self.saves = 0
        self._limit = bucket_limit
        self._revisions: Counter[tuple[str, str]] = Counter()

    def find(self, record_key: str, keys: Sequence[str], *, likely: str = "") -> Candidates:
        record = self.records[record_key]
        wanted = {record.person_id} if record.person_id else {one for key in keys for one in self.buckets[key]}
        wanted |= {record.decision.link_to} if record.decision and record.decision.link_to else set()
        rows = [("record", record_key), *(("bucket", key) for key in keys), *(("person", one) for one in wanted)]
        return Candidates(
            known=self.persons.get(record.person_id),
            persons=tuple(one for one in self._persons(wanted - {record.person_id}) if one.records),
            full=not record.person_id and any(key in self.full for key in keys),
            decision=record.decision,
            apart=record.apart,
            seen={row: self._revisions[row] for row in rows},
        )

    def get(self, person_id: str) -> Person | None:
        return self.persons.get(person_id)

    def save(
        self, person: Person, *, record_key: str, keys: Sequence[str], seen: Candidates, left: Person | None = None
    ) -> None:
        linked = seen.known is not None and seen.known.id == person.id
        fresh = [key for key in keys if person.id not in self.buckets[key]]
        touched = {("person", person.id), *(("bucket", key) for key in (fresh if linked else keys))}
        touched |= {("person", left.id)} if left else set()
        touched |= {("record", record_key)} if not linked or seen.decision else set()
        assert isinstance(seen.seen, dict)
        if any(self._revisions[row] != seen.seen.get(row, 0) for row in touched):
            raise Retry("match.conflict")
        for one in (person, left) if left else (person,):
            self.persons[one.id] = one
            self._revisions["person", one.id] += 1
        if ("record", record_key) in touched:
            self.records[record_key] = replace(self.records[record_key], person_id=person.id, decision=None)
            self._revisions["record", record_key] += 1
        self._note(events_of_save(person, record_key, seen, left))
        for key in fresh:
            self._file(person.id, key)
        self.saves += 1

    def read(self, person_ids: Sequence[str], record_keys: Sequence[str], keys: Sequence[str]) -> Candidates:
        rows = [("record", one) for one in record_keys] + [("bucket", one) for one in keys]
        rows += [("person", one) for one in person_ids]
        return Candidates(persons=self._persons(person_ids), seen={row: self._revisions[row] for row in rows})

    def relink(
        self,
        persons: Sequence[Person],
        events: Sequence[LinkEvent],
        *,
        keys: Mapping[str, Collection[str]],
        seen: Candidates,
    ) -> None:
        assert isinstance(seen.seen, dict)
        if any(self._revisions[row] != revision for row, revision in seen.seen.items()):
            raise Retry("match.conflict")
        for person in persons:
            self.persons[person.id] = person
            self._revisions["person", person.id] += 1
        for key, person_id in ((key, event.person_id) for event in events for key in event.gained):
            self.records[key] = replace(self.records[key], person_id=person_id, decision=None)
            self._revisions["record", key] += 1
        self._note(events)
        for bucket in [name for row, name in seen.seen if row == "bucket"]:
            for person_id, own in keys.items():
                if bucket in own and person_id not in self.buckets[bucket]:
                    self._file(person_id, bucket)
                elif bucket not in own and person_id in self.buckets[bucket]:
                    self.buckets[bucket].remove(person_id)
                    self._revisions["bucket", bucket] += 1

    def history(self, person_id: str) -> Sequence[LinkEvent]:
        return tuple(self.events[person_id])

    def decide(self, decision: Decision) -> None:
        if decision.version != len(self.answers[decision.record_key]) + 1:
            raise Retry("match.conflict")
        record = self.records[decision.record_key]
        self.records[decision.record_key] = replace(record, decision=decision, apart=record.apart | decision.apart_from)
        self.answers[decision.record_key].append(decision)
        self._revisions["record", decision.record_key] += 1

    def decisions(self, record_key: str) -> Sequence[Decision]:
        return tuple(self.answers[record_key])

    def _persons(self, person_ids: Iterable[str]) -> tuple[Person, ...]:
        return tuple(self.persons[one] for one in sorted(person_ids) if one in self.persons)

    def _note(self, events: Iterable[LinkEvent]) -> None:
        for event in events:
            if event.version in (known.version for known in self.events[event.person_id]):
                raise Retry("match.conflict")
            self.events[event.person_id].append(event)
            if event.moves:
                self.moves[event.name] = Move(event)

    def _file(self, person_id: str, key: str) -> None:
        if key in self.full:
            return
        if len(self.buckets[key]) >= self._limit:
            self.full.add(key)
        else:
            self.buckets[key].add(person_id)
        self._revisions["bucket", key] += 1


class InMemoryMoves:
    """`Moves` of an `InMemoryPersonIndex`."""

    def __init__(self, index: InMemoryPersonIndex) -> None:
        self._index = index

    def list(self) -> Sequence[Move]:
        return sorted(self._index.moves.values(), key=lambda move: move.event.at)

    def begin(self, move: Move, at: str) -> None:
        known = self._index.moves.get(move.event.name)
        if known is not None and not known.since:
            self._index.moves[move.event.name] = replace(known, since=at)

    def end(self, move: Move) -> None:
        name = move.event.name
        if self._index.moves.pop(name, None) is None:
            return
        for person_id in (move.event.person_id, move.event.other):
            person = self._index.persons[person_id]
            self._index.persons[person_id] = replace(person, moving=person.moving - {name})
            self._index._revisions["person", person_id] += 1
