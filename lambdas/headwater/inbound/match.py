"""match: the third step. Whose facts these are: one certain person, or Hold. Nothing is stored about anybody uncertain.

A record that is known is checked against itself first, because an id may come to mean somebody else (an overlay). One
that is new is compared with everyone who shares a blocking key. Then the Patient is replaced by the person's golden
one, and what referred to it refers to the person; ids of other resources stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from headwater.errors import Hold, Quarantine
from headwater.fhir.ids import content_id
from headwater.fhir.merged import is_replaced
from headwater.fhir.references import rewrite_references
from headwater.model import (
    Candidates,
    Converted,
    Decision,
    Grade,
    Matched,
    Person,
    Resource,
    SourceRecord,
    Traits,
    Verdict,
)
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.golden import golden_patient, renewed
from headwater.persons.grade import grade_person, only_one, still_same
from headwater.persons.links import Links, Signed
from headwater.persons.normalise import identifier
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of
from headwater.persons.traits import traits_of
from headwater.ports import PersonIndex

# A save touches a row per key, and DynamoDB takes 100 in a transaction; real patients have about ten.
_MOST_KEYS = 80
_MOST_SHOWN = 5
# Senders' clocks and time zones are wrong by hours, not by days.
_CLOCKS_DIFFER_BY = timedelta(days=1)


def match(converted: Converted, ehr_id: str, index: PersonIndex, policy: MatchingPolicy) -> Matched:
    """Find the person, or make a new one, and make the resources theirs.

    Raises Hold('match.no_identifier' | 'match.too_little' | 'match.too_much' | 'match.overlay' | 'match.possible' |
    'match.too_many' | 'match.merge_doubtful' | 'match.decision_stale') when a steward must decide,
    Retry('match.conflict') when another message about the same person was faster, Quarantine('match.not_one_patient')
    when the conversion is at fault.
    """
    record = record_of(converted, ehr_id, policy)
    profile = profile_of(record.traits, policy)
    keys, lookups = profile_keys(profile, policy), lookup_keys(profile, policy)
    if len(lookups) > _MOST_KEYS:
        raise Hold("match.too_much", place="Patient", hint="more names, phones and ids than one human has")
    seen = index.find(record.key, lookups, likely=person_id_of(record.key))
    if seen.known:
        person = _known(record, seen.known, seen, keys, index, policy)
    else:
        person = _first_seen(record, profile, seen, policy)
        index.save(person, record_key=record.key, keys=keys, seen=seen)
    merged = _merged(converted, record, person, index, policy)
    return Matched(
        person_id=merged.person.id,
        link_version=merged.person.version,
        resources=_theirs(converted.resources, merged),
        known_at=frozenset(linked.ehr for linked in merged.person.records),
    )


def record_of(converted: Converted, ehr_id: str, policy: MatchingPolicy) -> SourceRecord:
    """The EHR's record that the message is about; `key` is `<ehr>|<assigning authority>|<MRN>` (and so it is PHI)."""
    patients = [one for one in converted.resources if one["resourceType"] == "Patient" and not is_replaced(one)]
    if len(patients) != 1:
        hint = f"{len(patients)} Patients were converted; every message must be about one"
        raise Quarantine("match.not_one_patient", place=converted.kind, hint=hint)
    traits = traits_of(patients[0])
    return SourceRecord(_record_key(traits, ehr_id, policy), ehr_id, traits, converted.event_time, patients[0])


def person_id_of(record_key: str, *, version: int = 0) -> str:
    """The id of the person that a record founds: always the same, so that a replay makes the same person. `version` is
    that of the decision when a record is split off."""
    return content_id("person", record_key, *([str(version)] if version else []))


def _record_key(traits: Traits, ehr_id: str, policy: MatchingPolicy) -> str:
    """The key by the best kind of id that was sent, in whatever order the sender lists them."""
    for kind in policy.record_kinds:
        for entry in traits.identifiers:
            value = identifier(entry.value, policy.ignore.identifiers)
            if entry.kind == kind and value:
                return f"{ehr_id}|{entry.system}|{value}"
    hint = f"no identifier of type {', '.join(policy.record_kinds)}: map it, or ask the sender for it"
    raise Hold("match.no_identifier", place="Patient.identifier", hint=hint)


