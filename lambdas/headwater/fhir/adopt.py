"""A sender's own FHIR R4 resources as ours: ids made for this store, references that hold, nobody else's facts.

An id is only good at the server that gave it, so each resource gets one that is made of the sender, its type and that
id (docs/ids.md); `meta.source` says where it came from. What is referred to and did not come along is named by its
identifier, as FHIR has it (references.html#logical), and never pretended to be here.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from headwater.errors import Quarantine
from headwater.fhir.ids import content_id
from headwater.fhir.references import references, rewrite_references
from headwater.model import Resource

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_ABSOLUTE_PATIENT = re.compile(r"https?://\S+/Patient/[A-Za-z0-9\-.]{1,64}")
_SEARCH = re.compile(r"([A-Z][A-Za-z]+)\?identifier=(?:([^|&]*)\|)?([^|&]+)")
# What a number names once and for all. Results and the like share theirs: an accession number is that of many.
_NUMBERED = frozenset({"Patient", "Practitioner", "Organization", "Encounter", "Location", "Device"})
_SORTED = orjson.OPT_SORT_KEYS
_MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
# What a server says of its own copy (FHIR R4 resource.html#Meta).
_OF_THE_SERVER = ("versionId", "lastUpdated")

Entry = tuple[str, Resource]  # the `fullUrl` (empty without one), and the resource


def adopt(entries: Sequence[Entry], ehr: str, record_system: str = "") -> list[Resource]:
    """The resources of one message, as they may be stored. A Patient's identifier of `record_system` is the record
    number, whether it says so or not.

    What has neither id nor number is known by its content, in which the others have their new names already, so that a
    `urn:uuid:` that is another every time does not count. Raises Quarantine('convert.patient_several') for facts about
    a patient who is not the message's.
    """
    known: dict[str, str] = {}  # whatever a resource here may be called, and what it is called from now on
    ids = [_known_id(resource, ehr) for _, resource in entries]
    for (url, resource), id_ in zip(entries, ids, strict=True):
        if id_:
            _learn(known, url, resource, id_)
    named = dict(known)
    for at, (url, resource) in enumerate(entries):
        if not ids[at]:
            ids[at] = _content_id(rewrite_references(resource, named), ehr)
            _learn(known, url, resource, ids[at])
    adopted = [_adopted(resource, id_, known, ehr) for (_, resource), id_ in zip(entries, ids, strict=True)]
    return [_with_record_number(one, record_system) if one["resourceType"] == "Patient" else one for one in adopted]


def _known_id(resource: Resource, ehr: str) -> str:
    """By the sender's id, else by the first number that has a system; empty without either."""
    kind, said = resource["resourceType"], resource.get("id")
    if isinstance(said, str) and said:
        return content_id(ehr, kind, "fhir", said)
    if kind not in _NUMBERED:
        return ""
    return next((content_id(ehr, kind, system, value) for system, value in _numbers(resource)), "")


def _content_id(resource: Resource, ehr: str) -> str:
    return content_id(ehr, resource["resourceType"], "content", orjson.dumps(resource, option=_SORTED).decode())


def _learn(known: dict[str, str], url: str, resource: Resource, id_: str) -> None:
    kind, said = resource["resourceType"], resource.get("id")
    called = [url, f"{kind}/{said}" if said else ""]
    called += [f"{kind}?identifier={system}|{value}" for system, value in _numbers(resource)]
    for name in filter(None, called):
        known.setdefault(name, f"{kind}/{id_}")


def _numbers(resource: Resource) -> Iterator[tuple[str, str]]:
    """The identifiers that have a system."""
    listed = resource.get("identifier")
    for one in listed if isinstance(listed, list) else [listed]:
        system, value = (one.get("system"), one.get("value")) if isinstance(one, dict) else (None, None)
        if isinstance(system, str) and isinstance(value, str):
            yield system, value


# ----------------------------------------------------------------------------------------------------- one resource


def _adopted(resource: Resource, id_: str, known: dict[str, str], ehr: str) -> Resource:
    kind = resource["resourceType"]
    contained = resource.get("contained")
    for one in contained if isinstance(contained, list) else ():
        if isinstance(one, dict) and one.get("resourceType") == "Patient":
            raise Quarantine("convert.patient_several", place=f"{kind}.contained", hint="a patient is no one's part")
    here: dict[str, str] = {}
    elsewhere: dict[str, Resource] = {}
    for reference in references(resource):
        target = known.get(reference)
        if not target and (target := known.get(reference.partition("/_history/")[0])):
            here[reference] = target
        elif not target and (logical := _logical(reference, ehr)):
            elsewhere[reference] = logical
        if not target and kind != "Patient" and _is_patient(reference):
            raise Quarantine("convert.patient_several", place=kind, hint="it is about a patient who did not come along")
    adopted = rewrite_references(resource, ChainMap(here, known) if here else known)
    if elsewhere:
        adopted = _with_logical(adopted, elsewhere)
    said = resource.get("meta")
    meta = {name: value for name, value in said.items() if name not in _OF_THE_SERVER} if isinstance(said, dict) else {}
    if resource.get("id"):
        meta.setdefault("source", f"urn:headwater:{ehr}:{kind}/{resource['id']}")
    return {**adopted, "id": id_, **({"meta": meta} if meta else {})}


def _with_record_number(patient: Resource, system: str) -> Resource:
    listed = patient.get("identifier")
    if not system or not isinstance(listed, list):
        return patient
    ours = [isinstance(one, dict) and one.get("system") == system and "type" not in one for one in listed]
    return {
        **patient,
        "identifier": [{**one, "type": _MR} if our else one for one, our in zip(listed, ours, strict=True)],
    }


def _is_patient(reference: str) -> bool:
    return reference.startswith(("Patient/", "Patient?")) or bool(_ABSOLUTE_PATIENT.match(reference))


def _logical(reference: str, ehr: str) -> Resource | None:
    """A reference to what is not here, by identifier; None for what stays as it is: contained, or another server's."""
    if found := _RELATIVE.fullmatch(reference.partition("/_history/")[0]):
        return {"type": found[1], "identifier": {"system": f"urn:headwater:{ehr}:fhir", "value": found[0]}}
    if found := _SEARCH.fullmatch(reference):
        identifier = {"system": found[2], "value": found[3]} if found[2] else {"value": found[3]}
        return {"type": found[1], "identifier": identifier}
    if reference.startswith("urn:"):
        return {"identifier": {"system": "urn:ietf:rfc:3986", "value": reference}}
    return None


def _with_logical(node: Any, elsewhere: Mapping[str, Resource]) -> Any:
    if isinstance(node, list):
        return [_with_logical(item, elsewhere) for item in node]
    if not isinstance(node, dict):
        return node
    logical = elsewhere.get(node["reference"]) if isinstance(node.get("reference"), str) else None
    if logical:
        return {**logical, **{name: value for name, value in node.items() if name != "reference"}}
    return {name: _with_logical(value, elsewhere) for name, value in node.items()}
