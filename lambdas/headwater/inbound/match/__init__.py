"""match: the third step. Whose facts these are: one certain person, or Hold. Nothing is stored about anybody uncertain.

A record that is `known` is checked against itself, one that is `new` is compared with everyone who may be it, and an
EMPI `outside` is asked instead where there is one. Then the Patient is replaced by the person's golden one, and what
referred to it refers to the person; ids of other resources stay as they are. Which record each of them came from is
kept beside them, because the person may turn out to be two, and two persons one.
"""

from __future__ import annotations

from collections.abc import Iterable

from headwater.errors import Hold
from headwater.fhir.references import rewrite_references
from headwater.fhir.source import STATEMENTS, patients_of, source_code
from headwater.fhir.us_core import claim
from headwater.inbound.match.known import news_of_known
from headwater.inbound.match.merge import Merged, merged_by_ehr
from headwater.inbound.match.new import first_seen
from headwater.inbound.match.outside import named_outside
from headwater.inbound.match.record import person_id_of, record_of
from headwater.model import Converted, Matched, Person, Resource, SourceRecord
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.golden import golden_patient
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.ports import Empi, PersonIndex

__all__ = ["match", "person_id_of", "record_of"]

# A save touches a row per key, and DynamoDB takes 100 in a transaction; real patients have about ten.
_MOST_KEYS = 80


def match(
    converted: Converted, ehr_id: str, index: PersonIndex, policy: MatchingPolicy, empi: Empi | None = None
) -> Matched:
    """Find the person, or make a new one, and make the resources theirs.

    Raises Hold('match.no_identifier' | 'match.too_little' | 'match.too_much' | 'match.overlay' | 'match.possible' |
    'match.too_many' | 'match.merge_doubtful' | 'match.decision_stale', or of an `empi` outside 'match.empi_possible' |
    'match.empi_disagrees' and what its port raises) when a person must decide, Retry('match.conflict') when another
    message about the same person was faster, Quarantine('match.not_one_patient') when the conversion is at fault.
    """
    record = record_of(converted, ehr_id, policy)
    person = _person(record, converted.deleted, index, policy, empi)
    merged = merged_by_ehr(converted, record, person, index, policy)
    return Matched(
        person_id=merged.person.id,
        link_version=merged.person.version,
        resources=_theirs(converted.resources, merged),
        known_at=frozenset(linked.ehr for linked in merged.person.records),
        sources=_sources(converted.resources, record, merged),
        said=converted.said,
    )


def _person(
    record: SourceRecord, deleted: frozenset[str], index: PersonIndex, policy: MatchingPolicy, empi: Empi | None
) -> Person:
    profile = profile_of(record.traits, policy)
    keys, lookups = profile_keys(profile, policy), lookup_keys(profile, policy)
    if len(lookups) > _MOST_KEYS:
        raise Hold("match.too_much", place="Patient", hint="more names, phones and ids than one human has")
    seen = index.find(record.key, lookups, likely=person_id_of(record.key))
    named = empi and named_outside(record, profile, keys, seen, empi=empi, index=index, policy=policy)
    if named:
        return named
    if seen.known:
        return news_of_known(record, seen.known, seen, keys, index, policy, deleted)
    person = first_seen(record, profile, seen, policy)
    index.save(person, record_key=record.key, keys=keys, seen=seen)
    return person


def _theirs(resources: Iterable[Resource], merged: Merged) -> tuple[Resource, ...]:
    """The resources with the golden Patients in the places of the records', and every reference to them moved. A
    Patient that the message replaces is the person that it was until now; if it was nobody else, it is not there. What
    is told of such a Patient is told of the person that is left; a statement names those that it was made of."""
    golden: dict[str, Resource] = {}
    named: dict[str, str] = {}
    others = []
    for resource in resources:
        if resource["resourceType"] == "Patient":
            person = merged.until_now.get(resource["id"], merged.person)
            golden.setdefault(person.id, golden_patient(person))
            named[f"Patient/{resource['id']}"] = f"Patient/{person.id}"
        else:
            others.append(resource)
    claim(list(golden.values()))
    left = dict.fromkeys(named, f"Patient/{merged.person.id}")
    told = (rewrite_references(one, named if one["resourceType"] in STATEMENTS else left) for one in others)
    return (*golden.values(), *told)


def _sources(resources: Iterable[Resource], record: SourceRecord, merged: Merged) -> dict[str, str]:
    """Of each resource that refers to a Patient, the code of the record that the Patient is: the message's own, or one
    that it replaces."""
    own = source_code(record.key)
    replaced = {f"Patient/{local_id}": source_code(key) for local_id, key in merged.keys.items()}
    return {
        f"{one['resourceType']}/{one['id']}": replaced.get(patients[0], own)
        for one in resources
        if one["resourceType"] not in STATEMENTS and (patients := patients_of(one))
    }
