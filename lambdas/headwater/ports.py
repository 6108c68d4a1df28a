"""What the steps need of the world, as few and small Protocols. `bootstrap` fills them; tests fill them with fakes.

Every adapter of a port passes the port's contract suite in `tests/adapters/`. All of them raise `errors.Retry` when the
other side is throttled, slow or down, and nothing else for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from headwater.model import (
    Answer,
    Brake,
    Candidates,
    Decision,
    Identified,
    LinkEvent,
    MessageRecord,
    MessageState,
    Move,
    Person,
    Proposal,
    ProposalState,
    Resource,
    SourceRecord,
    Switch,
    Thread,
    Unmapped,
    Wanted,
)


class Clock(Protocol):
    """The time, so that tests and the drill can move it."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""


class Archive(Protocol):
    """Raw bytes, kept for good. Putting the same key twice keeps the first bytes."""

    def put(self, key: str, body: bytes, content_type: str) -> None: ...

    def get(self, key: str) -> bytes:
        """The bytes; raises Quarantine('archive.missing') when there are none."""

    def fetch(self, location: str) -> bytes:
        """The bytes a producer left at `s3://bucket/key`; raises Quarantine('accept.pointer_unreadable')."""


class Inbox(Protocol):
    """Every message that ever came, and where it is."""

    def open(self, record: MessageRecord) -> MessageRecord:
        """Note a new message; if its key is known, change nothing and give the known record."""

    def close(self, key: str, state: MessageState, *, at: str, code: str = "", place: str = "", hint: str = "") -> None:
        """Move a message on; closing with the same state again is harmless."""

    def get(self, key: str) -> MessageRecord | None: ...

    def list(self, state: MessageState, *, limit: int = 100) -> Sequence[MessageRecord]:
        """The newest first."""

    def advance(self, thread: str, event_time: datetime, told: Collection[str] = ()) -> Thread | None:
        """Note that `thread` (`<ehr>|Encounter/<id>`) has news of `event_time`, which tells of these members; gives
        what was known before, None (and nothing is noted) if newer news is known."""


class PersonIndex(Protocol):
    """The EMPI's memory: persons, the records linked to them, and what stewards answered. docs/empi.md has its design.

    Every read is strongly consistent.
    """

    def find(self, record_key: str, keys: Sequence[str], *, likely: str = "") -> Candidates:
        """Whom a record is linked to, else everyone filed under one of `keys`, in at most two round trips; one, if
        there is nobody, or nobody but the person `likely`."""

    def get(self, person_id: str) -> Person | None: ...

    def save(
        self, person: Person, *, record_key: str, keys: Sequence[str], seen: Candidates, left: Person | None = None
    ) -> None:
        """Write a person that has a new or newer record, link the record to it and file it under `keys`; `left` is the
        person that the record was taken from. One write, whole or not at all, and only if nothing that `find` read for
        it has changed since: raises Retry('match.conflict'), so that the message is matched again. An open decision
        in `seen` is closed by it, and what it changes is a line in the history of each person."""

    def read(self, person_ids: Sequence[str], record_keys: Sequence[str], keys: Sequence[str]) -> Candidates:
        """The persons (those that exist), and a note of them, of the records' rows and of the buckets, for `relink`."""

    def relink(
        self,
        persons: Sequence[Person],
        events: Sequence[LinkEvent],
        *,
        keys: Mapping[str, Collection[str]],
        seen: Candidates,
    ) -> None:
        """Write persons whose records changed hands, point the records that the events say were gained to their new
        person, and leave in the buckets that were read those persons only whose `keys` (by person id) name them. One
        write, whole or not at all, and only if nothing that `read` read for it has changed since: raises
        Retry('match.conflict'), and Refuse('steward.too_large') when it is more than one write can hold."""

    def history(self, person_id: str) -> Sequence[LinkEvent]:
        """Every change of a person's records, the oldest first."""

    def decide(self, decision: Decision) -> None:
        """Note a steward's answer for the next `find` of the record; raises Retry('match.conflict') if its version is
        not the next one."""

    def decisions(self, record_key: str) -> Sequence[Decision]:
        """Every answer that was ever given on a record, the oldest first."""


class Moves(Protocol):
    """Changes of links that the FHIR store does not show yet. `PersonIndex` notes each with the change itself, so that
    none is lost; every read is strongly consistent."""

    def list(self) -> Sequence[Move]:
        """All of them, the oldest first."""

    def begin(self, move: Move, at: str) -> None:
        """Note when somebody set about it (ISO 8601 in UTC); the first time stands."""

    def end(self, move: Move) -> None:
        """It is done: forget it, and take its name out of the `moving` of both persons, whole or not at all. Ending it
        twice is harmless; raises Retry('match.conflict') when news of a person came in that moment."""


class WorkList(Protocol):
    """Codes that wait for a mapping, for the interface analyst. Codes and systems only."""

    def note(self, ehr: str, unmapped: Sequence[Unmapped], *, message: str, at: datetime) -> None:
        """Count them. Counts may be written some time later, and the last few of a sandbox never."""

    def list(self, *, limit: int = 1000) -> Sequence[Wanted]:
        """The most frequent first."""


