"""The nouns: what travels between the steps. Frozen, plain, without behaviour beyond naming themselves.

A FHIR resource is a `Resource`, a plain dict as parsed from JSON, so that `Any` has one home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

Resource = dict[str, Any]

# --------------------------------------------------------------------------------------------------------- inbound


NUMBERS = 100  # what a part is numbered with is less
LISTED = 32  # and where parts are a list, less than this
LARGE = 1024  # characters: whoever copies a text of as many accounts for it


class Named:
    """What a format gives to templates that ask for members by name."""

    __slots__ = ()

    def lookup(self, name: str | int) -> Any:
        """The member of that name or number; None if there is none."""
        raise NotImplementedError


class Numbered(Named):
    """What a format gives to templates that ask for parts by number, `.5`: `parts[5]` is that part, what is false if it
    is not there or says nothing. A dict may be asked for every number from 1 that is less than NUMBERS; a list has
    no parts but those less than LISTED, and may be asked for these. A part is a text, a LargeText if it is long, or has
    parts itself; then it is equal to what it prints, which is never empty."""

    __slots__ = ("parts",)

    parts: list[Any] | dict[int, Any]

    def part(self, number: int) -> Any:
        """The part of that number, or None."""
        parts = self.parts
        return None if number >= LISTED and isinstance(parts, list) else parts[number] or None

    def lookup(self, name: str | int) -> Any:
        """The part of that number; None if it is no number."""
        number = name if isinstance(name, int) else int(name) if name.isascii() and name.isdigit() else 0
        return self.part(number) if 0 < number < NUMBERS else None

    def each(self) -> Sequence[Any]:
        """What a loop goes through."""
        return (self,)

    def __eq__(self, other: object) -> bool:
        return str(self) == other if isinstance(other, str) else self is other

    def __hash__(self) -> int:
        return hash(str(self))


class LargeText(str):
    """A text of a message that is LARGE or longer: not of class `str`, so that what takes short texts as they are
    leaves it to what accounts for it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a queue handed over, before anybody looked at it. `group` is the FIFO message group; `receives` counts how
    often it was handed over, this time included. `backfill` is the run that it is of, instead of a queue."""

    body: str
    attributes: Mapping[str, str]
    group: str = ""
    receives: int = 1
    backfill: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One archived message: who sent it, and its exact bytes.

    `key` is derived from sender and bytes (`<ehr>/<sha256>`), so the same bytes twice are one message. `backfill` is as
    in `MessageRecord`.
    """

    key: str
    ehr: str
    content_type: str
    body: bytes
    archive_key: str
    sender_id: str = ""
    backfill: str = ""


