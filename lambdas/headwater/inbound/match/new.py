"""A record that nobody has seen: it is compared with everyone who shares a blocking key."""

from __future__ import annotations

from headwater.errors import Hold
from headwater.inbound.match.record import decided, linked_to, person_id_of, said
from headwater.model import Candidates, Person, SourceRecord, Verdict
from headwater.persons.grade import grade_person, only_one
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile

_MOST_SHOWN = 5


def first_seen(record: SourceRecord, profile: Profile, seen: Candidates, policy: MatchingPolicy) -> Person:
    """The person to link a new record to, or the new person that it founds."""
    if seen.decision and seen.decision.link_to:
        return linked_to(decided(seen), record)
    if not (record.traits.family or record.traits.given or record.traits.birth_date):
        hint = "neither a name nor a birth date: nobody can be found by it"
        raise Hold("match.too_little", place="Patient", hint=hint)
    if seen.full and not seen.decision:
        hint = "one of its keys is shared by too many persons to compare all"
        raise Hold("match.too_many", place="Patient", hint=hint)
    others = [person for person in seen.persons if person.id not in seen.apart]
    graded = [(person, grade_person(profile, person, policy)) for person in others]
    rivals = [(person, grade) for person, grade in graded if grade.verdict is not Verdict.DIFFERENT]
    if not rivals:
        if not profile.birth_date and not seen.decision:
            hint = "no birth date, and nobody like it: who is known by one cannot be found"
            raise Hold("match.too_little", place="Patient", hint=hint)
        return Person(person_id_of(record.key), 1, (record,))
    certain = only_one([grade for _, grade in graded], policy)
    if certain is not None:
        return linked_to(graded[certain][0], record)
    likest = sorted(rivals, key=lambda rival: -rival[1].confidence)[:_MOST_SHOWN]
    listed = "; ".join(f"{person.id} {said(grade)}" for person, grade in likest)
    raise Hold("match.possible", place="Patient", hint=f"{len(rivals)} persons may be this one: {listed}")
