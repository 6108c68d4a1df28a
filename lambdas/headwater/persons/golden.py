"""Survivorship: the one Patient of a person, made anew from all linked records and never patched, so that an unlink or
a merge leaves no dirt behind. The same records give the same Patient, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headwater.model import Person, Resource, SourceRecord

# What describes a source's resource and not the human, or points into the source's own store (R4 patient.html).
_OF_THE_SOURCE = frozenset({"id", "meta", "implicitRules", "text", "contained", "link"})
# Choice types: one question with several element names (R4 formats.html#choice).
_CHOICES = (("deceasedBoolean", "deceasedDateTime"), ("multipleBirthBoolean", "multipleBirthInteger"))


def golden_patient(person: Person) -> Resource:
    """The FHIR R4 Patient of a person: its id, every source's identifiers, and else what the newest record states. Of a
    person that was merged it is a sign: not active, with a link to the one that replaces it (R4 patient.html#link)."""
    if person.replaced_by:
        return {
            "resourceType": "Patient",
            "id": person.id,
            "active": False,
            **_links("replaced-by", person.replaced_by),
        }
    # Oldest first, so that newer values replace older ones; the key settles records of the same moment.
    records = sorted(person.records, key=lambda record: (record.event_time, record.key))
    golden: Resource = {"resourceType": "Patient", "id": person.id}
    for record in records:
        golden = overlaid(golden, record.patient)
    identifiers = _united(map(_identifiers, sorted(records, key=lambda one: one.key)))
    merged = _links("replaces", *person.replaces)
    return {**golden, **({"identifier": identifiers} if identifiers else {}), **merged, "id": person.id}


def _identifiers(record: SourceRecord) -> list[Resource]:
    """A record's identifiers; of one that its EHR has retired they are old (R4 identifier-use)."""
    stated: list[Resource] = record.patient.get("identifier") or []
    return [{**entry, "use": "old"} for entry in stated] if record.retired else stated


def _links(kind: str, *person_ids: str) -> Resource:
    linked = [{"other": {"reference": f"Patient/{one}"}, "type": kind} for one in person_ids]
    return {"link": linked} if linked else {}


def renewed(old: SourceRecord, new: SourceRecord) -> Resource:
    """A record's Patient after news of it: what the news states replaces, what it is silent about stays (HL7 v2.5.1
    §2.7.3: an empty field is no change). Identifiers of a system and type replace those of the same."""
    stated = {_slot(entry) for entry in new.patient.get("identifier") or ()}
    kept = [entry for entry in old.patient.get("identifier") or () if _slot(entry) not in stated]
    patient = overlaid(old.patient, new.patient, keep=_OF_THE_SOURCE)
    identifiers = [*(new.patient.get("identifier") or ()), *kept]
    return {**patient, **({"identifier": identifiers} if identifiers else {})}


def overlaid(older: Resource, newer: Resource, *, keep: frozenset[str] = frozenset()) -> Resource:
    """The elements of `newer` over those of `older`; the source's own elements are dropped unless in `keep`."""
    dropped = _OF_THE_SOURCE - keep
    stated = {name: value for name, value in newer.items() if name not in dropped and value not in (None, "", [], {})}
    if "contained" in dropped:
        stated = {name: value for name, value in stated.items() if not _points_inside(value)}
    replaced = {other for choice in _CHOICES if stated.keys() & set(choice) for other in choice}
    # A primitive's extensions belong to its value (R4 json.html#primitive): "_birthDate" goes with "birthDate".
    replaced |= {f"_{name}" for name in stated}
    return {name: value for name, value in older.items() if name not in replaced} | stated


def _points_inside(value: Any) -> bool:
    """Whether a value refers to a contained resource, which does not come along (R4 references.html#contained)."""
    if isinstance(value, list):
        return any(_points_inside(entry) for entry in value)
    if not isinstance(value, dict):
        return False
    reference = value.get("reference")
    return (isinstance(reference, str) and reference.startswith("#")) or any(map(_points_inside, value.values()))


def _united(lists: Iterable[list[Resource] | None]) -> list[Resource]:
    """Every identifier once; two that name the same system and value are one, the first one stays."""
    seen: dict[tuple[Any, ...], Resource] = {}
    for entry in (entry for entries in lists for entry in entries or ()):
        seen.setdefault((entry.get("system"), entry.get("value"), _slot(entry)[1]), entry)
    return list(seen.values())


def _slot(identifier: Resource) -> tuple[str, str]:
    codings = (identifier.get("type") or {}).get("coding") or [{}]
    return str(identifier.get("system") or ""), str(codings[0].get("code") or "")
