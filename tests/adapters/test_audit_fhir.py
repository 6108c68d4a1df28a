"""The audit log as FHIR: valid by our validator and by fhir.resources, every event of a real write-back's chain."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.provenance import Provenance

from headwater.adapters.audit.balp import audit_event, provenance
from headwater.adapters.audit.chain import seal
from headwater.fhir.validate import validate
from headwater.model import Proposal, ProposalState, Resource

PROPOSAL = Proposal(
    intent="ab" * 32, state=ProposalState.FILED, ehr="north", resource_type="Observation", payload=b"{}",
    payload_hash="cd" * 32, person_id="person-1", patient_ref="Patient/p1", link="l", confidence=0.9999, evidence=(),
    origin_ehr="south", origin_ref="Observation/o-1", purpose="final-lab-result",
    created_at="2026-11-21T10:00:00+00:00", expires_at="2026-11-24T10:00:00+00:00", filed_ref="Observation/77",
)  # fmt: skip
STEPS = [
    ("proposed", "", {"origin": "south Observation/o-1"}),
    ("viewed", "dr.rivera", {}),
    ("denied", "mr.x", {"code": "review.other_bytes"}),
    ("approved", "dr.rivera", {}),
    ("sending", "send", {"attempt": 1}),
    ("outcome_unknown", "send", {"attempt": 1, "reason": "send.verify 0"}),
    ("accepted_by_ehr", "send", {"attempt": 1, "filed": "Observation/77"}),
    ("filed", "send", {"attempt": 1, "filed": "Observation/77", "reason": "send.read_back"}),
]


def chain(steps: list[tuple[str, str, dict[str, object]]]) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    for number, (event, who, facts) in enumerate(steps):
        entry = {"event": event, "at": f"2026-11-21T10:00:{number:02}+00:00", "payload": "cd" * 32, **facts}
        entries.append(seal({**entry, **({"who": who} if who else {})}, entries[-1] if entries else None))
    return entries


def events() -> list[Resource]:
    return [audit_event(entry, PROPOSAL) for entry in chain(STEPS)]


@pytest.mark.parametrize("event", events(), ids=[event for event, _, _ in STEPS])
def test_an_audit_event_is_valid_fhir(event: Resource) -> None:
    assert validate(event) == []
    assert AuditEvent.model_validate_json(json.dumps(event)).id == event["id"]


def test_what_left_for_the_ehr_says_from_whom_to_whom_for_whom() -> None:
    by_event = {event["subtype"][1]["code"]: event for event in events()}
    filed = by_event["filed"]
    assert filed["meta"]["profile"] == [
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientCreate"
    ]
    assert [agent["type"]["coding"][0]["code"] for agent in filed["agent"]] == ["110153", "110152", "AUT"]
    assert [entity["type"]["code"] for entity in filed["entity"]] == ["1", "2", "XrequestId"]
    assert [by_event[name]["outcome"] for name in ("denied", "approved", "outcome_unknown", "filed")] == list("4080")
    assert by_event["viewed"]["action"] == "R"
    assert by_event["denied"]["outcomeDesc"] == "review.other_bytes"
    assert by_event["approved"]["agent"][0]["who"]["identifier"]["value"] == "dr.rivera"


def test_a_provenance_names_source_signer_and_row_and_only_what_is_filed_has_one() -> None:
    entries = chain(STEPS)
    made = provenance(entries, PROPOSAL)
    assert made is not None
    assert validate(made) == []
    assert Provenance.model_validate_json(json.dumps(made)).id == made["id"]
    assert made["target"][0]["identifier"]["value"] == "Observation/77"
    roles = [agent["type"]["coding"][0]["code"] for agent in made["agent"]]
    assert roles == ["assembler", "verifier", "custodian"]
    assert provenance(entries[:-1], PROPOSAL) is None