class Empi(Protocol):
    """An enterprise master person index outside, asked in place of the built-in match."""

    @property
    def name(self) -> str: ...

    def identify(self, record: SourceRecord) -> Identified:
        """Whose record it is. Never a guess: raises Hold('match.empi_silent') when no answer came in time,
        '.empi_refused' when the EMPI said no, '.empi_unreadable' when the answer is not as its documents say."""


class FhirStore(Protocol):
    """The FHIR R4 store. Ids are ours, so every write is an idempotent PUT."""

    def transact(self, resources: Sequence[Resource]) -> Sequence[str]:
        """PUT all of them, whole or not at all up to the store's limit of entries a transaction; gives the versioned
        references (`Patient/x/_history/2`). Raises Quarantine('store.invalid') with the store's diagnostics' paths."""

    def read(self, reference: str) -> Resource | None: ...

    def search(self, kind: str, tags: Sequence[str]) -> Iterator[Resource]:
        """Every resource of a type that has one of these tags (`system|code`), as far as the store's index knows: what
        was written a moment ago may be missing, or be there as it was."""

    def update(self, resource: Resource) -> bool:
        """PUT it in the place of the version that its `meta.versionId` names and of no other (FHIR R4
        http.html#concurrency); False, and nothing is changed, if there is another one by now. Raises as `transact`."""


class Queue(Protocol):
    """A FIFO queue that we send to: `group` keeps order, `dedup` makes a repeat within five minutes one."""

    def send(self, body: str, *, group: str, dedup: str) -> None: ...


class Proposals(Protocol):
    """The ledger of write-backs: one row per intent, moved by conditional writes only."""

    def add(self, proposal: Proposal) -> bool:
        """Write a new one; False (and nothing changed) if the intent is known."""

    def get(self, intent: str) -> Proposal | None: ...

    def list(self, state: ProposalState, *, limit: int = 100) -> Sequence[Proposal]:
        """The oldest first."""

    def alike(self, fingerprint: str, *, limit: int = 20) -> Sequence[Proposal]:
        """Rows about the same fact, whatever its ids and units, the newest first; what was written within the last
        second or so may be missing."""

    def move(self, proposal: Proposal, *, expected_version: int) -> None:
        """Replace the row if it still has `expected_version`; raises Retry('ledger.conflict') if not."""


class Brakes(Protocol):
    """What holds writes back, shared by all workers. Every read is strongly consistent, every change conditional."""

    def look(self, ehr: str, scopes: Sequence[str], now: datetime) -> Brake:
        """Which of these switches are thrown, and how the EHR is, and `<ehr>/writes`; one read."""

    def take(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        """Take `cost` out of a budget that refills with `per_s` up to `burst`; 0.0, or the seconds until it would be
        there, and then nothing is taken."""

    def reserve(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        """Take `cost` even where it is not there yet; gives the seconds until it is one's turn, 0.0 if it is now. Who
        waits for a turn of their own is not overtaken, and nobody asks again and again."""

    def close(self, ehr: str, until: datetime) -> None:
        """Nothing is asked of the EHR before; a later end that is known already stands."""

    def failed(self, ehr: str) -> int:
        """Note one more failure; gives how many there were in a row."""

    def worked(self, ehr: str) -> None:
        """The row of failures is over."""

    def throw(self, switch: Switch) -> None:
        """Stop the writes of a scope; thrown again, the first one stands."""

    def release(self, switch: Switch) -> None:
        """Let them go on; `by`, `why` and `at` are of the release."""

    def switches(self) -> Sequence[Switch]:
        """All that are thrown."""


class Notices(Protocol):
    """Messages to people. They hold ids and codes, never a patient's data."""

    def tell(self, recipient: str, subject: str, lines: Sequence[str]) -> None:
        """Deliver one message to a group of people (`clinician`, `registration`, `steward`)."""


class AuditLog(Protocol):
    """Append-only, hash-chained per intent. If it cannot be written, nothing may be sent."""

    def append(self, chain: str, entry: Mapping[str, object]) -> None:
        """Write the next entry of the chain; ids and codes only."""

    def read(self, chain: str) -> Sequence[Mapping[str, object]]:
        """The entries in order, each with `seq`, `previous` and `hash`; raises ValueError if the chain is broken."""


class EhrApi(Protocol):
    """One EHR's write API. Answers of any status come back as `Answer`; only 'no outcome' is `status` 0."""

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        """Send these very bytes. `patient` is the patient's reference at the EHR, for APIs that take it in the path."""

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        """Put these very bytes in place of the version that was `seen` (`Precondition.seen` of the row that was read),
        and of no other; raises Refuse('send.precondition_unknown') where the EHR has no precondition."""

    def read(self, reference: str) -> Answer: ...

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        """All pages, as one searchset Bundle."""


class EhrApis(Protocol):
    """The EHR that is called so; raises Refuse('send.ehr_unknown') when this deployment has no connection to it."""

    def __call__(self, ehr: str) -> EhrApi: ...


class Watch(Protocol):
    """One line in the log and one metric per step. Ids and codes only."""

    def note(self, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: str | int | float) -> None: ...
