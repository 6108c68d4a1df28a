"""Who is who, changed: two persons made one, one made two, a merge taken back, a number that its EHR has retired.

Records move from person to person and are not rewritten, so that the golden Patients made of them are right at once. A
merged person stays as a sign that points to the one that replaces it. Each change is one write with its line in both
histories and a note of what has to follow in the FHIR store (`inbound/follow.py`). What hung on a changed link (a
proposal, an approval) is stopped by the write gate, which asks for the link each time (`outbound/gates/identity.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.errors import Refuse, Retry
from headwater.model import LinkChange, LinkEvent, Person, SourceRecord
from headwater.persons.blocking import profile_keys
from headwater.persons.history import on_the_way
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.persons.steward import check_signed, known
from headwater.ports import PersonIndex


@dataclass(frozen=True, slots=True)
class Signed:
    """Who decides, when and why."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The changes. All of them give the persons as they are afterwards, and raise Refuse with what stands
    in the way ('steward.unsigned', '.person_unknown', '.same_person', '.merged_already', '.not_merged', '.not_theirs',
    '.none_left', '.too_large'), or Retry('match.conflict') when somebody else was faster."""

    index: PersonIndex
    policy: MatchingPolicy

    def merge(self, retired_id: str, into_id: str, signed: Signed) -> tuple[Person, ...]:
        """All records of one person become another's (FHIR Patient/$merge: source and target). Repeating it changes
        nothing more."""
        if retired_id == into_id:
            raise Refuse("steward.same_person", place="person", hint="name two persons")
        retired, into = known(self.index, retired_id), known(self.index, into_id)
        if retired.replaced_by == into_id:
            return retired, into
        for person in (retired, into):
            if person.replaced_by:
                hint = f"{person.id} was merged into {person.replaced_by}: name that one"
                raise Refuse("steward.merged_already", place="person", hint=hint)
        return self._move(retired, into, retired.records, LinkChange.MERGED, signed)

    def unmerge(self, retired_id: str, signed: Signed) -> tuple[Person, ...]:
        """A merge taken back: the records that came by it and are still there are the retired person's again."""
        retired = known(self.index, retired_id)
        if not retired.replaced_by:
            raise Refuse("steward.not_merged", place="person", hint="only a person that was merged can be unmerged")
        into = known(self.index, retired.replaced_by)
        merged = [event for event in self.index.history(retired_id) if event.change is LinkChange.MERGED]
        theirs = [record for record in into.records if record.key in merged[-1].lost]
        return self._move(into, retired, theirs, LinkChange.UNMERGED, signed)

    def split(
        self, person_id: str, record_keys: Collection[str], signed: Signed, *, new_id: Callable[[Person], str]
    ) -> tuple[Person, ...]:
        """Some of a person's records become a new person's; `new_id` makes its id of the person as it was."""
        person = known(self.index, person_id)
        theirs = [record for record in person.records if record.key in record_keys]
        if len(theirs) < len(set(record_keys)):
            raise Refuse("steward.not_theirs", place="record", hint="the person has no such record")
        return self._move(person, Person(new_id(person), 0, ()), theirs, LinkChange.SPLIT, signed)

    def retire(self, record: SourceRecord, owner: Person, into: Person, signed: Signed) -> tuple[Person, ...]:
        """An EHR's merge (HL7 v2 ADT^A40): the record of its owner is another person's now, and its number is used no
        more. An owner without other records is merged whole."""
        change = LinkChange.MERGED if len(owner.records) == 1 else LinkChange.MOVED
        return self._move(owner, into, [record], change, signed, retired=True)

    # ------------------------------------------------------------------------------------------------------------- how

    def _move(
        self,
        source: Person,
        target: Person,
        moved: Collection[SourceRecord],
        change: LinkChange,
        signed: Signed,
        *,
        retired: bool = False,
    ) -> tuple[Person, ...]:
        check_signed(signed.by, signed.reason)
        stay = tuple(record for record in source.records if record not in moved)
        if not moved or (not stay and change is not LinkChange.MERGED):
            hint = "one of the two would have no record: merge persons instead, or name other records"
            raise Refuse("steward.none_left", place="record", hint=hint)
        arrived = (replace(record, retired=record.retired or retired) for record in moved)
        records = tuple(sorted((*target.records, *arrived), key=lambda record: record.key))
        after = _with_signs(
            *on_the_way(
                replace(source, version=source.version + 1, records=stay),
                replace(target, version=target.version + 1, records=records),
            ),
            change,
        )
        keys = {source.id: self._keys(stay), target.id: self._keys(records)}
        seen = self.index.read([source.id, target.id], [record.key for record in moved], keys[target.id])
        if {one.id: one for one in seen.persons} != {one.id: one for one in (source, target) if one.version}:
            raise Retry("match.conflict", hint="news of one of them came just now: look again", after=1)
        self.index.relink(after, _events(after, moved, change, signed), keys=keys, seen=seen)
        return after

    def _keys(self, records: Iterable[SourceRecord]) -> list[str]:
        profiles = (profile_of(record.traits, self.policy) for record in records)
        return list(dict.fromkeys(key for profile in profiles for key in profile_keys(profile, self.policy)))


def _with_signs(source: Person, target: Person, change: LinkChange) -> tuple[Person, Person]:
    """Both, with the signs of who replaces whom."""
    if change is LinkChange.MERGED:
        replaces = (*target.replaces, source.id)
        return replace(source, replaced_by=target.id), replace(target, replaces=replaces)
    if change is LinkChange.UNMERGED:
        replaces = tuple(one for one in source.replaces if one != target.id)
        return replace(source, replaces=replaces), replace(target, replaced_by="")
    return source, target


def _events(
    after: tuple[Person, Person], moved: Iterable[SourceRecord], change: LinkChange, signed: Signed
) -> tuple[LinkEvent, LinkEvent]:
    source, target = after
    keys, at = tuple(record.key for record in moved), signed.at.isoformat()
    return (
        LinkEvent(source.id, source.version, change, at, signed.by, signed.reason, lost=keys, other=target.id),
        LinkEvent(target.id, target.version, change, at, signed.by, signed.reason, gained=keys, other=source.id),
    )
