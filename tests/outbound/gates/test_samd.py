"""samd: software's word is one more observation with its basis, and never an order, an alarm or a patient's message."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from headwater.ehrs import Operations
from headwater.model import ProposalState, Resource
from tests.outbound.conftest import TARGET, Desk, observation, wish

MODEL = {
    "name": "Deterioration index",
    "version": "3.1",
    "developer": "Riverbend Analytics",
    "basis": "vital signs and labs of the last 24 h",
    "intended_use": "to be looked at by a clinician together with the chart",
    "validation": "AUROC 0.81 on 12,000 stays of 2025",
    "limits": "adults on wards",
}


def score(value: float = 0.62, **changes: Any) -> Resource:
    quantity = {"value": value, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
    code = {"coding": [{"system": "http://loinc.org", "code": "97506-0"}], "text": "Deterioration risk"}
    return observation(code=code, valueQuantity=quantity, **changes)


def ask(desk: Desk, resource: Resource | None = None, **changes: Any) -> str:
    asked = {"intent": "deterioration-risk", "model": MODEL, **changes}
    return desk.propose(wish(resource or score(), **asked)).reason.partition(" ")[0]


@pytest.mark.parametrize(
    "text",
    ["start heparin now, risk 0.92", "Recommend transfer to ICU", "should be intubated", "Give the second dose",
     "risk 0.9: do not discharge"],
)  # fmt: skip
def test_a_directive_is_refused(desk: Desk, text: str) -> None:
    assert ask(desk, score(note=[{"text": text}])) == "samd.directive_text"


@pytest.mark.parametrize("text", ["stat review", "sepsis likely within 6 hours", "immediately visible"])
def test_what_cannot_wait_does_not_go_this_way(desk: Desk, text: str) -> None:
    assert ask(desk, score(note=[{"text": text}])) == "samd.time_critical"


@pytest.mark.parametrize("missing", sorted(MODEL))
def test_a_score_without_its_basis_is_refused(desk: Desk, missing: str) -> None:
    assert ask(desk, model={key: value for key, value in MODEL.items() if key != missing}) == "samd.basis_missing"


def test_a_score_is_known_by_its_name_even_if_it_does_not_say_so(desk: Desk) -> None:
    assert ask(desk, model={}) == "samd.basis_missing"
    assert ask(desk, model={}, intent="final-lab-result") == ""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"inputs": "chest x-ray image, age"}, "samd.signal_input"),
        ({"inputs": "ECG waveform"}, "samd.signal_input"),
        ({"reader": "patient"}, "samd.patient_facing"),
        ({"time_critical": "yes"}, "samd.time_critical"),
    ],
)
def test_what_would_make_it_a_device_is_refused(desk: Desk, said: dict[str, str], code: str) -> None:
    assert ask(desk, model={**MODEL, **said}) == code


def test_where_results_must_be_final_a_score_goes_as_a_note_with_its_basis(desk: Desk) -> None:
    proposal = desk.propose(wish(score(), intent="deterioration-risk", model=MODEL))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    assert (proposal.resource_type, proposal.tier) == ("DocumentReference", "notes")
    note = orjson.loads(proposal.payload)
    text = base64.b64decode(note["content"][0]["attachment"]["data"]).decode()
    assert "0.62" in text
    assert all(value in text for value in MODEL.values())


def test_where_a_preliminary_observation_is_taken_it_stays_one(desk: Desk) -> None:
    ehr = desk.ehrs[TARGET]
    lax = replace(ehr.operation("Observation"), require=())
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write={"Observation": Operations(create=lax)})}
    proposal = desk.propose(wish(score(), intent="deterioration-risk", model=MODEL))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    payload = orjson.loads(proposal.payload)
    assert payload["status"] == "preliminary"
    assert "Riverbend Analytics" in payload["note"][0]["text"]


def test_where_nothing_can_carry_it_it_is_refused(desk: Desk) -> None:
    ehr = desk.ehrs[TARGET]
    desk.ehrs = {**desk.ehrs, TARGET: replace(ehr, write={"Observation": ehr.write["Observation"]})}
    assert ask(desk) == "samd.no_carrier"
