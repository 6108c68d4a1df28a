"""store: the fourth step. One person's resources go into the FHIR store, whole or not at all, and never backwards.

Feeds arrive out of order after a hold or a replay, and history comes last of all. Encounters and reports are threads:
news of an older event than the store already has is left out, with what hangs on it, so that an old A01 does not reopen
a discharged visit; and so is an allergy, a problem, an order that belongs to no visit. What newer news does not speak
of stays: a transfer without diagnoses does not take away those of the admission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from headwater.fhir.source import with_source
from headwater.fhir.unsaid import completed, members_of
from headwater.model import Matched, Resource, Thread
from headwater.ports import FhirStore, Inbox

_THREADS = ("Encounter", "DiagnosticReport")
# What is true of a patient whatever the visit. Where it names a visit, that one's thread keeps it from going backwards;
# else it has its own. Observations are left out: of a report they hang on it, and others are what was measured then.
_STANDING = (
    *("AllergyIntolerance", "Appointment", "CarePlan", "Condition", "Coverage", "DocumentReference", "Goal"),
    *("Immunization", "MedicationRequest", "MedicationStatement", "Procedure", "ServiceRequest"),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in the store now: the resources, their versioned references, and the visits and reports that were too
    old."""

    resources: tuple[Resource, ...]
    references: tuple[str, ...]
    superseded: tuple[str, ...] = ()


def store(matched: Matched, event_time: datetime, *, ehr: str, fhir: FhirStore, inbox: Inbox) -> Stored:
    """Write what is not superseded; `event_time` is when the sender says it happened."""
    threads: dict[str, Thread | None] = {}
    for resource in matched.resources:
        if resource["resourceType"] in _THREADS or _stands_alone(resource):
            name, told = reference_of(resource), members_of(resource, matched.said.get(resource["resourceType"], {}))
            threads[name] = inbox.advance(f"{ehr}|{name}", event_time, told)
    stale = {name for name, thread in threads.items() if thread is None}
    current = tuple(
        _completed(resource, threads.get(reference_of(resource)), matched.said, fhir)
        for resource in matched.resources
        if not _hangs_on(resource, stale, matched.resources)
    )
    references = tuple(fhir.transact([_tagged(resource, matched.sources) for resource in current]))
    return Stored(current, references, tuple(sorted(name for name in stale if name.startswith(_THREADS))))


def reference_of(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _stands_alone(resource: Resource) -> bool:
    return resource["resourceType"] in _STANDING and not (resource.get("encounter") or resource.get("context"))


def _completed(
    resource: Resource, thread: Thread | None, said: Mapping[str, Mapping[str, bool]], fhir: FhirStore
) -> Resource:
    """With what the message does not speak of. The stored version is read only if an earlier message told of that."""
    spoken = said.get(resource["resourceType"], {})
    unsaid = {member for member, is_said in spoken.items() if not is_said}
    if thread is None or not (thread.told & unsaid) - members_of(resource, spoken):
        return resource
    known = fhir.read(reference_of(resource))
    return completed(resource, known, spoken) if known else resource


def _tagged(resource: Resource, sources: Mapping[str, str]) -> Resource:
    """As it is written: with the record that it came from. Nobody else is told of it."""
    code = sources.get(reference_of(resource), "")
    return with_source(resource, code) if code else resource


def _hangs_on(resource: Resource, stale: set[str], resources: Iterable[Resource]) -> bool:
    """Whether a resource is stale itself, belongs to a stale visit, or is a result of a stale report."""
    if not stale:
        return False
    me = reference_of(resource)
    if me in stale or _target(resource.get("encounter")) in stale:
        return True
    return any(
        me in {_target(result) for result in report.get("result", ())}
        for report in resources
        if reference_of(report) in stale
    )


def _target(reference: object) -> str:
    return str(reference.get("reference", "")) if isinstance(reference, dict) else ""
