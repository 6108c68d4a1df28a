"""review: a clinician looks at exactly the bytes that would be sent, and signs them off, or not.

An approval is of a hash: what is on the reviewer's screen must be what is in the ledger. It is refused when the
situation it was proposed in has passed: the row has moved on, its time is over, or the person's link has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.errors import Refuse
from headwater.model import Proposal, ProposalState
from headwater.outbound.gates.identity import link_of
from headwater.ports import AuditLog, Clock, PersonIndex, Proposals, Queue, Watch

CLINICIANS = "clinician"


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who is deciding, as the identity provider says: a unique user (45 CFR 164.312(a)(2)(i)) and their groups."""

    id: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The step with its ports filled."""

    proposals: Proposals
    audit: AuditLog
    index: PersonIndex
    send_queue: Queue
    watch: Watch
    clock: Clock

    def list(self, reviewer: Reviewer, state: ProposalState, limit: int = 100) -> Sequence[Proposal]:
        _only_clinicians(reviewer)
        return self.proposals.list(state, limit=limit)

    def show(self, reviewer: Reviewer, intent: str) -> Proposal:
        """The proposal; that it was looked at is on record (45 CFR 164.312(b))."""
        _only_clinicians(reviewer)
        proposal = self._known(intent)
        self._record(proposal, reviewer, "viewed")
        return proposal

    def approve(self, reviewer: Reviewer, intent: str, payload_hash: str) -> Proposal:
        """Sign off these bytes. Approving twice is harmless.

        The sender is told first and waits for the decision: were it the other way round, an approval whose API call
        died in between would never be sent.
        """
        proposal = self._decidable(reviewer, intent, payload_hash, ProposalState.APPROVED)
        if proposal.state is ProposalState.PROPOSED:
            self._refuse_if_situation_changed(reviewer, proposal)
        self.send_queue.send(
            proposal.intent, group=f"{proposal.ehr}.{_patient_id(proposal)}", dedup=f"{proposal.intent}.{self._tick()}"
        )
        if proposal.state is ProposalState.PROPOSED:
            proposal = self._decide(reviewer, proposal, ProposalState.APPROVED, "")
        return proposal

    def reject(self, reviewer: Reviewer, intent: str, payload_hash: str, reason: str) -> Proposal:
        if not reason.strip():
            raise Refuse("review.reason_missing", place="reason", hint="a rejection needs a reason")
        proposal = self._decidable(reviewer, intent, payload_hash, ProposalState.REJECTED)
        if proposal.state is ProposalState.REJECTED:
            return proposal
        return self._decide(reviewer, proposal, ProposalState.REJECTED, reason.strip()[:500])

    def _decidable(self, reviewer: Reviewer, intent: str, payload_hash: str, wanted: ProposalState) -> Proposal:
        _only_clinicians(reviewer)
        proposal = self._known(intent)
        if proposal.payload_hash != payload_hash:
            raise self._denied(reviewer, proposal, "review.other_bytes", "look again: these are not the bytes you saw")
        if proposal.state not in (ProposalState.PROPOSED, wanted):
            raise self._denied(reviewer, proposal, "review.already_decided", f"the proposal is {proposal.state}")
        return proposal

    def _refuse_if_situation_changed(self, reviewer: Reviewer, proposal: Proposal) -> None:
        if self.clock().isoformat() >= proposal.expires_at:
            self._decide(reviewer, proposal, ProposalState.EXPIRED, "review.expired")
            raise Refuse("review.expired", place=proposal.intent, hint="the proposal was not reviewed in time")
        person = self.index.get(proposal.person_id)
        if person is None or link_of(person, proposal.origin_ehr, proposal.ehr) != proposal.link:
            self._decide(reviewer, proposal, ProposalState.NEEDS_HUMAN, "review.identity_changed")
            hint = "the person's link has changed since this was proposed; a steward must look"
            raise Refuse("review.identity_changed", place=proposal.intent, hint=hint)

    def _decide(self, reviewer: Reviewer, proposal: Proposal, state: ProposalState, reason: str) -> Proposal:
        self._record(proposal, reviewer, state.value.lower(), payload=proposal.payload_hash)
        decided = replace(
            proposal,
            state=state,
            decided_by=reviewer.id,
            decided_at=self.clock().isoformat(),
            reason=reason,
            version=proposal.version + 1,
        )
        self.proposals.move(decided, expected_version=proposal.version)
        waited = self.clock() - datetime.fromisoformat(proposal.created_at)
        self.watch.note("review", state.value.lower(), milliseconds=waited.total_seconds() * 1000, ehr=proposal.ehr)
        return decided

    def _denied(self, reviewer: Reviewer, proposal: Proposal, code: str, hint: str) -> Refuse:
        self._record(proposal, reviewer, "denied", code=code)
        return Refuse(code, place=proposal.intent, hint=hint)

    def _record(self, proposal: Proposal, reviewer: Reviewer, event: str, **facts: str) -> None:
        at = self.clock().isoformat()
        self.audit.append(proposal.intent, {"event": event, "at": at, "who": reviewer.id, **facts})

    def _known(self, intent: str) -> Proposal:
        proposal = self.proposals.get(intent)
        if proposal is None:
            raise Refuse("review.unknown", place="intent", hint="there is no such proposal")
        return proposal

    def _tick(self) -> str:
        """A repeated approval within a minute is one message; a later one, after a lost message, is sent anew."""
        return self.clock().isoformat()[:16]


def _only_clinicians(reviewer: Reviewer) -> None:
    if CLINICIANS not in reviewer.groups:
        raise Refuse("review.not_a_clinician", place="reviewer", hint=f"only members of '{CLINICIANS}' may review")


def _patient_id(proposal: Proposal) -> str:
    return proposal.patient_ref.rsplit("/", 1)[-1]
