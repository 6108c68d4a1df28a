"""review: a clinician looks at exactly the bytes that would be sent, and signs them off, or not.

An approval is of a hash: what is on the reviewer's screen must be what is in the ledger. It is refused when the
situation it was proposed in has passed: the row has moved on, its time is over, or the person's link has changed. What
is risky is signed by two, neither of them its author.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.ehrs import Ehr
from headwater.errors import Refuse, Retry
from headwater.formats import write_request
from headwater.model import Proposal, ProposalState
from headwater.outbound.gates.four_eyes import four_eyes
from headwater.outbound.gates.identity import identity, link_of
from headwater.outbound.ledger import ASKED_AGAIN, Ledger
from headwater.outbound.policy import Tier, WritePolicy
from headwater.outbound.withdrawal import withdrawal
from headwater.persons.policy import MatchingPolicy
from headwater.ports import AuditLog, Clock, EhrApis, Notices, PersonIndex, Proposals, Queue, Watch

CLINICIANS = "clinician"
MOST_IN_A_BATCH = 20
_ASKABLE = (ProposalState.EXPIRED, ProposalState.FAILED, ProposalState.NEEDS_HUMAN)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who is deciding, as the identity provider says: a unique user (45 CFR 164.312(a)(2)(i)) and their groups."""

    id: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The step with its ports filled."""

    ehrs: Mapping[str, Ehr]
    apis: EhrApis
    proposals: Proposals
    audit: AuditLog
    index: PersonIndex
    policy: MatchingPolicy
    rules: WritePolicy
    write_queue: Queue
    send_queue: Queue
    notices: Notices
    watch: Watch
    clock: Clock

    def list(self, reviewer: Reviewer, state: ProposalState, limit: int = 100) -> Sequence[Proposal]:
        _only_clinicians(reviewer)
        return self.proposals.list(state, limit=limit)

    def show(self, reviewer: Reviewer, intent: str) -> Proposal:
        """The proposal; that it was looked at is on record (45 CFR 164.312(b))."""
        proposal = self._admitted(reviewer, intent)
        self._ledger.note(proposal, "viewed", who=reviewer.id)
        return proposal

    def approve(self, reviewer: Reviewer, intent: str, payload_hash: str, *, seen: Sequence[str] = ()) -> Proposal:
        """Sign off these bytes. `seen` are the flags that were on the screen. Approving twice is harmless.

        The sender is told first and waits for the decision: were it the other way round, an approval whose API call
        died in between would never be sent.
        """
        proposal = self._decidable(reviewer, intent, payload_hash, ProposalState.APPROVED)
        if proposal.state is ProposalState.APPROVED:
            self._tell_sender(proposal)
            return proposal
        self._refuse_if_situation_changed(reviewer, proposal)
        tier = self.rules.tier(proposal.tier)
        if reviewer.id in proposal.approvals:
            return proposal
        try:
            four_eyes(reviewer.id, reviewer.groups, proposal, tier, seen)
        except Refuse as refusal:
            raise self._denied(reviewer, proposal, refusal.code, refusal.hint) from None
        signed = (*proposal.approvals, reviewer.id)
        proposal = replace(proposal, role_signed=tier.role if tier.role in reviewer.groups else proposal.role_signed)
        if len(signed) < proposal.approvers:
            return self._sign(reviewer, proposal, signed)
        if tier.notice:
            self._notify(reviewer, proposal, tier)
        self._tell_sender(proposal)
        return self._decide(reviewer, proposal, ProposalState.APPROVED, "", approvals=signed)

    def approve_batch(self, reviewer: Reviewer, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Sign off several rows of one purpose and of the lowest risk; gives by intent the state, or why not."""
        _only_clinicians(reviewer)
        if len(wanted) > MOST_IN_A_BATCH:
            raise Refuse("review.batch_too_large", place="approvals", hint=f"at most {MOST_IN_A_BATCH}")
        rows = [self._known(intent) for intent, _ in wanted]
        if len({(row.ehr, row.purpose, row.tier) for row in rows}) > 1:
            raise Refuse("review.batch_mixed", place="approvals", hint="one EHR, one purpose and one tier at a time")
        told: dict[str, str] = {}
        for row, (intent, payload_hash) in zip(rows, wanted, strict=True):
            try:
                if row.flags or row.target or not self.rules.tier(row.tier).batch:
                    raise self._denied(reviewer, row, "review.not_in_a_batch", "look at this one by itself")
                told[intent] = self.approve(reviewer, intent, payload_hash).state.value
            except Refuse as refusal:
                told[intent] = refusal.code
        return told

    def reject(self, reviewer: Reviewer, intent: str, payload_hash: str, reason: str) -> Proposal:
        if not reason.strip():
            raise Refuse("review.reason_missing", place="reason", hint="a rejection needs a reason")
        proposal = self._decidable(reviewer, intent, payload_hash, ProposalState.REJECTED)
        if proposal.state is ProposalState.REJECTED:
            return proposal
        return self._decide(reviewer, proposal, ProposalState.REJECTED, reason.strip()[:500])

    def ask_again(self, reviewer: Reviewer, intent: str) -> Proposal:
        """Have a row that is over examined anew, from its request and the chart as it is now; this signs nothing.

        The request is put on the queue before the row gives way: a call that dies in between is repeated.
        """
        proposal = self._admitted(reviewer, intent)
        if proposal.state not in _ASKABLE or not proposal.request:
            raise self._denied(reviewer, proposal, "review.not_over", f"the proposal is {proposal.state}")
        self.write_queue.send(
            proposal.request, group=f"{proposal.ehr}.{proposal.person_id}", dedup=f"{proposal.intent}.{self._tick()}"
        )
        return self._decide(reviewer, proposal, ProposalState.SUPERSEDED, ASKED_AGAIN)

    def withdraw(self, reviewer: Reviewer, intent: str, reason: str) -> Proposal:
        """Ask for the row that was filed to be marked as entered in error: an update as any other, which somebody else
        signs. The row of the ledger stays as it is until that is proven; then it is COMPENSATED."""
        proposal = self._admitted(reviewer, intent)
        if not reason.strip():
            raise Refuse("review.reason_missing", place="reason", hint="a withdrawal needs a reason")
        if proposal.state not in (ProposalState.FILED, ProposalState.NEEDS_HUMAN) or not proposal.filed_ref:
            raise self._denied(reviewer, proposal, "review.not_filed", f"the proposal is {proposal.state}")
        body = write_request.dump(withdrawal(proposal, reviewer.id))
        self._ledger.note(proposal, "withdrawal_asked", who=reviewer.id, payload=proposal.payload_hash)
        self.write_queue.send(
            body, group=f"{proposal.ehr}.{proposal.person_id}", dedup=f"{proposal.intent}.{self._tick()}.withdrawal"
        )
        return proposal

    # --------------------------------------------------------------------------------------------------- who may

    def _decidable(self, reviewer: Reviewer, intent: str, payload_hash: str, wanted: ProposalState) -> Proposal:
        proposal = self._admitted(reviewer, intent)
        if proposal.payload_hash != payload_hash:
            raise self._denied(reviewer, proposal, "review.other_bytes", "look again: these are not the bytes you saw")
        if proposal.state not in (ProposalState.PROPOSED, wanted):
            raise self._denied(reviewer, proposal, "review.already_decided", _decision(proposal))
        return proposal

    def _refuse_if_situation_changed(self, reviewer: Reviewer, proposal: Proposal) -> None:
        if self.clock().isoformat() >= proposal.expires_at:
            self._decide(reviewer, proposal, ProposalState.EXPIRED, "review.expired")
            raise Refuse("review.expired", place=proposal.intent, hint="the proposal was not reviewed in time")
        why = self._identity_changed(proposal)
        if why:
            self._decide(reviewer, proposal, ProposalState.NEEDS_HUMAN, why.code)
            hint = f"{why.code}: {why.hint}; a steward must look"
            raise Refuse("review.identity_changed", place=proposal.intent, hint=hint)

    def _identity_changed(self, proposal: Proposal) -> Refuse | None:
        """Why the patient there is not certainly the person of the proposal any more, as the EHR's own record says now.

        An EHR that does not answer stops nobody from signing: the sender asks the same again.
        """
        changed = Refuse("review.identity_changed", hint="the link between the two EHRs' records is another one now")
        ehr = self.ehrs[proposal.ehr]
        try:
            api = self.apis(ehr.name)
            who = identity(proposal.person_id, proposal.origin_ehr, ehr, index=self.index, api=api, policy=self.policy)
        except Refuse as refusal:
            return refusal
        except Retry:
            person = self.index.get(proposal.person_id)
            same = person is not None and link_of(person, proposal.origin_ehr, proposal.ehr) == proposal.link
            return None if same else changed
        return None if (who.link, who.patient_ref) == (proposal.link, proposal.patient_ref) else changed

    # ---------------------------------------------------------------------------------------------- what is written

    def _sign(self, reviewer: Reviewer, proposal: Proposal, signed: tuple[str, ...]) -> Proposal:
        """One of several signatures: the row waits for the next."""
        self._ledger.note(proposal, "approved", who=reviewer.id, payload=proposal.payload_hash)
        moved = replace(proposal, approvals=signed, version=proposal.version + 1)
        self._move(reviewer, moved, proposal)
        return moved

    def _decide(
        self,
        reviewer: Reviewer,
        proposal: Proposal,
        state: ProposalState,
        reason: str,
        *,
        approvals: tuple[str, ...] = (),
    ) -> Proposal:
        self._ledger.note(proposal, state.value.lower(), who=reviewer.id, payload=proposal.payload_hash, reason=reason)
        decided = replace(
            proposal,
            state=state,
            decided_by=reviewer.id,
            decided_at=self.clock().isoformat(),
            reason=reason,
            approvals=approvals or proposal.approvals,
            version=proposal.version + 1,
        )
        self._move(reviewer, decided, proposal)
        waited = self.clock() - datetime.fromisoformat(proposal.created_at)
        self.watch.note("review", state.value.lower(), milliseconds=waited.total_seconds() * 1000, ehr=proposal.ehr)
        return decided

    def _move(self, reviewer: Reviewer, moved: Proposal, proposal: Proposal) -> None:
        """Of two who decide in the same second the first has decided, and the second is shown what."""
        try:
            self.proposals.move(moved, expected_version=proposal.version)
        except Retry as conflict:
            if conflict.code != "ledger.conflict":
                raise
            stands = self._known(proposal.intent)
            if stands.state is ProposalState.PROPOSED:  # somebody has signed as well: look again
                raise
            raise self._denied(reviewer, stands, "review.already_decided", _decision(stands)) from None

    def _notify(self, reviewer: Reviewer, proposal: Proposal, tier: Tier) -> None:
        """The clinic hears of it before it is sent: an address or a doctor that changed silently is found too late."""
        lines = [f"{proposal.ehr} {proposal.patient_ref}: {', '.join(proposal.changes)}", f"intent {proposal.intent}"]
        self.notices.tell(tier.role or CLINICIANS, f"Headwater: {tier.name} will change at {proposal.ehr}", lines)
        self._ledger.note(proposal, "noticed", who=reviewer.id, to=tier.role or CLINICIANS)

    def _tell_sender(self, proposal: Proposal) -> None:
        self.send_queue.send(
            proposal.intent, group=f"{proposal.ehr}.{_patient_id(proposal)}", dedup=f"{proposal.intent}.{self._tick()}"
        )

    def _denied(self, reviewer: Reviewer, proposal: Proposal, code: str, hint: str) -> Refuse:
        self._ledger.note(proposal, "denied", who=reviewer.id, code=code)
        return Refuse(code, place=proposal.intent, hint=hint)

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.proposals, self.audit, self.clock)

    def _admitted(self, reviewer: Reviewer, intent: str) -> Proposal:
        """The proposal, for those who may see it; that somebody else tried to is on its record."""
        if CLINICIANS not in reviewer.groups and (proposal := self.proposals.get(intent)) is not None:
            self._ledger.note(proposal, "denied", who=reviewer.id, code="review.not_a_clinician")
        _only_clinicians(reviewer)
        return self._known(intent)

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


def _decision(proposal: Proposal) -> str:
    by = f" by {proposal.decided_by}" if proposal.decided_by else ""
    return f"the proposal is {proposal.state}{by}"


def _patient_id(proposal: Proposal) -> str:
    return proposal.patient_ref.rsplit("/", 1)[-1]
