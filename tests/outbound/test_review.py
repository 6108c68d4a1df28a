"""review: who may decide, on which bytes, in which situation; and that every look and denial is on record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headwater.errors import Refuse, Retry
from headwater.model import ProposalState
from headwater.outbound.review import Reviewer
from tests.outbound.conftest import CLINICIAN, TARGET, Desk, patient, wish

STRANGER = Reviewer("someone", frozenset({"steward"}))


def test_an_approval_binds_these_bytes_and_tells_the_sender(desk: Desk) -> None:
    proposal = desk.propose(wish())
    approved = desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert approved.state is ProposalState.APPROVED
    assert approved.payload == proposal.payload
    assert (approved.decided_by, approved.decided_at) == ("dr.rivera", desk.clock().isoformat())
    assert desk.queue.bodies == [proposal.intent]
    assert desk.events(proposal.intent) == ["proposed", "approved"]


def test_an_approval_that_dies_on_the_way_leaves_nothing_approved_and_unsent(desk: Desk) -> None:
    proposal = desk.propose(wish())
    desk.audit.down = Retry("audit.unavailable")
    with pytest.raises(Retry):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    desk.audit.down = None
    assert desk.proposals.rows[proposal.intent].state is ProposalState.PROPOSED
    assert desk.queue.bodies == [proposal.intent]
    with pytest.raises(Retry, match=r"send\.not_yet_approved"):
        desk.send(proposal.intent)
    desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.send(proposal.intent).state is ProposalState.FILED


def test_other_bytes_than_those_seen_are_not_approved(desk: Desk) -> None:
    proposal = desk.propose(wish())
    with pytest.raises(Refuse, match=r"review\.other_bytes"):
        desk.review.approve(CLINICIAN, proposal.intent, "0" * 64)
    assert desk.proposals.rows[proposal.intent].state is ProposalState.PROPOSED
    assert desk.queue.bodies == []
    assert desk.events(proposal.intent) == ["proposed", "denied"]


def test_only_clinicians_look_and_decide(desk: Desk) -> None:
    proposal = desk.propose(wish())
    for attempt in (
        lambda: desk.review.list(STRANGER, ProposalState.PROPOSED),
        lambda: desk.review.show(STRANGER, proposal.intent),
        lambda: desk.review.approve(STRANGER, proposal.intent, proposal.payload_hash),
        lambda: desk.review.reject(STRANGER, proposal.intent, proposal.payload_hash, "no"),
    ):
        with pytest.raises(Refuse, match=r"review\.not_a_clinician"):
            attempt()
    denied = [entry for entry in desk.audit.read(proposal.intent) if entry["event"] == "denied"]
    assert [(one["who"], one["code"]) for one in denied] == [(STRANGER.id, "review.not_a_clinician")] * 3


def test_a_look_is_on_record(desk: Desk) -> None:
    proposal = desk.propose(wish())
    desk.review.show(CLINICIAN, proposal.intent)
    entry = desk.audit.read(proposal.intent)[-1]
    assert (entry["event"], entry["who"]) == ("viewed", "dr.rivera")


def test_approving_twice_is_one_approval_and_makes_sure_that_it_is_sent(desk: Desk) -> None:
    proposal = desk.propose(wish())
    for _ in range(2):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    desk.clock.move(120)
    desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.events(proposal.intent).count("approved") == 1
    assert desk.queue.bodies == [proposal.intent] * 2


def test_a_rejection_needs_a_reason_and_is_final(desk: Desk) -> None:
    proposal = desk.propose(wish())
    with pytest.raises(Refuse, match=r"review\.reason_missing"):
        desk.review.reject(CLINICIAN, proposal.intent, proposal.payload_hash, " ")
    rejected = desk.review.reject(CLINICIAN, proposal.intent, proposal.payload_hash, "wrong encounter")
    assert rejected.state is ProposalState.REJECTED
    with pytest.raises(Refuse, match=r"review\.already_decided"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.queue.bodies == []


def test_what_was_not_reviewed_in_time_expires(desk: Desk) -> None:
    proposal = desk.propose(wish())
    desk.clock.move(73 * 3600)
    with pytest.raises(Refuse, match=r"review\.expired"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.proposals.rows[proposal.intent].state is ProposalState.EXPIRED


def test_a_changed_link_freezes_what_hangs_on_it(desk: Desk) -> None:
    proposal = desk.propose(wish())
    person = desk.persons.person
    assert person is not None
    desk.persons.person = replace(person, records=person.records[:1])
    with pytest.raises(Refuse, match=r"review\.identity_changed"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.queue.bodies == []
    assert desk.proposals.rows[proposal.intent].state is ProposalState.NEEDS_HUMAN


def test_nobody_can_sign_while_the_patient_there_is_not_certainly_the_same(desk: Desk) -> None:
    proposal = desk.propose(wish())
    twin = patient(desk.ehrs[TARGET].patient.identifier_system, "M77120", multipleBirthBoolean=True,
                   name=[{"family": "Okonkwo-Reyes", "given": ["Orla"]}])  # fmt: skip
    twin["identifier"] = twin["identifier"][:1]
    desk.chart.patients[0] = twin
    with pytest.raises(Refuse, match=r"review\.identity_changed.*identity\.not_certain"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.proposals.rows[proposal.intent].state is ProposalState.NEEDS_HUMAN
    assert desk.queue.bodies == []


def test_an_ehr_that_is_down_stops_nobody_from_signing(desk: Desk) -> None:
    proposal = desk.propose(wish())
    desk.chart.down = True
    approved = desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert approved.state is ProposalState.APPROVED


def test_a_third_ehr_that_joins_changes_nothing(desk: Desk) -> None:
    proposal = desk.propose(wish())
    person = desk.persons.person
    assert person is not None
    third = replace(person.records[0], key="athenahealth|x|1", ehr="athenahealth")
    desk.persons.person = replace(person, version=3, records=(*person.records, third))
    approved = desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.send(approved.intent).state is ProposalState.FILED


def test_two_reviewers_at_once_make_one_decision(desk: Desk) -> None:
    proposal = desk.propose(wish())
    first = replace(proposal, state=ProposalState.REJECTED, version=proposal.version + 1)
    answers = [proposal, first]  # both have read before either writes
    known = desk.proposals.get
    desk.proposals.get = lambda intent: answers.pop(0)
    desk.proposals.move(first, expected_version=proposal.version)
    with pytest.raises(Refuse, match=r"review\.already_decided.*REJECTED"):
        desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    desk.proposals.get = known
    assert desk.proposals.rows[proposal.intent].state is ProposalState.REJECTED
    assert desk.send(proposal.intent).state is ProposalState.REJECTED
    assert desk.chart.posts == 0
