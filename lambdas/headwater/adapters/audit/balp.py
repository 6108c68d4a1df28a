"""A chain of the audit log as FHIR R4: an AuditEvent for each entry, and one Provenance for what was filed.

AuditEvents are shaped as IHE's Basic Audit Log Patterns ask of a RESTful operation on a patient's data
(profiles.ihe.net/ITI/BALP): who asked whom, for whom, with which outcome, before and after. The hash chain stays the
record; these are views of it, for systems that read FHIR. They hold ids and codes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headwater.model import Proposal, Resource

_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_INTENT = "urn:headwater:intent"

# What an event of the chain is in BALP's terms: profile, FHIR interaction, action.
_CREATE = ("PatientCreate", "create", "C")
_UPDATE = ("PatientUpdate", "update", "U")
_READ = ("PatientRead", "read", "R")
_EXECUTE = ("", "operation", "E")
_SENT = ("sending", "outcome_unknown", "accepted_by_ehr", "filed", "failed")
# AuditEvent.outcome: 0 success, 4 minor failure, 8 serious failure, 12 major failure.
_OUTCOMES = {"denied": "4", "refused": "4", "rejected": "0", "outcome_unknown": "8", "failed": "8", "needs_human": "8"}


def audit_event(entry: Mapping[str, object], proposal: Proposal) -> Resource:
    """One entry of the chain of `proposal.intent`."""
    event = str(entry.get("event", ""))
    profile, interaction, action = _interaction(event, proposal)
    sent = event in _SENT
    who = str(entry.get("who") or "propose")
    resource: Resource = {
        "resourceType": "AuditEvent",
        "id": f"{proposal.intent[:32]}-{entry['seq']}",
        "type": _coding(f"{_TERMINOLOGY}audit-event-type", "rest", "RESTful Operation"),
        "subtype": [
            _coding("http://hl7.org/fhir/restful-interaction", interaction),
            _coding("urn:headwater:event", event),
        ],
        "action": action,
        "recorded": entry["at"],
        "outcome": _OUTCOMES.get(event, "0"),
        "agent": _agents(who, proposal.ehr if sent else "", sent=sent),
        "source": {
            "observer": {"display": "Headwater"},
            "type": [_coding(f"{_TERMINOLOGY}security-source-type", "4", "Application Server")],
        },
        "entity": _entities(entry, proposal),
    }
    if profile:
        resource["meta"] = {"profile": [_BALP + profile]}
    if why := str(entry.get("reason") or entry.get("code") or "").partition(" at ")[0]:
        resource["outcomeDesc"] = why
    return resource


def provenance(entries: Sequence[Mapping[str, object]], proposal: Proposal) -> Resource | None:
    """Who made, checked and sent what stands in the EHR's chart; None for what is not filed.

    https://hl7.org/fhir/R4/provenance.html: target is the row there, verifier who signed, entity the source.
    """
    filed = next((entry for entry in reversed(entries) if entry.get("event") == "filed"), None)
    if filed is None:
        return None
    signed = [entry for entry in entries if entry.get("event") == "approved" and entry.get("who")]
    agents = [_participant("assembler", {"display": "Headwater"})]
    agents += [
        _participant("verifier", {"identifier": {"system": "urn:headwater:reviewer", "value": str(who)}})
        for who in dict.fromkeys(entry["who"] for entry in signed)
    ]
    agents.append(_participant("custodian", {"display": proposal.ehr}))
    return {
        "resourceType": "Provenance",
        "id": f"{proposal.intent[:32]}-filed",
        "target": [_at(proposal.ehr, str(filed.get("filed") or proposal.filed_ref))],
        "recorded": filed["at"],
        "activity": {"coding": [_coding(f"{_TERMINOLOGY}v3-DataOperation", "UPDATE" if proposal.target else "CREATE")]},
        "agent": agents,
        "entity": [
            {"role": "source", "what": _at(proposal.origin_ehr, proposal.origin_ref)},
            {"role": "derivation", "what": _identified("urn:headwater:sha256", proposal.payload_hash)},
        ],
    }


def _interaction(event: str, proposal: Proposal) -> tuple[str, str, str]:
    if event == "viewed":
        return _READ
    if event in _SENT:
        return _UPDATE if proposal.target else _CREATE
    return _EXECUTE


def _agents(who: str, ehr: str, *, sent: bool) -> list[Resource]:
    """The requestor; for a request that left, the client and the EHR as BALP's source and destination."""
    person = who not in ("propose", "send")
    asking: Resource = {
        "type": {"coding": [_coding(f"{_TERMINOLOGY}v3-ParticipationType", "IRCP" if person else "AUT")]},
        "who": {"identifier": {"system": "urn:headwater:reviewer" if person else "urn:headwater:step", "value": who}},
        "requestor": True,
    }
    if not sent:
        return [asking]
    return [
        {
            "type": {"coding": [_coding(_DICOM, "110153", "Source Role ID")]},
            "who": {"display": "Headwater"},
            "requestor": False,
        },
        {
            "type": {"coding": [_coding(_DICOM, "110152", "Destination Role ID")]},
            "who": {"display": ehr},
            "requestor": False,
        },
        asking,
    ]


def _entities(entry: Mapping[str, object], proposal: Proposal) -> list[Resource]:
    """The patient, the data, and the intent in the place of BALP's X-Request-Id."""
    entities: list[Resource] = []
    if proposal.patient_ref:
        entities.append(
            {
                "what": _at(proposal.ehr, proposal.patient_ref),
                "type": _coding(f"{_TERMINOLOGY}audit-entity-type", "1", "Person"),
                "role": _coding(f"{_TERMINOLOGY}object-role", "1", "Patient"),
            }
        )
    data: Resource = {
        "what": _at(proposal.ehr, str(entry.get("filed") or proposal.filed_ref or proposal.resource_type)),
        "type": _coding(f"{_TERMINOLOGY}audit-entity-type", "2", "System Object"),
        "role": _coding(f"{_TERMINOLOGY}object-role", "4", "Domain Resource"),
    }
    if payload := str(entry.get("payload") or ""):
        data["detail"] = [{"type": "payload-sha256", "valueString": payload}]
    entities.append(data)
    request = _coding(
        "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId", "Request identifier"
    )
    entities.append({"what": _identified(_INTENT, proposal.intent), "type": request})
    return entities


def _at(ehr: str, reference: str) -> Resource:
    """A reference at another server, by name: a relative one would mean a resource here."""
    return _identified(f"urn:headwater:ehr:{ehr}", reference)


def _identified(system: str, value: str) -> Resource:
    return {"identifier": {"system": system, "value": value}}


def _participant(code: str, who: Resource) -> Resource:
    return {"type": {"coding": [_coding(f"{_TERMINOLOGY}provenance-participant-type", code)]}, "who": who}


def _coding(system: str, code: str, display: str = "") -> Resource:
    return {"system": system, "code": code, **({"display": display} if display else {})}
