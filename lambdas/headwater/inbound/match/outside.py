"""A record whose person an EMPI outside names. Its word is checked against what we know, and never guessed at: what it
is not sure of, and what does not fit, is held.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.errors import Hold
from headwater.fhir.ids import content_id
from headwater.inbound.match.record import linked_to, person_id_of, said
from headwater.model import Candidates, Grade, Person, SourceRecord, Verdict
from headwater.persons.grade import grade_person
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile
from headwater.ports import Empi, PersonIndex


def named_outside(
    record: SourceRecord,
    profile: Profile,
    keys: Sequence[str],
    seen: Candidates,
    *,
    empi: Empi,
    index: PersonIndex,
    policy: MatchingPolicy,
) -> Person | None:
    """The person that a new record was linked to; None for a known record of whom the EMPI says nothing else."""
    if seen.decision and seen.known is None:
        return None  # a steward has answered what the EMPI could not
    found = empi.identify(record)
    if found.grade.verdict is Verdict.POSSIBLE:
        raise _held("possible", empi, found.grade)
    same = found.grade.verdict is Verdict.SAME
    person_id = content_id("person", empi.name, found.link_id) if same else person_id_of(record.key)
    if seen.known is not None:
        if same and seen.known.id != person_id:
            raise _held("disagrees", empi, found.grade)
        return None
    there = index.read([person_id], [record.key], keys)
    known = there.persons[0] if there.persons else None
    if known is None:
        person = Person(person_id, 1, (record,))
    else:
        _check(profile, known, empi, policy)
        person = linked_to(known, record)
    index.save(person, record_key=record.key, keys=keys, seen=there)
    return person


def _check(profile: Profile, person: Person, empi: Empi, policy: MatchingPolicy) -> None:
    """An id never skips the comparison with who is known under it."""
    grade = grade_person(profile, person, policy)
    if grade.verdict is Verdict.DIFFERENT:
        raise _held("disagrees", empi, grade)


def _held(what: str, empi: Empi, grade: Grade) -> Hold:
    return Hold(f"match.empi_{what}", place=empi.name, hint=said(grade))
