"""convert: the second step. One archived message becomes FHIR R4 resources with ids made of what they are about.

A format reads the bytes and the EHR's templates say what they mean, unless they are FHIR R4 already. Then the result is
made whole: resources that a template wrote in the place of a reference are lifted out, the same thing said twice is one
resource, every reference resolves, exactly one Patient is there, Provenance tells where it all came from, all of it is
valid, and each says which profiles of US Core it conforms to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headwater.ehrs import Ehr
from headwater.errors import Quarantine
from headwater.fhir import unsaid
from headwater.fhir.adopt import adopt
from headwater.fhir.answers import outcome_of
from headwater.fhir.assemble import Lifting, lift, merge
from headwater.fhir.ids import content_id
from headwater.fhir.merged import is_replaced
from headwater.fhir.references import references
from headwater.fhir.us_core import claim
from headwater.fhir.validate import validate
from headwater.formats import read
from headwater.formats.reading import Reading
from headwater.model import Converted, Envelope, Resource, Unmapped
from headwater.templates.engine import Engine
from headwater.templates.loader import Folders

_NAMESPACE = "urn:headwater"
_PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def convert(envelope: Envelope, ehr: Ehr, engine: Engine) -> Converted:
    """The resources of one message, valid, complete and consistent among themselves.

    Raises Quarantine: `convert.format_unknown`, what the format raises that reads it, `convert.template_missing`,
    `.template_output`, `.time_missing`, `.patient_missing`, `.patient_several`, `.patient_unidentified`,
    `.reference_dangling`, `.invalid`, `.too_deep`, or what the engine raises.
    """
    reading = read(envelope.content_type, envelope.body, ehr.feed)
    try:
        built = _built(reading, ehr, engine)
        try:
            return _checked(_whole(built, reading, envelope, engine), reading)
        except Quarantine:
            if not reading.template:
                raise
        # Perhaps only blanks and empty extensions are wrong: they are never valid, and so not looked for before.
        return _checked(_whole(built.tidied(), reading, envelope, engine), reading)
    except RecursionError:
        raise _too_deep(reading) from None


def draft(envelope: Envelope, ehr: Ehr, engine: Engine) -> Converted:
    """The same, whole but not checked: for the analyst's tools, which show what is wrong beside what was made."""
    reading = read(envelope.content_type, envelope.body, ehr.feed)
    try:
        built = _built(reading, ehr, engine)
        converted = _whole(built.tidied() if reading.template else built, reading, envelope, engine)
        claim(converted.resources)
        return converted
    except RecursionError:
        raise _too_deep(reading) from None


def _checked(converted: Converted, reading: Reading) -> Converted:
    check(converted.resources, reading.places)
    claim(converted.resources)
    return converted


def _too_deep(reading: Reading) -> Quarantine:
    hint = "the message, or what a template made of it, is nested too deeply"
    return Quarantine("convert.too_deep", place=reading.kind, hint=hint)


def check(resources: Sequence[Resource], places: Mapping[str, str] = MappingProxyType({})) -> None:
    """One identified Patient besides those that it replaces, every reference resolved, everything valid. Raises
    Quarantine with the first fault; `places` say where in the message the `patient` and the patient's `identity` should
    be."""
    _check_patient(resources, places)
    _check_each(resources)


class _Built(NamedTuple):
    """What a message says: all resources flat, when it happened, and what nobody read or knew."""

    resources: list[Resource]
    event_time: datetime
    unread: tuple[str, ...]
    unmapped: tuple[Unmapped, ...]

    def tidied(self) -> _Built:
        return self._replace(resources=lift(self.resources))


def _built(reading: Reading, ehr: Ehr, engine: Engine) -> _Built:
    """By its template, or as the sender has it in FHIR."""
    engine.unmapped()  # what a message before left behind when it failed
    event_time = reading.event_time
    if reading.template:
        lifting = Lifting()
        built = _rendered(reading, ehr, engine, lifting)
        resources = lifting.lifted(built.get("resources", []))
        event_time = event_time or _moment(built.get("event_time"), ehr.feed.time_zone)
    else:
        resources = adopt(reading.resources, ehr.name, ehr.patient.identifier_system)
    if event_time is None:
        raise Quarantine("convert.time_missing", place=reading.place("time"), hint="nothing says when it happened")
    return _Built(resources, event_time, reading.unread(), engine.unmapped())


def _whole(built: _Built, reading: Reading, envelope: Envelope, engine: Engine) -> Converted:
    resources = merge(built.resources)
    # A template's words on this message. A Provenance that has a target is the sender's own, about something else.
    ours = [one for one in resources if one["resourceType"] == "Provenance" and "target" not in one]
    others = [one for one in resources if one not in ours] if ours else resources
    provenance = _provenance(others, ours[0] if ours else {}, envelope, engine, built.event_time)
    told = built.unread, reading.message_id, reading.sent_at, built.unmapped, *_said(reading, others, engine)
    return Converted(reading.kind, (*others, provenance), built.event_time, *told)


