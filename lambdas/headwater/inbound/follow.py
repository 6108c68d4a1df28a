"""follow: what was stored follows its record. After a record has gone to another person (a merge, its reverse, a split,
a steward's answer) everything in the FHIR store that came from it is told of the person whose it is now.

A change of links leaves a note in the index (`Moves`), and this runs by the clock. It asks the index whose a record is
and makes the store agree, so that it may be killed anywhere, run twice, or run after the next change: the end is one.
The store's search lags behind its writes, and a message that was matched before the change may be stored after it;
therefore a note is taken up twice, at once and when all of that must be over, and only then it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.errors import HeadwaterError, Quarantine, Retry
from headwater.fhir.ids import content_id
from headwater.fhir.source import SYSTEM, given_to, source_code, source_of, types_about_patients
from headwater.model import LinkEvent, Move, Resource
from headwater.persons.golden import golden_patient
from headwater.ports import Clock, FhirStore, Moves, PersonIndex, Watch

# One run of ingest (60 s, infra/inbound.py), and ten times what HealthLake's search was seen to lag behind (20 s).
SETTLED = timedelta(seconds=60 + 10 * 20)
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
        return sum(not self._done(move) for move in self.moves.list())

    def _done(self, move: Move) -> bool:
        now = self.clock()
        settled = bool(move.since) and now - datetime.fromisoformat(move.since) >= SETTLED
        if move.since and not settled:
            return False
        outcome, code, moved = "waiting", "", 0
        try:
            self.moves.begin(move, now.isoformat())
            self._show(move.event)
            moved = self._take_along(move.event)
            if settled:
                self.moves.end(move)
                outcome = "done"
        except HeadwaterError as error:
            outcome, code = "failed", error.code
        self.watch.note("follow", outcome, change=move.event.name, moved=moved, code=code)
        return outcome == "done"

    def _show(self, event: LinkEvent) -> None:
        """The Patients of both persons, as they are now; written only where the store has others."""
        for person in filter(None, map(self.index.get, (event.person_id, event.other))):
            golden = golden_patient(person)
            stored = self.fhir.read(f"Patient/{person.id}")
            if stored is None:
                self.fhir.transact([golden])
            elif {**stored, "meta": None} != {**golden, "meta": None}:
                self.fhir.update({**golden, "meta": stored["meta"]})

    def _take_along(self, event: LinkEvent) -> int:
        """How many resources were told of another person; raises Retry('follow.refused') at the end if the store would
        not have some: their messages, released, make them anew."""
        owners, moved, refused = self._owners(event), 0, 0
        tags = [f"{SYSTEM}|{code}" for code in owners]
        for kind in types_about_patients() if tags else ():
            strays = [one for one in self.fhir.search(kind, tags) if _owned(one, owners) is not one]
            for start in range(0, len(strays), _TARGETS):
                part = strays[start : start + _TARGETS]
                owners = self._owners(event)
                self.fhir.transact([_provenance(event, part, self.clock())])
                took = [self._moved(one, owners) for one in part]
                moved += took.count(True)
                refused += took.count(False)
        if refused:
            raise Retry("follow.refused", place=event.name, hint=f"the store refused {refused} resources as they are")
        return moved

    def _owners(self, event: LinkEvent) -> Mapping[str, str]:
        """The person of each record that changed hands then, by the record's code: whose it is now."""
        found = ((source_code(key), self.index.find(key, []).known) for key in event.gained)
        return {code: person.id for code, person in found if person is not None}

    def _moved(self, stray: Resource, owners: Mapping[str, str]) -> bool:
        """Put one right, as it is stored now; False if the store will not have it."""
        seen: Resource | None = stray
        for _ in range(_ATTEMPTS):
            if seen is None or (owned := _owned(seen, owners)) is seen:
                return True
            try:
                if self.fhir.update(owned):
                    return True
            except Quarantine:
                return False
            seen = self.fhir.read(f"{stray['resourceType']}/{stray['id']}")
        raise Retry("follow.contended", place=str(stray["resourceType"]), hint="news of it comes all the time")


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
