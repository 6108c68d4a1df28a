"""The record that a message is about, and the persons that records make: what every question of match begins with."""

from __future__ import annotations

from dataclasses import replace

from headwater.errors import Hold, Quarantine
from headwater.fhir.ids import content_id
from headwater.fhir.merged import is_replaced
from headwater.model import Candidates, Converted, Grade, Person, SourceRecord, Traits
from headwater.persons.normalise import identifier
from headwater.persons.policy import MatchingPolicy
from headwater.persons.traits import traits_of


def record_of(converted: Converted, ehr_id: str, policy: MatchingPolicy) -> SourceRecord:
    """The EHR's record that the message is about; `key` is `<ehr>|<assigning authority>|<MRN>` (and so it is PHI)."""
    patients = [one for one in converted.resources if one["resourceType"] == "Patient" and not is_replaced(one)]
    if len(patients) != 1:
        hint = f"{len(patients)} Patients were converted; every message must be about one"
        raise Quarantine("match.not_one_patient", place=converted.kind, hint=hint)
    traits = traits_of(patients[0])
    return SourceRecord(record_key_of(traits, ehr_id, policy), ehr_id, traits, converted.event_time, patients[0])


def person_id_of(record_key: str, *, version: int = 0) -> str:
    """The id of the person that a record founds: always the same, so that a replay makes the same person. `version` is
    that of the decision when a record is split off."""
    return content_id("person", record_key, *([str(version)] if version else []))


def record_key_of(traits: Traits, ehr_id: str, policy: MatchingPolicy) -> str:
    """The key by the best kind of id that was sent, in whatever order the sender lists them."""
    for kind in policy.record_kinds:
        for entry in traits.identifiers:
            value = identifier(entry.value, policy.ignore.identifiers)
            if entry.kind == kind and value:
                return f"{ehr_id}|{entry.system}|{value}"
    hint = f"no identifier of type {', '.join(policy.record_kinds)}: map it, or ask the sender for it"
    raise Hold("match.no_identifier", place="Patient.identifier", hint=hint)


def with_record(person: Person, record: SourceRecord) -> Person:
    """The person with this record, in the place of its older self."""
    others = [one for one in person.records if one.key != record.key]
    return replace(person, records=tuple(sorted((*others, record), key=lambda one: one.key)))


def linked_to(person: Person, record: SourceRecord) -> Person:
    return replace(with_record(person, record), version=person.version + 1)


def decided(seen: Candidates) -> Person:
    """The person that a steward named."""
    named = seen.decision.link_to if seen.decision else ""
    for person in seen.persons:
        if person.id == named:
            return person
    raise Hold("match.decision_stale", place="Patient", hint="the person that a steward named is gone; decide again")


def said(grade: Grade) -> str:
    """A grade for a steward's eyes: figures and words, no values."""
    return f"({grade.verdict}, {grade.confidence:.4f}: {', '.join(grade.evidence)})"
