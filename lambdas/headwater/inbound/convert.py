"""convert: the second step. One archived message becomes FHIR R4 resources with ids made of what they are about.

A format reads the bytes, the EHR's templates say what they mean, and here the result is made whole: resources that a
template wrote in the place of a reference are lifted out, the same thing said twice is one resource, every reference
resolves, exactly one Patient is there, Provenance tells where it all came from, and all of it is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from headwater.ehrs import Ehr
from headwater.errors import Quarantine
from headwater.fhir.ids import content_id
from headwater.fhir.references import references
from headwater.fhir.validate import validate
from headwater.formats import HL7V2, media_type
from headwater.model import Converted, Envelope, Resource
from headwater.templates.engine import Engine

_NAMESPACE = "urn:headwater"
_PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def convert(envelope: Envelope, ehr: Ehr, engine: Engine) -> Converted:
    """The resources of one message, valid, complete and consistent among themselves.

    Raises Quarantine: `convert.format_unknown`, `.not_hl7`, `.truncated`, `.charset`, `.template_missing`,
    `.patient_missing`, `.patient_unidentified`, `.reference_dangling`, `.invalid`, or what the engine raises.
    """
    converted = draft(envelope, ehr, engine)
    check(converted.resources)
    return converted


def draft(envelope: Envelope, ehr: Ehr, engine: Engine) -> Converted:
    """The same, whole but not checked: for the analyst's tools, which show what is wrong beside what was made."""
    if media_type(envelope.content_type) not in HL7V2:
        raise Quarantine("convert.format_unknown", place="content-type", hint="no format of this name is known")
    kind, built, event_time, unread = _from_hl7v2(envelope.body, ehr, engine)
    resources = _merge(_lift(built))
    provenance = _provenance(resources, envelope, engine, event_time)
    resources = [*(one for one in resources if one["resourceType"] != "Provenance"), provenance]
    return Converted(kind, tuple(resources), event_time, unread)


def check(resources: Sequence[Resource]) -> None:
    """One identified Patient, every reference resolved, everything valid. Raises Quarantine with the first fault."""
    _check_patient(resources)
    _check_references(resources)
    _check_valid(resources)


# ------------------------------------------------------------------------------------------------------------- HL7 v2


def _from_hl7v2(body: bytes, ehr: Ehr, engine: Engine) -> tuple[str, list[Resource], datetime, tuple[str, ...]]:
    from headwater.formats.hl7v2 import parse
    from headwater.formats.hl7v2.events import structure_of

    message = parse(body, ZoneInfo(ehr.feed.time_zone))
    kind = structure_of(message.type, message.trigger)
    kind = ehr.feed.message_types.get(kind, kind)
    template = f"hl7v2/{kind}"
    if engine.folders.find(template) is None:
        hint = f"no template hl7v2/{kind}: write one, or name another in feed.message_types"
        raise Quarantine("convert.template_missing", place="MSH-9", hint=hint)
    if message.lookup("PID") is None:
        raise Quarantine("convert.patient_missing", place="PID", hint="the message has no PID segment")
    event_time = message.event_time
    if event_time is None:
        raise Quarantine("convert.time_missing", place="MSH-7", hint="neither EVN-2 nor MSH-7 says when it happened")
    variables = {"message": message, "ehr": {"id": ehr.name, "default_authority": ehr.feed.default_authority}}
    built = engine.build(template, variables).get("resources", [])
    return kind, built, event_time, message.unread()


# -------------------------------------------------------------------------------------------------- making it whole


def _lift(built: Sequence[Resource]) -> list[Resource]:
    """All resources flat: what a template wrote whole in the place of a reference becomes a reference and a resource.

    A lifted resource comes after the one it was in; one that nothing identifies is left out, and so are texts of
    blanks alone and extensions whose value the message did not have.
    """
    found: list[Resource] = []
    for resource in built:
        place = len(found)
        found.append(resource)
        found[place] = _members(resource, found)
    return found


