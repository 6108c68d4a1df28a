"""store: the fourth step. One person's resources go into the FHIR store, whole or not at all, and never backwards.

Feeds arrive out of order after a hold or a replay. Encounters and reports are threads: news of an older event than the
store already has is left out, with what hangs on it, so that an old A01 does not reopen a discharged visit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from headwater.fhir.source import with_source
from headwater.model import Matched, Resource
from headwater.ports import FhirStore, Inbox

_THREADS = ("Encounter", "DiagnosticReport")


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in the store now: the resources, their versioned references, and what was too old."""

    resources: tuple[Resource, ...]
    references: tuple[str, ...]
    superseded: tuple[str, ...] = ()


def store(matched: Matched, event_time: datetime, *, ehr: str, fhir: FhirStore, inbox: Inbox) -> Stored:
    """Write what is not superseded; `event_time` is when the sender says it happened."""
    threads = [reference_of(resource) for resource in matched.resources if resource["resourceType"] in _THREADS]
    stale = {thread for thread in threads if not inbox.advance(f"{ehr}|{thread}", event_time)}
    current = tuple(resource for resource in matched.resources if not _hangs_on(resource, stale, matched.resources))
    references = tuple(fhir.transact([_tagged(resource, matched.sources) for resource in current]))
    return Stored(current, references, tuple(sorted(stale)))


def reference_of(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


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
