"""Which EHR's record of a patient a stored resource came from: a tag, by which a FHIR store finds it (`_tag`).

`match` makes a record's facts those of a person, and so the record is no more to be seen in them. The tag keeps it:
whatever becomes of the link between record and person, it says whose the fact is, and `follow` needs no other memory.
"""

from __future__ import annotations

from functools import cache

from headwater.fhir import tables
from headwater.fhir.ids import content_id
from headwater.fhir.references import references, rewrite_references
from headwater.model import Resource

SYSTEM = "urn:headwater:record"
# What was said once, of whom, stays said: statements are not rewritten when two patients turn out to be one.
STATEMENTS = frozenset({"AuditEvent", "MessageHeader", "Provenance"})
_HUMANS = frozenset({"Patient", "Person"})
_PATIENT = "Patient/"


@cache
def types_about_patients() -> tuple[str, ...]:
    """The resource types that may refer to a Patient by name (R4's Patient compartment, and those few that it leaves
    out), without statements and without who stands for a human."""
    found = {
        name.partition(".")[0]
        for name in tables.type_names()
        for element in tables.elements(name)
        if any(kind.name == "Reference" and "Patient" in kind.arguments for kind in element.kinds)
    }
    return tuple(sorted((found & tables.resource_names()) - STATEMENTS - _HUMANS))


def source_code(record_key: str) -> str:
    """The tag's code for a record. Its key holds an MRN, so the code is made of it and does not show it."""
    return content_id("record", record_key)


def patients_of(resource: Resource) -> tuple[str, ...]:
    """The Patients that it refers to, as `Patient/<id>`, each once."""
    return tuple(dict.fromkeys(one for one in references(resource) if one.startswith(_PATIENT)))


def with_source(resource: Resource, code: str) -> Resource:
    """The resource with the tag of this record, and of no other."""
    meta = resource.get("meta", {})
    others = [tag for tag in meta.get("tag", ()) if tag.get("system") != SYSTEM]
    return {**resource, "meta": {**meta, "tag": [*others, {"system": SYSTEM, "code": code}]}}


def source_of(resource: Resource) -> str:
    """The code of the record that it came from; empty where nobody said."""
    tags = resource.get("meta", {}).get("tag", ())
    return next((str(tag.get("code", "")) for tag in tags if tag.get("system") == SYSTEM), "")


def given_to(resource: Resource, person_id: str) -> Resource:
    """The resource about this person: whichever Patient it referred to, it refers to theirs."""
    theirs = f"{_PATIENT}{person_id}"
    moved = {one: theirs for one in patients_of(resource) if one != theirs}
    return rewrite_references(resource, moved) if moved else resource