def _members(node: Resource, found: list[Resource]) -> Resource:
    flat: Resource = {}
    for name, value in node.items():
        if value.__class__ is dict:
            value = _value(value, name, found)
        elif value.__class__ is list:
            value = _items(value, name, found)
        elif value.__class__ is str and value.isspace():
            continue
        if value or value.__class__ not in (dict, list):
            flat[name] = value
    return flat


def _value(node: Resource, name: str, found: list[Resource]) -> Resource:
    if "resourceType" not in node or name == "contained":
        return _members(node, found)
    if not node.get("id"):
        return {}
    found.extend(_lift([node]))
    return {"reference": f"{node['resourceType']}/{node['id']}"}


def _items(nodes: list[Any], name: str, found: list[Resource]) -> list[Any]:
    items = [_value(node, name, found) if node.__class__ is dict else node for node in nodes]
    if name == "extension":
        return [item for item in items if len(item) > 1]
    return [item for item in items if not (item == {} or (item.__class__ is str and item.isspace()))]


def _merge(resources: Sequence[Resource]) -> list[Resource]:
    """One resource a type and id. What is said again is united: objects by their members, lists by their items; of
    two different values the first stays."""
    merged: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        key = (resource["resourceType"], resource.get("id", ""))
        merged[key] = _united(merged[key], resource) if key in merged else resource
    return list(merged.values())


def _united(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        both = {name: _united(value, second[name]) if name in second else value for name, value in first.items()}
        return both | {name: value for name, value in second.items() if name not in first}
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *(item for item in second if item not in first)]
    return first


def _provenance(resources: Sequence[Resource], envelope: Envelope, engine: Engine, event_time: datetime) -> Resource:
    """Where the others come from: this message, this EHR, these mappings (FHIR R4 provenance.html). What a template
    says of it (who did it, why) stays."""
    said = next((one for one in resources if one["resourceType"] == "Provenance"), {})
    others = [one for one in resources if one["resourceType"] != "Provenance"]
    agents = [
        *said.get("agent", ()),
        _agent("author", f"{_NAMESPACE}:ehr", envelope.ehr),
        _agent("assembler", f"{_NAMESPACE}:mappings", _version(engine)),
    ]
    archived = {"identifier": {"system": f"{_NAMESPACE}:message", "value": envelope.key}}
    return {
        "recorded": event_time.isoformat(),
        **said,
        "resourceType": "Provenance",
        "id": content_id(envelope.ehr, "Provenance", envelope.key),
        "target": [{"reference": f"{one['resourceType']}/{one.get('id', '')}"} for one in others],
        "agent": agents,
        "entity": [{"role": "source", "what": archived}],
    }


def _agent(role: str, system: str, value: str) -> Resource:
    return {
        "type": {"coding": [{"system": _PARTICIPANT_TYPE, "code": role}]},
        "who": {"identifier": {"system": system, "value": value}, "display": value},
    }


def _version(engine: Engine) -> str:
    return engine.version or "unversioned"


# ------------------------------------------------------------------------------------------------------------- checks


def _check_patient(resources: Sequence[Resource]) -> None:
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    if not patients:
        raise Quarantine("convert.patient_missing", place="PID", hint="the template gave no Patient")
    if len(patients) > 1:
        raise Quarantine("convert.patient_several", place="PID", hint="a message is about one patient")
    if not patients[0].get("id"):
        raise Quarantine("convert.patient_unidentified", place="PID-3", hint="there is no identifier of the patient")


def _check_references(resources: Sequence[Resource]) -> None:
    known = {f"{one['resourceType']}/{one.get('id', '')}" for one in resources}
    for resource in resources:
        for reference in references(resource):
            if reference not in known and not reference.startswith(("#", "http:", "https:", "urn:")):
                place = str(resource["resourceType"])
                raise Quarantine("convert.reference_dangling", place=place, hint="it refers to what is not there")


def _check_valid(resources: Sequence[Resource]) -> None:
    issues = [issue for resource in resources for issue in validate(resource)]
    if issues:
        more = f"; and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Quarantine("convert.invalid", place=issues[0].path, hint=f"{issues[0].message}{more}")
