"""identity: the person here and the patient there are one, to 99.9 %, by a look at the EHR's own record, now.

Asked when proposed, and again before the bytes leave. The link is named by what it ties together, so that any change of
it (a record joined, split off or merged) shows as another link, and what hung on the old one stops.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from headwater.ehrs import Ehr
from headwater.errors import Refuse, Retry
from headwater.model import Grade, Identifier, Person, Resource, Verdict
from headwater.persons.grade import grade_person
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from headwater.persons.traits import traits_of
from headwater.ports import EhrApi, PersonIndex

CERTAIN = 0.999


@dataclass(frozen=True, slots=True)
class Identity:
    """A certain link: the patient's reference at the EHR, the link's name, the grade it rests on, the EHR's record."""

    patient_ref: str
    link: str
    grade: Grade
    patient: Resource = field(repr=False)


def identity(
    person_id: str, origin: str, ehr: Ehr, *, index: PersonIndex, api: EhrApi, policy: MatchingPolicy
) -> Identity:
    """Find the person's patient at the EHR and grade the pair; raises Refuse when it is not certain, and Retry when the
    EHR does not answer, or while facts of the person are still under another in the FHIR store: who reads it now, and
    asks for a write-back by it, sees half."""
    person = index.get(person_id)
    if person is None:
        raise Refuse("identity.person_unknown", place="person", hint="the person was merged or never existed")
    if person.moving:
        raise Retry("identity.moving", place="person", hint="a merge or its reverse is not through yet")
    patient = _patient_at(ehr, _identifier_at(person, ehr), api)
    # One of the person's records that contradicts what the EHR says now is enough to stop.
    grade = grade_person(profile_of(traits_of(patient), policy), person, policy)
    if grade.verdict is not Verdict.SAME or grade.confidence < CERTAIN:
        hint = f"{grade.confidence:.4f} is below {CERTAIN}; a steward must look: {', '.join(grade.evidence)}"
        raise Refuse("identity.not_certain", place="person", hint=hint)
    return Identity(f"Patient/{patient['id']}", link_of(person, origin, ehr.name), grade, patient)


def link_of(person: Person, origin: str, to: str) -> str:
    """A name for exactly what ties the fact's origin to the EHR that is told: the person and both EHRs' records.

    A record of a third EHR that joins leaves it as it is; whether that record fits is for the grade to say.
    """
    keys = "\n".join(sorted(record.key for record in person.records if record.ehr in (origin, to)))
    return hashlib.sha256(f"{person.id}\n{keys}".encode()).hexdigest()[:16]


def _identifier_at(person: Person, ehr: Ehr) -> Identifier:
    """The one id under which the EHR knows the person."""
    system = ehr.patient.identifier_system
    records = [record for record in person.records if record.ehr == ehr.name and not record.retired]
    ids = {one for record in records for one in record.traits.identifiers if one.system == system}
    if not ids:
        raise Refuse("identity.not_at_ehr", place="person", hint="this EHR has sent no record of the person")
    if len(ids) > 1:
        raise Refuse(
            "identity.two_records", place="person", hint="the EHR has two live records of the person: merge them"
        )
    return ids.pop()


def _patient_at(ehr: Ehr, identifier: Identifier, api: EhrApi) -> Resource:
    answer = api.search("Patient", {"identifier": f"{identifier.system}|{identifier.value}"})
    if answer.status in (0, 401, 429) or answer.status >= 500:
        raise Retry("identity.ehr_unavailable", place=ehr.name, after=30)
    if answer.status != 200:
        raise Refuse("identity.search_refused", place=ehr.name, hint=f"Patient search answered {answer.status}")
    found: list[Resource] = [entry["resource"] for entry in (answer.body or {}).get("entry", []) if "resource" in entry]
    patients = [one for one in found if one.get("resourceType") == "Patient" and _is_current(one)]
    if any(not _bears(one, identifier) for one in patients):
        # A number means something only with who gave it: the same digits at another tenant are another human.
        hint = "the EHR answered with a patient who does not bear the identifier that was asked for"
        raise Refuse("identity.other_identifier", place=ehr.name, hint=hint)
    if len(patients) != 1:
        hint = f"{len(patients)} patients carry the identifier at the EHR; there must be one"
        raise Refuse("identity.patient_not_found" if not patients else "identity.ambiguous", place=ehr.name, hint=hint)
    return patients[0]


def _is_current(patient: Resource) -> bool:
    """Not retired, and not merged into another (FHIR R4 patient.html#merging)."""
    merged = any(link.get("type") == "replaced-by" for link in patient.get("link", []))
    return bool(patient.get("active", True)) and not merged


def _bears(patient: Resource, identifier: Identifier) -> bool:
    held = patient.get("identifier", [])
    return any((one.get("system"), one.get("value")) == (identifier.system, identifier.value) for one in held)