# ------------------------------------------------------------------------------------------------------ a known record


def _known(
    record: SourceRecord,
    known: Person,
    seen: Candidates,
    keys: Sequence[str],
    index: PersonIndex,
    policy: MatchingPolicy,
) -> Person:
    """The person of a record that is linked: the same one with its news, or the one that a steward moved it to."""
    decision = seen.decision
    linked = next(one for one in known.records if one.key == record.key)
    checked = still_same(linked.traits, record.traits, policy)
    if decision and decision.link_to != known.id and (decision.link_to or known.id in decision.apart_from):
        newest = _newest(linked, record) if checked.verdict is Verdict.SAME else record
        person = _moved_to(newest, seen, decision)
        index.save(person, record_key=record.key, keys=keys, seen=seen, left=_without(known, record))
        return person
    if checked.verdict is Verdict.SAME:
        seen = replace(seen, decision=None)  # not needed, so it stays open
    elif decision is None or not _answers(decision, record):
        raise Hold("match.overlay", place="Patient", hint=f"the id stays, the person seems another: {_said(checked)}")
    person = _with(known, _newest(linked, record))
    if person != known or seen.decision:
        index.save(person, record_key=record.key, keys=keys, seen=seen)
    return person


def _moved_to(record: SourceRecord, seen: Candidates, decision: Decision) -> Person:
    """Where a steward's answer put a record that was another's: with the person named, or on its own."""
    if decision.link_to:
        return _linked(_decided(seen), record)
    return Person(person_id_of(record.key, version=decision.version), 1, (record,))


def _without(person: Person, record: SourceRecord) -> Person:
    others = tuple(one for one in person.records if one.key != record.key)
    return replace(person, version=person.version + 1, records=others)


def _answers(decision: Decision, record: SourceRecord) -> bool:
    """Whether the steward can have seen this news: an accepted overlay must not let the next one through."""
    return record.event_time <= datetime.fromisoformat(decision.at) + _CLOCKS_DIFFER_BY


def _newest(linked: SourceRecord, record: SourceRecord) -> SourceRecord:
    """The record with its news; an older event changes nothing, however late it came."""
    if record.event_time < linked.event_time:
        return linked
    patient = renewed(linked, record)
    return replace(record, patient=patient, traits=traits_of(patient), retired=linked.retired)


# ------------------------------------------------------------------------------------------------------- a new record


def _first_seen(record: SourceRecord, profile: Profile, seen: Candidates, policy: MatchingPolicy) -> Person:
    """The person to link a new record to, or the new person that it founds."""
    if seen.decision and seen.decision.link_to:
        return _linked(_decided(seen), record)
    if not (record.traits.family or record.traits.given or record.traits.birth_date):
        raise Hold(
            "match.too_little", place="Patient", hint="neither a name nor a birth date: nobody can be found by it"
        )
    if seen.full and not seen.decision:
        raise Hold(
            "match.too_many", place="Patient", hint="one of its keys is shared by too many persons to compare all"
        )
    others = [person for person in seen.persons if person.id not in seen.apart]
    graded = [(person, grade_person(profile, person, policy)) for person in others]
    rivals = [(person, grade) for person, grade in graded if grade.verdict is not Verdict.DIFFERENT]
    if not rivals:
        if not profile.birth_date and not seen.decision:
            hint = "no birth date, and nobody like it: who is known by one cannot be found"
            raise Hold("match.too_little", place="Patient", hint=hint)
        return Person(person_id_of(record.key), 1, (record,))
    certain = only_one([grade for _, grade in rivals], policy)
    if certain is not None:
        return _linked(rivals[certain][0], record)
    likest = sorted(rivals, key=lambda rival: -rival[1].confidence)[:_MOST_SHOWN]
    said = "; ".join(f"{person.id} {_said(grade)}" for person, grade in likest)
    raise Hold("match.possible", place="Patient", hint=f"{len(rivals)} persons may be this one: {said}")


