"""propose: what becomes a proposal, what is refused and why, and that the same wish twice is one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson
import pytest

from headwater.errors import Refuse, Retry
from headwater.model import ProposalState, Resource
from tests.outbound.conftest import SOURCE, TARGET, Desk, observation, patient, wish


def test_a_final_result_becomes_a_proposal_of_exact_bytes(desk: Desk) -> None:
    proposal = desk.propose(wish())
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    assert proposal.payload_hash == hashlib.sha256(proposal.payload).hexdigest()
    payload = orjson.loads(proposal.payload)
    assert payload["subject"]["reference"] == "Patient/p-M77120"
    assert payload["valueQuantity"]["value"] == 112.5
    assert "id" not in payload
    assert proposal.confidence >= 0.999
    assert desk.proposals.get(proposal.intent) == proposal
    assert desk.events(proposal.intent) == ["proposed"]


def test_nothing_is_written_to_the_chart_by_proposing(desk: Desk) -> None:
    desk.propose(wish())
    assert desk.chart.posts == 0


def test_the_same_wish_twice_is_one_proposal(desk: Desk) -> None:
    first = desk.propose(wish())
    second = desk.propose(wish(observation(id="another-id", issued="2026-11-20T09:00:00-05:00")))
    assert second.intent == first.intent
    assert len(desk.proposals.rows) == 1
    assert desk.events(first.intent) == ["proposed"]


def test_another_value_is_another_intent(desk: Desk) -> None:
    first = desk.propose(wish())
    changed = observation()
    changed["valueQuantity"] = {**changed["valueQuantity"], "value": 113}
    assert desk.propose(wish(changed)).intent != first.intent


def test_what_the_chart_already_says_is_not_proposed(desk: Desk) -> None:
    row = observation(id="7", subject={"reference": "Patient/p-M77120"}, effectiveDateTime="2026-11-20T13:15:00Z")
    desk.chart.rows["Observation/7"] = row
    assert desk.propose(wish()).state is ProposalState.ALREADY_PRESENT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "preliminary"}, "concept.not_final"),
        ({"status": "corrected"}, "concept.not_final"),
        ({"code": {"coding": [{"system": "urn:local", "code": "GLU"}]}}, "concept.unmapped"),
        ({"code": {"text": "glucose"}}, "concept.unmapped"),
        ({"effectiveDateTime": "2026-11-20"}, "concept.time_incomplete"),
        ({"effectiveDateTime": "2026-11-20T08:15:00"}, "concept.time_incomplete"),
        ({"valueQuantity": {"value": 1, "unit": "mg/dL"}}, "concept.unit_unmapped"),
        ({"valueQuantity": None}, "concept.value_missing"),
        ({"note": [{"text": "headwater:0123456789abcdef"}]}, "loop.own_echo"),
    ],
)
def test_what_is_not_complete_certain_and_new_is_refused(desk: Desk, changes: Resource, code: str) -> None:
    resource = {key: value for key, value in observation(**changes).items() if value is not None}
    proposal = desk.propose(wish(resource))
    assert proposal.state is ProposalState.REFUSED
    assert proposal.reason.startswith(f"{code} at ")
    assert desk.events(proposal.intent) == ["proposed"]


def test_an_ehr_that_declares_no_write_is_refused(desk: Desk) -> None:
    assert desk.propose(wish(to="advancedmd")).reason.startswith("propose.operation_unknown")
    assert desk.propose(wish(to="nobody")).reason.startswith("propose.ehr_unknown")
    assert desk.propose(wish(observation(resourceType="Flag"))).reason.startswith("propose.operation_unknown")


def test_a_fact_goes_one_hop_and_never_home(desk: Desk) -> None:
    assert desk.propose(wish(hops=2)).reason.startswith("loop.too_many_hops")
    assert desk.propose(wish(origin_ehr=TARGET)).reason.startswith("loop.to_its_origin")


def test_an_uncertain_person_is_refused(desk: Desk) -> None:
    desk.chart.patients[0] = patient(
        desk.ehrs[TARGET].patient.identifier_system, "M77120",
        name=[{"family": "Brandt", "given": ["Otto"]}], gender="male", birthDate="1951-01-02",
    )  # fmt: skip
    assert desk.propose(wish()).reason.startswith("identity.not_certain")


def test_two_patients_with_the_identifier_are_refused(desk: Desk) -> None:
    desk.chart.patients.append({**desk.chart.patients[0], "id": "other"})
    assert desk.propose(wish()).reason.startswith("identity.ambiguous")


def test_a_person_the_ehr_never_sent_is_refused(desk: Desk) -> None:
    person = desk.persons.person
    assert person is not None
    desk.persons.person = replace(person, records=tuple(r for r in person.records if r.ehr == SOURCE))
    assert desk.propose(wish()).reason.startswith("identity.not_at_ehr")


def test_nothing_is_proposed_while_facts_of_the_person_are_on_their_way(desk: Desk) -> None:
    person = desk.persons.person
    assert person is not None
    desk.persons.person = replace(person, moving=frozenset({"person-1#2"}))
    with pytest.raises(Retry, match=r"identity\.moving"):
        desk.propose(wish())
    assert not desk.proposals.rows
    desk.persons.person = person
    assert desk.propose(wish()).state is ProposalState.PROPOSED


def test_what_was_signed_waits_to_be_sent_until_they_are_there(desk: Desk) -> None:
    proposal = desk.approved()
    person = desk.persons.person
    assert person is not None
    desk.persons.person = replace(person, moving=frozenset({"person-1#2"}))
    with pytest.raises(Retry, match=r"identity\.moving"):
        desk.send(proposal.intent)
    assert desk.chart.posts == 0
    desk.persons.person = person
    assert desk.send(proposal.intent).state is ProposalState.FILED


def test_a_refusal_gives_way_once_mended(desk: Desk) -> None:
    person = desk.persons.person
    desk.persons.person = None
    refused = desk.propose(wish())
    assert refused.reason.startswith("identity.person_unknown")
    desk.persons.person = person
    mended = desk.propose(wish())
    assert mended.state is ProposalState.PROPOSED
    assert desk.proposals.rows[refused.intent].state is ProposalState.SUPERSEDED


def test_an_ehr_that_is_down_is_asked_again(desk: Desk) -> None:
    desk.chart.down = True
    with pytest.raises(Retry):
        desk.propose(wish())
    assert not desk.proposals.rows


def test_without_audit_nothing_is_proposed(desk: Desk) -> None:
    desk.audit.down = Retry("audit.unavailable")
    with pytest.raises(Retry):
        desk.propose(wish())
    assert not desk.proposals.rows


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"schema": "headwater.write-request/2"}', "not json"])
def test_what_is_no_request_is_refused_by_field(desk: Desk, body: str) -> None:
    with pytest.raises(Refuse, match=r"propose\.request_malformed at (body|schema)"):
        desk.propose(body)
