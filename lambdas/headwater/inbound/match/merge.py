"""An EHR's merge of two of its numbers (HL7 v2 ADT^A40, ch. 3.3.40): believed, unless the two seem two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from headwater.errors import Hold
from headwater.fhir.merged import is_replaced
from headwater.inbound.match.record import record_key_of, said, with_record
from headwater.model import Converted, Person, Resource, SourceRecord, Verdict
from headwater.persons.grade import grade_person
from headwater.persons.links import Links, Signed
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.persons.traits import traits_of
from headwater.ports import PersonIndex


@dataclass(frozen=True, slots=True)
class Merged:
    """The person of a message and, by the id of the replaced Patient in the message, the persons that it was until now
    (signs of a merge, or persons that have other records left) and the keys of the replaced records."""

    person: Person
    until_now: Mapping[str, Person] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


def merged_by_ehr(
    converted: Converted, record: SourceRecord, person: Person, index: PersonIndex, policy: MatchingPolicy
) -> Merged:
    """What the EHR says of its own numbers (HL7 v2 ADT^A40): those that the message replaces are this person's now, and
    are used no more. A number that nobody has heard of is nobody's yet."""
    until_now: dict[str, Person] = {}
    replaced = dict(_replaced(converted, record, policy))
    signed = Signed(record.ehr, converted.event_time, converted.kind)
    for local_id, key in replaced.items():
        seen = index.find(key, [])
        if seen.known is None:
            continue
        theirs = next(one for one in seen.known.records if one.key == key)
        if seen.known.id != person.id:
            _check_merge(theirs, seen.known, person, policy)
            links = Links(index=index, policy=policy)
            until_now[local_id], person = links.retire(theirs, seen.known, person, signed)
        elif not theirs.retired:
            person = with_record(seen.known, replace(theirs, retired=True))
            index.save(person, record_key=key, keys=[], seen=seen)
    return Merged(person, until_now, replaced)


def _replaced(converted: Converted, record: SourceRecord, policy: MatchingPolicy) -> Iterator[tuple[str, str]]:
    """The Patients that the message says are this one now: id in the message, and key of the record. One that is named
    by nothing that names records cannot be anybody's."""
    for patient in converted.resources:
        if patient["resourceType"] == "Patient" and is_replaced(patient):
            with suppress(Hold):
                key = record_key_of(traits_of(_as_it_was(patient)), record.ehr, policy)
                if key != record.key:
                    yield patient["id"], key


def _as_it_was(patient: Resource) -> Resource:
    """A replaced Patient with the numbers that it went by: by the merge they are old (R4 identifier-use), and an old
    number names nobody."""
    numbers = [{name: value for name, value in one.items() if name != "use"} for one in patient.get("identifier", ())]
    return {**patient, "identifier": numbers}


def _check_merge(theirs: SourceRecord, owner: Person, person: Person, policy: MatchingPolicy) -> None:
    """An EHR's merge is believed unless what it says of the two differs: clerks merge the wrong charts as well."""
    grade = grade_person(profile_of(theirs.traits, policy), person, policy)
    if grade.verdict is Verdict.DIFFERENT:
        hint = f"the EHR merges {owner.id} into {person.id}, which seem two: {said(grade)}; if it is right, merge them"
        raise Hold("match.merge_doubtful", place="Patient.link", hint=hint)