class MessageState(StrEnum):
    """Where a message is. Every message leaves ACCEPTED for one of the others, and none of them forgets it."""

    ACCEPTED = "accepted"
    FORWARDED = "forwarded"  # goes on under other keys: a batch that was split, a message released as another sender's
    STORED = "stored"
    SUPERSEDED = "superseded"  # a newer message about the same thing was stored first
    NOTED = "noted"  # an acknowledgement: it is about a message and no patient, so nothing of it is stored
    HELD = "held"  # a steward must say who this is
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """The inbox's line on one message. Times are ISO 8601 in UTC; `error_*` are set when held or quarantined.

    `backfill` is the run that brought it out of history, empty for the feed: nobody is told of what is in it, also when
    a person releases it years later.
    """

    key: str
    ehr: str
    content_type: str
    archive_key: str
    state: MessageState
    accepted_at: str
    updated_at: str
    sender_id: str = ""
    error_code: str = ""
    error_place: str = ""
    error_hint: str = ""
    backfill: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message of a delivery. `seen` says that it was taken before, and this is what became of it
    then; `code` and `place` are those of its error."""

    key: str
    state: MessageState
    code: str = ""
    place: str = ""
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """What was known of an encounter or report before its newest news: names of members that some message told of."""

    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code that a code map has no line for: the map's name, and the code as it came. The original is kept in the
    resource; this is for the analyst's work list."""

    map: str
    code: str
    system: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of the work list: a code of an EHR that waits for a mapping, how often it came, since when (ISO 8601 in
    UTC), and the key of a message that has it."""

    ehr: str
    unmapped: Unmapped
    count: int
    first_seen: str
    example: str


@dataclass(frozen=True, slots=True)
class Converted:
    """FHIR R4 from one message. `resources` hold exactly one Patient, whose id is the EHR record's (not a person's),
    and of a merge those that it replaces, each with a link `replaced-by`.

    `event_time` is when the sender says it happened (aware; HL7 v2 EVN-2, else MSH-7); `kind` is what was converted
    (`ADT_A01`); `unread` names the input that no template read (`OBX-17`); `message_id` and `sent_at` are the number
    and the time that the sender gave the message (MSH-10, MSH-7), if it has such; `unmapped` are codes without mapping.
    `said` has, by type, the members that a later message may leave out, and whether this one speaks of them
    (`fhir.unsaid`); a type that is not there is told of as a whole. `deleted` are members of the Patient that the
    message says are none (HL7 v2 `""`).
    """

    kind: str
    resources: tuple[Resource, ...]
    event_time: datetime
    unread: tuple[str, ...] = ()
    message_id: str = ""
    sent_at: datetime | None = None
    unmapped: tuple[Unmapped, ...] = ()
    said: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Matched:
    """The same resources, now about one certain person: the Patient is the golden one, references point to it.

    `known_at` are the EHRs that have a record of this person, the sender among them. `sources` says of each resource
    that refers to a Patient (`Observation/x`) which record it came from, by the record's code (`fhir.source`). `said`
    is as in `Converted`.
    """

    person_id: str
    link_version: int
    resources: tuple[Resource, ...]
    known_at: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)


# --------------------------------------------------------------------------------------------------------- persons


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id and the authority that gave it. `kind` is an HL7 table 0203 code: MR, SS, DL …"""

    system: str
    value: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a human, as one source states it; the input of every comparison. Values are as received."""

    family: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    suffix: str = ""
    birth_date: date | None = None
    gender: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    address_lines: tuple[str, ...] = ()
    city: str = ""
    state: str = ""
    postal_code: str = ""
    identifiers: tuple[Identifier, ...] = ()
    deceased: bool = False
    multiple_birth: bool = False


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One EHR's record of a person: `key` is `<ehr>|<assigning authority>|<MRN>`; `patient` is its FHIR Patient as it
    stands at `event_time`, of which `traits` are the comparable part. `retired` is set once the EHR has merged the
    number into another one and uses it no more."""

    key: str
    ehr: str
    traits: Traits
    event_time: datetime
    patient: Resource = field(default_factory=dict)
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """One human, and every EHR record linked to them. `version` grows with each change of the links.

    A person that was merged has no records and is `replaced_by` the one that has them now, which `replaces` it
    (FHIR R4 patient.html#link). `moving` names the changes of links (`LinkEvent.name`) after which the FHIR store does
    not yet show every fact at the person whose it is now; nothing is written back meanwhile.
    """

    id: str
    version: int
    records: tuple[SourceRecord, ...]
    replaced_by: str = ""
    replaces: tuple[str, ...] = ()
    moving: frozenset[str] = frozenset()

    @property
    def change(self) -> str:
        """The name of the change that made this version."""
        return f"{self.id}#{self.version}"


class LinkChange(StrEnum):
    """Why a person's records are others than before."""

    FOUNDED = "founded"  # by a record that is nobody else's
    LINKED = "linked"
    MOVED = "moved"  # one record, by a steward's answer to a message
    MERGED = "merged"
    UNMERGED = "unmerged"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One line of a person's history: the change that made this `version`. `gained` and `lost` are keys of records (and
    so PHI), `other` is the person they came from or went to. `at` is ISO 8601 in UTC; `by` is "match" or a steward."""

    person_id: str
    version: int
    change: LinkChange
    at: str
    by: str
    reason: str = ""
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    other: str = ""

    @property
    def name(self) -> str:
        """`Person.change` of the person as this change left it."""
        return f"{self.person_id}#{self.version}"

    @property
    def moves(self) -> bool:
        """Whether records came here from another person: what was stored about them has to follow."""
        return bool(self.gained and self.other)


@dataclass(frozen=True, slots=True)
class Move:
    """Facts that have to follow their records in the FHIR store. `since` is when somebody first set about it (ISO 8601
    in UTC), empty before."""

    event: LinkEvent
    since: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A steward's answer on one record: it is `link_to`'s, or, when that is empty, none of `apart_from`'s.

    `version` counts the answers on the record. `at` is ISO 8601 in UTC.
    """

    record_key: str
    version: int
    by: str
    at: str
    reason: str
    link_to: str = ""
    apart_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the index knows that may be one incoming record.

    `known` is the person whom the record is linked to; `persons` share a blocking key with it, `known` left out;
    `full` says that a key is shared by more persons than are read. `decision` is a steward's answer that no save has
    used yet, `apart` are the persons that a steward ever kept the record from. `seen` is the index's own note of what
    it read, which `save` holds against what is there then.
    """

    known: Person | None = None
    persons: tuple[Person, ...] = ()
    full: bool = False
    decision: Decision | None = None
    apart: frozenset[str] = frozenset()
    seen: object = None


class Verdict(StrEnum):
    """What a comparison means. Only SAME lets data through by itself."""

    SAME = "same"
    POSSIBLE = "possible"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Grade:
    """How sure it is that two are one: calibrated `confidence` in 0..1, and the evidence in words, free of values.
    `namesake`: they have one name and two birth dates, so the name is not rare where they live."""

    verdict: Verdict
    confidence: float
    evidence: tuple[str, ...] = ()
    namesake: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """What an EMPI outside says of one record: SAME is its person `link_id`, in the EMPI's own numbering; POSSIBLE is
    for its stewards; DIFFERENT is nobody that it knows."""

    grade: Grade
    link_id: str = ""


# -------------------------------------------------------------------------------------------------------- outbound


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A fact that should be told to an EHR, as a rule or an outside producer asks for it.

    `resource` is FHIR R4, its subject `Patient/<person id>`. `origin` names where the fact came from; `hops` counts
    the systems it went through, so that an echo is not told again. `updates` is the reference of a row at the EHR whose
    elements it changes; empty for a new row. `author` is the user who wrote it, if a person did. `model` says what a
    score rests on: name, version, basis, intended use (docs/write-backs.md). `withdraws` is the intent of a write-back
    that this one takes back.
    """

    to: str
    intent: str
    person_id: str
    resource: Resource
    origin_ehr: str
    origin_ref: str
    hops: int = 1
    updates: str = ""
    author: str = ""
    model: Mapping[str, str] = field(default_factory=dict)
    withdraws: str = ""