def _linked(person: Person, record: SourceRecord) -> Person:
    return replace(_with(person, record), version=person.version + 1)


def _decided(seen: Candidates) -> Person:
    """The person that a steward named."""
    named = seen.decision.link_to if seen.decision else ""
    for person in seen.persons:
        if person.id == named:
            return person
    raise Hold("match.decision_stale", place="Patient", hint="the person that a steward named is gone; decide again")


# ------------------------------------------------------------------------------------------------------------- a merge


@dataclass(frozen=True, slots=True)
class _Merged:
    """The person of a message and, by the id of the replaced Patient in the message, the persons that it was until now:
    signs of a merge, or persons that have other records left."""

    person: Person
    until_now: Mapping[str, Person] = field(default_factory=dict)


def _merged(
    converted: Converted, record: SourceRecord, person: Person, index: PersonIndex, policy: MatchingPolicy
) -> _Merged:
    """What the EHR says of its own numbers (HL7 v2 ADT^A40): those that the message replaces are this person's now, and
    are used no more. A number that nobody has heard of is nobody's yet."""
    until_now: dict[str, Person] = {}
    for patient in converted.resources:
        if patient["resourceType"] != "Patient" or not is_replaced(patient):
            continue
        key = _record_key(traits_of(patient), record.ehr, policy)
        seen = index.find(key, [])
        if seen.known is None or key == record.key:
            continue
        theirs = next(one for one in seen.known.records if one.key == key)
        if seen.known.id != person.id:
            _check_merge(theirs, seen.known, person, policy)
            signed = Signed(record.ehr, converted.event_time, converted.kind)
            until_now[patient["id"]], person = Links(index=index, policy=policy).retire(
                theirs, seen.known, person, signed
            )
        elif not theirs.retired:
            person = _with(seen.known, replace(theirs, retired=True))
            index.save(person, record_key=key, keys=[], seen=seen)
    return _Merged(person, until_now)


def _check_merge(theirs: SourceRecord, owner: Person, person: Person, policy: MatchingPolicy) -> None:
    """An EHR's merge is believed unless what it says of the two differs: clerks merge the wrong charts as well."""
    grade = grade_person(profile_of(theirs.traits, policy), person, policy)
    if grade.verdict is Verdict.DIFFERENT:
        hint = f"the EHR merges {owner.id} into {person.id}, which seem two: {_said(grade)}; if it is right, merge them"
        raise Hold("match.merge_doubtful", place="Patient.link", hint=hint)


# --------------------------------------------------------------------------------------------------------------- both


def _with(person: Person, record: SourceRecord) -> Person:
    """The person with this record, in the place of its older self."""
    others = [one for one in person.records if one.key != record.key]
    return replace(person, records=tuple(sorted((*others, record), key=lambda one: one.key)))


def _theirs(resources: Iterable[Resource], merged: _Merged) -> tuple[Resource, ...]:
    """The resources with the golden Patients in the places of the records', and every reference to them moved. A
    Patient that the message replaces is the person that it was until now; if it was nobody else, it is not there."""
    golden: dict[str, Resource] = {}
    moved: dict[str, str] = {}
    others = []
    for resource in resources:
        if resource["resourceType"] == "Patient":
            person = merged.until_now.get(resource["id"], merged.person)
            golden.setdefault(person.id, golden_patient(person))
            moved[f"Patient/{resource['id']}"] = f"Patient/{person.id}"
        else:
            others.append(resource)
    return (*golden.values(), *(rewrite_references(one, moved) for one in others))


def _said(grade: Grade) -> str:
    """A grade for a steward's eyes: figures and words, no values."""
    return f"({grade.verdict}, {grade.confidence:.4f}: {', '.join(grade.evidence)})"