def _rendered(reading: Reading, ehr: Ehr, engine: Engine, lifting: Lifting) -> Resource:
    if engine.folders.find(reading.template) is None:
        hint = f"no template {reading.template}: write one, or name another in feed.message_types or feed.templates"
        raise Quarantine("convert.template_missing", place=reading.place("template"), hint=hint)
    if not reading.about_patient:
        place = reading.place("patient")
        raise Quarantine("convert.patient_missing", place=place, hint=f"the message has no {place}")
    sender = {"id": ehr.name, "default_authority": ehr.feed.default_authority}
    built = engine.build(reading.template, {**reading.variables, "ehr": sender}, lifting)
    listed = built.get("resources", []) if isinstance(built, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "resourceType" in one for one in listed):
        place, hint = f"{reading.template}.liquid", 'expected { "resources": [ … ] }, each with a resourceType'
        raise Quarantine("convert.template_output", place=place, hint=hint)
    return dict(built)


def _said(
    reading: Reading, resources: Sequence[Resource], engine: Engine
) -> tuple[dict[str, dict[str, bool]], frozenset[str]]:
    """Of what a later message may leave out, what this one speaks of, and what of the Patient it deletes; nothing,
    where a format leaves nothing out."""
    if reading.speaks_of is None or reading.deletes is None:
        return {}, frozenset()
    policy = _unsaid(engine.folders, reading.template.partition("/")[0])
    made = {one["resourceType"] for one in resources} - {"Patient"}
    said = unsaid.said({kind: policy[kind] for kind in policy.keys() & made}, reading.speaks_of)
    return said, unsaid.deleted(policy.get("Patient", {}), reading.speaks_of, reading.deletes)


@cache
def _unsaid(folders: Folders, format: str) -> unsaid.Policy:
    return unsaid.policy_of(folders.resource(f"{format}/unsaid.toml") or "")


def _moment(said: object, time_zone: str) -> datetime | None:
    """`event_time` as a template gives it: ISO 8601, in the feed's zone if it names none."""
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))


def _provenance(
    others: Sequence[Resource], said: Resource, envelope: Envelope, engine: Engine, event_time: datetime
) -> Resource:
    """Where the others come from: this message, this EHR, these mappings (FHIR R4 provenance.html). What a template
    `said` of it (who did it, why) stays."""
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
        "entity": [{"role": "source", "what": archived}, *said.get("entity", ())],
    }


def _agent(role: str, system: str, value: str) -> Resource:
    return {
        "type": {"coding": [{"system": _PARTICIPANT_TYPE, "code": role}]},
        "who": {"identifier": {"system": system, "value": value}, "display": value},
    }


def _version(engine: Engine) -> str:
    return engine.version or "unversioned"


# ------------------------------------------------------------------------------------------------------------- checks


def _check_patient(resources: Sequence[Resource], places: Mapping[str, str]) -> None:
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    patients = [one for one in patients if not is_replaced(one)] or patients
    place = places.get("patient", "Patient")
    if not patients and outcome_of(resources):
        return  # an acknowledgement is about a message, and goes no further
    if not patients:
        raise Quarantine("convert.patient_missing", place=place, hint="there is no Patient in it")
    if len(patients) > 1:
        raise Quarantine("convert.patient_several", place=place, hint="a message is about one patient")
    if not patients[0].get("id"):
        place = places.get("identity", "Patient.identifier")
        raise Quarantine("convert.patient_unidentified", place=place, hint="there is no identifier of the patient")


def _check_each(resources: Sequence[Resource]) -> None:
    """Every reference resolved, then everything valid; validation finds the references of what is valid."""
    found: list[list[str]] = [[] for _ in resources]
    issues = [issue for resource, its in zip(resources, found, strict=True) for issue in validate(resource, its)]
    _check_references(resources, map(references, resources) if issues else found)
    if issues:
        more = f"; and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Quarantine("convert.invalid", place=issues[0].path, hint=f"{issues[0].message}{more}")


def _check_references(resources: Sequence[Resource], found: Iterable[Iterable[str]]) -> None:
    known = {f"{one['resourceType']}/{one.get('id', '')}" for one in resources}
    for resource, its in zip(resources, found, strict=True):
        for reference in its:
            if reference not in known and not reference.startswith(("#", "http:", "https:", "urn:")):
                place = str(resource["resourceType"])
                raise Quarantine("convert.reference_dangling", place=place, hint="it refers to what is not there")