class ProposalState(StrEnum):
    """The life of a write-back. State is written before bytes leave; `final` ones are never left again."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    SENDING = "SENDING"  # leased by one sender; bytes may be on the wire
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"  # a time-out: look first, resend at most once
    ACCEPTED_BY_EHR = "ACCEPTED_BY_EHR"  # the EHR said yes; not proven until read back
    FILED = "FILED"  # read back and compared
    REFUSED = "REFUSED"  # by a gate, before any clinician saw it; `reason` is the code
    ALREADY_PRESENT = "ALREADY_PRESENT"
    REJECTED = "REJECTED"  # by a clinician
    FAILED = "FAILED"  # refused by the EHR for good
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"
    COMPENSATED = "COMPENSATED"
    NEEDS_HUMAN = "NEEDS_HUMAN"

    @property
    def final(self) -> bool:
        return self not in _OPEN_STATES


_OPEN_STATES = frozenset(
    {
        ProposalState.PROPOSED,
        ProposalState.APPROVED,
        ProposalState.SENDING,
        ProposalState.OUTCOME_UNKNOWN,
        ProposalState.ACCEPTED_BY_EHR,
    }
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One write-back, keyed by its content (`intent`), with the exact bytes a clinician signs off.

    `payload_hash` is the SHA-256 of `payload`; an approval is of that hash. `fact` is the FHIR resource that the chart
    shall show, where the payload is not that resource itself (a Bundle, a form). `patient_ref` is the patient at the
    EHR, `link` names the set of records that ties the person to it. `purpose` is the rule's or producer's word for it
    (`final-lab-result`). `version` is the optimistic lock. Times are ISO 8601 in UTC.

    An update changes the row `target`, which was `base` when it was proposed, in the version that `seen` names;
    `changes` are the paths it changes. `tier` is the row of the policy, `approvers` how many must sign, `approvals` who
    has, `role_signed` the role that one of them had to have, `author` who may not. `flags` are codes of what a reviewer
    must know, `alike` references of rows like it. `fingerprint` finds the fact again whatever ids and units it comes
    with. `rung` says how far its waiting was told of, `turn_at` when it is its turn at an EHR that is told more than it
    may be asked. `withdraws` is the intent of what it takes back. `request` is the wish as it came, and `said` are the
    EHR's own words: both may be PHI, and stay in the ledger.
    """

    intent: str
    state: ProposalState
    ehr: str
    resource_type: str
    payload: bytes
    payload_hash: str
    person_id: str
    patient_ref: str
    link: str
    confidence: float
    evidence: tuple[str, ...]
    origin_ehr: str
    origin_ref: str
    purpose: str
    created_at: str
    expires_at: str
    version: int = 1
    decided_by: str = ""
    decided_at: str = ""
    reason: str = ""
    attempts: int = 0
    sent_at: str = ""
    lease_until: str = ""
    filed_ref: str = ""
    differences: tuple[str, ...] = ()
    fact: bytes = b""
    target: str = ""
    seen: str = ""
    base: bytes = b""
    changes: tuple[str, ...] = ()
    tier: str = ""
    approvers: int = 1
    approvals: tuple[str, ...] = ()
    role_signed: str = ""
    author: str = ""
    flags: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    fingerprint: str = ""
    request: str = ""
    said: str = ""
    withdraws: str = ""
    rung: int = 0
    turn_at: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """Writes that are stopped: all of a `scope` (`gates.switches`), by whom, why, since when (ISO 8601 in UTC)."""

    scope: str
    by: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class Brake:
    """What holds an EHR's writes back now: switches that are thrown, seconds until it may be asked anything again, and
    how often in a row it has failed; the same of writes alone, for an EHR may answer reads and refuse them."""

    switches: tuple[Switch, ...] = ()
    closed_s: float = 0.0
    failures: int = 0
    writes_closed_s: float = 0.0
    write_failures: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an EHR said over HTTP. `sent` is False only when it is certain that no byte of the request left."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Resource | None = None
    sent: bool = True
    milliseconds: float = 0.0
