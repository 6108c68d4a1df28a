"""follow: what was stored follows its record. After a record has gone to another person (a merge, its reverse, a split,
a steward's answer) everything in the FHIR store that came from it is told of the person whose it is now.

A change of links leaves a note in the index (`Moves`), and this runs by the clock. It asks the index whose a record is
and makes the store agree, so that it may be killed anywhere, run twice, or run after the next change: the end is one.
The store's search lags behind its writes, and a message that was matched before the change may be stored after it;
therefore a note is taken up twice, at once and when all of that must be over, and only then it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from headwater.errors import HeadwaterError, Quarantine
from headwater.fhir.ids import content_id
from headwater.fhir.source import SYSTEM, given_to, source_code, source_of, types_about_patients
from headwater.fhir.us_core import claim
from headwater.model import LinkEvent, Move, Resource
from headwater.persons.golden import golden_patient
from headwater.ports import Clock, FhirStore, Moves, PersonIndex, Watch

# One run of ingest (60 s, infra/inbound.py), and ten times what HealthLake's search was seen to lag behind (20 s).
SETTLED = timedelta(seconds=60 + 10 * 20)
_TOGETHER = 50  # moves of one look
_TAGS = 50  # of one search: some 3 KB of URL
_TARGETS = 100  # of one Provenance, and until the index is asked again
_ATTEMPTS = 3
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """The step with its ports filled. One call takes up every move that is due."""

    index: PersonIndex
    moves: Moves
    fhir: FhirStore
    watch: Watch
    clock: Clock

    def __call__(self) -> int:
        """Gives how many moves are left: not yet settled, or failed and to be tried again by the next run."""
        moves, now = self.moves.list(), self.clock()
        due = [move for move in moves if not move.since or _settled(move, now)]
        ended = sum(self._take_up(due[start : start + _TOGETHER], now) for start in range(0, len(due), _TOGETHER))
        return len(moves) - ended

    def _take_up(self, moves: Sequence[Move], now: datetime) -> int:
        """A look for some moves together, because it costs the same for one; how many of them ended."""
        faults: dict[str, str] = {}
        for move in moves:
            with _noted(faults, [move]):
                self.moves.begin(move, now.isoformat())
                self._show(move.event)
        moved: Counter[str] = Counter()
        with _noted(faults, moves):
            self._take_along([move.event for move in moves], moved, faults)
        ended = 0
        for move in moves:
            name, settled = move.event.name, bool(move.since)
            if settled and name not in faults:
                with _noted(faults, [move]):
                    self.moves.end(move)
            done = settled and name not in faults
            outcome = "failed" if name in faults else "done" if done else "waiting"
            self.watch.note("follow", outcome, change=name, moved=moved[name], code=faults.get(name, ""))
            ended += done
        return ended

    def _show(self, event: LinkEvent) -> None:
        """The Patients of both persons, as they are now; written only where the store has others."""
        for person in filter(None, map(self.index.get, (event.person_id, event.other))):
            golden = golden_patient(person)
            claim([golden])
            stored = self.fhir.read(f"Patient/{person.id}")
            if stored is None:
                self.fhir.transact([golden])
            elif {**stored, "meta": None} != {**golden, "meta": None}:
                kept = {name: value for name, value in stored["meta"].items() if name != "profile"}
                self.fhir.update({**golden, "meta": {**kept, **golden.get("meta", {})}})

    def _take_along(self, events: Sequence[LinkEvent], moved: Counter[str], faults: dict[str, str]) -> None:
        """Put right what came from the records that changed hands; counts it by the change's name."""
        changed = {source_code(key): event for event in events for key in event.gained}
        owners = self._owners(events)

        def change_of(stray: Resource) -> str:
            return changed[source_of(stray)].name

        for kind in types_about_patients():
            strays = sorted(self._strays(kind, owners), key=change_of)
            for name, of_one in groupby(strays, key=change_of):
                listed = list(of_one)
                for start in range(0, len(listed), _TARGETS):
                    part = listed[start : start + _TARGETS]
                    found = [fault for fault in self._put_right(changed[source_of(part[0])], part) if fault]
                    moved[name] += len(part) - len(found)
                    if found:
                        faults[name] = found[0]

    def _strays(self, kind: str, owners: Mapping[str, str]) -> Iterator[Resource]:
        """The resources of a type that refer to another person than the one whose their record is."""
        tags = [f"{SYSTEM}|{code}" for code in owners]
        for start in range(0, len(tags), _TAGS):
            found = self.fhir.search(kind, tags[start : start + _TAGS])
            yield from (one for one in found if _owned(one, owners) is not one)

    def _put_right(self, event: LinkEvent, strays: Sequence[Resource]) -> list[str]:
        """Tell of their change, then move them; gives what is in the way of each, empty for those that moved."""
        owners = self._owners([event])
        self.fhir.transact([_provenance(event, strays, self.clock())])
        return [self._moved(stray, owners) for stray in strays]

    def _owners(self, events: Iterable[LinkEvent]) -> Mapping[str, str]:
        """The person of each record that changed hands, by the record's code: whose it is now."""
        keys = {key for event in events for key in event.gained}
        found = ((source_code(key), self.index.find(key, []).known) for key in sorted(keys))
        return {code: person.id for code, person in found if person is not None}

    def _moved(self, stray: Resource, owners: Mapping[str, str]) -> str:
        """Put one right, as it is stored now; gives what is in the way: 'follow.refused', where the store will not have
        it as it is, 'follow.contended', where news of it comes all the time."""
        seen: Resource | None = stray
        for _ in range(_ATTEMPTS):
            if seen is None or (owned := _owned(seen, owners)) is seen:
                return ""
            try:
                if self.fhir.update(owned):
                    return ""
            except Quarantine:
                return "follow.refused"
            seen = self.fhir.read(f"{stray['resourceType']}/{stray['id']}")
        return "follow.contended"


def _settled(move: Move, now: datetime) -> bool:
    return now - datetime.fromisoformat(move.since) >= SETTLED


@contextmanager
def _noted(faults: dict[str, str], moves: Iterable[Move]) -> Iterator[None]:
    """What stands in the way of these moves is noted by its code; the others go on."""
    try:
        yield
    except HeadwaterError as error:
        faults |= {move.event.name: error.code for move in moves}


def _owned(resource: Resource, owners: Mapping[str, str]) -> Resource:
    """The resource about its record's person: the same object if it is already, or came from another record."""
    person_id = owners.get(source_of(resource), "")
    return given_to(resource, person_id) if person_id else resource


def _provenance(event: LinkEvent, strays: Sequence[Resource], now: datetime) -> Resource:
    """Why these are another person's from now on (FHIR R4 provenance.html). Its id is made of the change and of them,
    and it is written first: whatever a break in between leaves unmoved is named once more by the next run."""
    targets = sorted(f"{one['resourceType']}/{one['id']}" for one in strays)
    change = {"identifier": {"system": "urn:headwater:link-change", "value": event.name}}
    return {
        "resourceType": "Provenance",
        "id": content_id("follow", event.name, *targets),
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": event.at,
        "recorded": now.isoformat(),
        "activity": {"coding": [{"system": _OPERATION, "code": "UPDATE"}]},
        "agent": [{"who": {"display": event.by}}],
        "entity": [{"role": "revision", "what": change}],
    }
