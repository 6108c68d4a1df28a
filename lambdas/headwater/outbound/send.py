"""send: approved bytes reach the chart once, whatever times out, and are proven by reading them back.

State is written before bytes leave. A sender that dies in between leaves SENDING behind; who comes next looks into the
chart first and resends at most once, after the EHR's longest time to commit. FILED means read back and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from headwater.ehrs import Ehr, Next, Operation, Reaction
from headwater.errors import Refuse, Retry
from headwater.model import Answer, Brake, Proposal, ProposalState, Resource
from headwater.outbound import chart, proof
from headwater.outbound.braked import BrakedApi
from headwater.outbound.gates.identity import identity
from headwater.outbound.gates.surface import known_ehr, surface
from headwater.outbound.gates.switches import CODE, scopes, switches
from headwater.outbound.ledger import Ledger
from headwater.outbound.pacing import LONGEST_WAIT_S, Pacing
from headwater.outbound.policy import WritePolicy
from headwater.persons.policy import MatchingPolicy
from headwater.ports import AuditLog, Brakes, Clock, EhrApi, EhrApis, Notices, PersonIndex, Proposals, Watch

MOST_ATTEMPTS = 2
PATIENCE_FOR_APPROVAL = 8  # tries of five seconds: longer than an API call may take to write its decision
SILENT_FOR = timedelta(days=1)
STALE_S = 5  # a switch that was looked at so long ago is looked at again before bytes leave


@dataclass(frozen=True, slots=True)
class _Job:
    """One proposal on its way: how its EHR takes it, and what held it when this began."""

    ehr: Ehr
    operation: Operation
    api: EhrApi
    fact: Resource
    brake: Brake
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The step with its ports filled."""

    ehrs: Mapping[str, Ehr]
    apis: EhrApis
    index: PersonIndex
    policy: MatchingPolicy
    rules: WritePolicy
    proposals: Proposals
    brakes: Brakes
    audit: AuditLog
    notices: Notices
    watch: Watch
    clock: Clock

    def __call__(self, intent: str, *, receives: int = 1) -> Proposal:
        """Move one proposal as far as it goes now; raises Retry with the seconds to wait when it is not final yet.

        `receives` counts the queue's tries. A message may come before its approval (`outbound.review` says why); one
        whose approval never came is let go.
        """
        proposal = self.proposals.get(intent)
        if proposal is None:
            raise Refuse("send.unknown", place="intent", hint="there is no such proposal")
        if proposal.state.final:
            return proposal
        if proposal.state is ProposalState.PROPOSED:
            if receives > PATIENCE_FOR_APPROVAL:
                return proposal
            raise Retry("send.not_yet_approved", place=intent, after=5)
        approved = proposal.state is ProposalState.APPROVED
        fault = proof.unsound(proposal, self.clock()) if approved else None
        if fault is not None:
            return self._stop(proposal, *fault)
        if approved:
            return self._first_try(proposal, self._job(proposal))
        try:
            return self._go_on(proposal, self._job(proposal))
        except Retry as silent:
            if silent.code not in ("send.ehr_closed", "send.chart_unreadable") or not self._overdue(proposal):
                raise
            return self._stop(proposal, ProposalState.NEEDS_HUMAN, "send.outcome_not_provable")

    def _overdue(self, proposal: Proposal) -> bool:
        """Whether the chart has been silent for so long that a person must know that nobody knows."""
        return self.clock() - datetime.fromisoformat(proposal.sent_at or proposal.decided_at) > SILENT_FOR

    def _go_on(self, proposal: Proposal, job: _Job) -> Proposal:
        """With what has left already, or may have."""
        if proposal.state is ProposalState.SENDING and self.clock().isoformat() < proposal.lease_until:
            raise Retry("send.leased", place=proposal.intent, after=int(lease_of(job.ehr).total_seconds()))
        if proposal.state is ProposalState.ACCEPTED_BY_EHR:
            return self._read_back(proposal, job)
        return self._verify(proposal, job)

    def _job(self, proposal: Proposal) -> _Job:
        """Raises Retry('send.ehr_closed') before anything is asked of an EHR that wants to be left alone."""
        ehr = known_ehr(self.ehrs, proposal.ehr)
        operation = surface(ehr, proposal.resource_type, proposal.target)
        fact: Resource = orjson.loads(proposal.fact or proposal.payload)
        began = self.clock()
        brake = self.brakes.look(ehr.name, self._scopes(proposal, fact), began)
        if brake.closed_s > 0:
            raise Retry("send.ehr_closed", place=ehr.name, after=max(int(brake.closed_s) + 1, 1))
        api = BrakedApi(self.apis(ehr.name), ehr, self.brakes, self.rules.budget, self.clock, brake)
        return _Job(ehr, operation, api, fact, brake, began)

    # ------------------------------------------------------------------------------------------------ before bytes

    def _first_try(self, proposal: Proposal, job: _Job) -> Proposal:
        """The last questions, with the chart as it is now: in time, the same patient, not there already?"""
        attempts, at = proof.sent_before(self.audit, proposal.intent, MOST_ATTEMPTS)
        if attempts > proposal.attempts:  # the ledger was restored from before the write, or died before it
            behind = self._move(
                proposal, ProposalState.OUTCOME_UNKNOWN, reason="send.ledger_behind", attempts=attempts, sent_at=at
            )
            return self._verify(behind, job)
        proposal = self._pacing.take_turn(proposal, job.ehr)
        self._pacing.let_recover(proposal, job.ehr, job.brake)
        objection = self._objection(proposal, job)
        if objection is not None:
            return self._stop(proposal, *objection)
        found = self._look(proposal, job)
        if found.moved or found.changed:
            return self._reviewed_again(proposal, found)
        if found.mine is not None and not proposal.target:
            return self._adopt(proposal, found.mine, job)
        if found.same is not None:
            return self._move(proposal, ProposalState.ALREADY_PRESENT, reason="send.same_fact_in_chart")
        return self._write(proposal, job)

    def _objection(self, proposal: Proposal, job: _Job) -> tuple[ProposalState, str] | None:
        """Why these bytes must not leave now, first time or again: too late, no place for the code, another patient.

        Raises Retry('send.switched_off') where a person has stopped them.
        """
        if self.clock().isoformat() >= proposal.expires_at:
            return ProposalState.EXPIRED, "send.expired"
        if any(one.scope.startswith(CODE) for one in job.brake.switches):
            return ProposalState.NEEDS_HUMAN, "send.code_held"
        switches(job.brake, proposal.ehr, self._pacing.patience(proposal.decided_at, least=30))
        who = (proposal.person_id, proposal.origin_ehr, job.ehr)
        try:
            found = identity(*who, index=self.index, api=job.api, policy=self.policy)
        except Refuse as refusal:
            return ProposalState.NEEDS_HUMAN, refusal.code
        if (found.link, found.patient_ref) != (proposal.link, proposal.patient_ref):
            return ProposalState.NEEDS_HUMAN, "send.identity_changed"
        return None

    def _scopes(self, proposal: Proposal, fact: Resource) -> tuple[str, ...]:
        return scopes(proposal.ehr, proposal.resource_type, proposal.purpose, proposal.patient_ref, fact)

    def _look(self, proposal: Proposal, job: _Job) -> proof.Found:
        try:
            return proof.look(proposal, job.fact, job.operation, job.api)
        except Retry as unread:
            raise Retry(unread.code, place=proposal.ehr, hint=unread.hint,
                        after=self._pacing.patience(proposal.decided_at, least=30)) from None  # fmt: skip

    # ------------------------------------------------------------------------------------------------------- bytes

    def _write(self, proposal: Proposal, job: _Job) -> Proposal:
        now = self.clock()
        if (now - job.began).total_seconds() > STALE_S:
            brake = self.brakes.look(job.ehr.name, self._scopes(proposal, job.fact), now)
            switches(brake, proposal.ehr, self._pacing.patience(proposal.decided_at, least=30))
        self._pacing.spend_on_patient(proposal)
        proposal = self._move(
            proposal,
            ProposalState.SENDING,
            attempts=proposal.attempts + 1,
            sent_at=now.isoformat(),
            lease_until=(now + lease_of(job.ehr)).isoformat(),
            turn_at="",
        )
        if proposal.target:
            answer = job.api.update(proposal.target, proposal.payload, seen=proposal.seen)
        else:
            answer = job.api.create(proposal.resource_type, proposal.payload, patient=proposal.patient_ref)
        reaction = job.ehr.react(answer, job.operation)
        self.watch.note(
            "send", reaction.next.value, milliseconds=answer.milliseconds, ehr=proposal.ehr, status=answer.status
        )
        return self._after(reaction, answer, proposal, job)

    def _after(self, reaction: Reaction, answer: Answer, proposal: Proposal, job: _Job) -> Proposal:
        said = " ".join((f"send.{reaction.next}", str(answer.status), *reaction.codes))
        match reaction.next:
            case Next.READ_BACK:
                reference = proposal.target or proof.location(answer, proposal.resource_type)
                accepted = self._move(proposal, ProposalState.ACCEPTED_BY_EHR, filed_ref=reference, reason=said)
                return self._read_back(accepted, job)
            case Next.VERIFY | Next.COMPARE:
                # Where the EHR says that it has the row already, a resend is out of the question.
                attempts = MOST_ATTEMPTS if reaction.next is Next.COMPARE else proposal.attempts
                self._move(proposal, ProposalState.OUTCOME_UNKNOWN, reason=said, attempts=attempts, said=reaction.said)
                raise Retry(
                    "send.outcome_unknown", place=proposal.ehr, after=min(30, job.operation.max_commit_window_s)
                )
            case Next.RESEND | Next.WAIT:
                # Nothing was looked at over there, so that this was no attempt.
                self._move(proposal, ProposalState.APPROVED, attempts=proposal.attempts - 1, reason=said)
                wait_s = min(self._wait_of(reaction, answer, proposal, job), LONGEST_WAIT_S)
                raise Retry(f"send.{reaction.next}", place=proposal.ehr, after=wait_s)
            case Next.FAIL:
                if reaction.hold == "code":
                    self._pacing.hold_codes(proposal, chart.codes_of(job.fact), said)
                return self._move(proposal, ProposalState.FAILED, reason=said, said=reaction.said)
            case Next.REVIEW | Next.STEWARD:
                now = self._look(proposal, job) if reaction.next is Next.REVIEW and proposal.target else proof.NOTHING
                changed = {"differences": now.differences, "said": reaction.said}
                return self._stop(proposal, ProposalState.NEEDS_HUMAN, said, **changed)

    def _wait_of(self, reaction: Reaction, answer: Answer, proposal: Proposal, job: _Job) -> int:
        """Seconds until the next try; an EHR that asks to wait is left alone by everybody."""
        if reaction.next is not Next.WAIT:
            return reaction.wait_s or self._pacing.patience(proposal.decided_at, least=30)
        throttled = answer.status == 429
        wait_s = job.ehr.wait_of(answer, self.clock()) if throttled else reaction.wait_s or 0
        self._pacing.leave_alone(job.ehr, wait_s)
        return wait_s or self._pacing.patience(proposal.decided_at, least=30)

    # ------------------------------------------------------------------------------------------------- after bytes

    def _verify(self, proposal: Proposal, job: _Job) -> Proposal:
        """Nobody knows whether the row is there: look; resend only once the EHR cannot be committing any more."""
        found = self._look(proposal, job)
        if found.mine is None and found.same is not None and job.operation.marker and not proposal.target:
            # Somebody else's row: ours would bear the marker.
            return self._move(proposal, ProposalState.ALREADY_PRESENT, reason="send.same_fact_in_chart")
        if row := found.mine or found.same:
            return self._adopt(proposal, row, job)
        if found.moved or found.changed:
            return self._reviewed_again(proposal, found)
        window_ends = datetime.fromisoformat(proposal.sent_at) + timedelta(seconds=job.operation.max_commit_window_s)
        left = (window_ends - self.clock()).total_seconds()
        if left > 0:
            if proposal.state is not ProposalState.OUTCOME_UNKNOWN:
                self._move(proposal, ProposalState.OUTCOME_UNKNOWN, reason="send.sender_died")
            raise Retry("send.outcome_unknown", place=proposal.ehr, after=int(min(60, left)) + 1)
        if proposal.attempts < MOST_ATTEMPTS:
            self._pacing.let_recover(proposal, job.ehr, job.brake)
        # It may be there all the same: what must not be sent again is for a person to look into.
        if proposal.attempts >= MOST_ATTEMPTS or self._objection(proposal, job) is not None:
            return self._stop(proposal, ProposalState.NEEDS_HUMAN, "send.outcome_not_provable")
        return self._write(self._pacing.take_turn(proposal, job.ehr), job)

    def _adopt(self, proposal: Proposal, row: Resource, job: _Job) -> Proposal:
        reference = f"{row['resourceType']}/{row['id']}"
        found = self._move(proposal, ProposalState.ACCEPTED_BY_EHR, filed_ref=reference, reason="send.found_in_chart")
        return self._read_back(found, job)

    def _read_back(self, proposal: Proposal, job: _Job) -> Proposal:
        row = proof.row_of(proposal, job.fact, job.operation, job.api)
        if row is None:
            since = proposal.sent_at or proposal.decided_at
            deadline = datetime.fromisoformat(since) + timedelta(seconds=job.operation.verify_within_s)
            left = (deadline - self.clock()).total_seconds()
            if left > 0:
                after = min(self._pacing.patience(since, least=15), int(left) + 1)
                raise Retry("send.not_readable_yet", place=proposal.ehr, after=after)
            return self._stop(proposal, ProposalState.NEEDS_HUMAN, "send.not_in_chart")
        differences = chart.differences(row, job.fact)
        # What the profile says the EHR drops was known to the reviewer; startswith(()) is False.
        lost = tuple(path for path in differences if not path.startswith(job.operation.losses))
        reference = f"{row['resourceType']}/{row['id']}"
        if lost:
            reason = "send.chart_differs" if any(map(chart.is_safety, lost)) else "send.undeclared_loss"
            return self._stop(proposal, ProposalState.NEEDS_HUMAN, reason, differences=lost, filed_ref=reference)
        self._compensate(proposal)
        return self._move(
            proposal, ProposalState.FILED, reason="send.read_back", differences=differences, filed_ref=reference
        )

    def _compensate(self, proposal: Proposal) -> None:
        """What this one takes back is over; noted before its own end, so that a sender that dies in between does both
        again."""
        taken_back = self.proposals.get(proposal.withdraws) if proposal.withdraws else None
        if taken_back is not None and taken_back.state is not ProposalState.COMPENSATED:
            self._move(taken_back, ProposalState.COMPENSATED, reason="send.taken_back")

    # -------------------------------------------------------------------------------------------------- the ledger

    @property
    def _pacing(self) -> Pacing:
        return Pacing(self.proposals, self.brakes, self.rules.budget, self.clock)

    def _reviewed_again(self, proposal: Proposal, found: proof.Found) -> Proposal:
        reason = "send.patient_moved" if found.moved else "send.chart_changed"
        return self._stop(proposal, ProposalState.NEEDS_HUMAN, reason, differences=found.differences)

    def _stop(self, proposal: Proposal, state: ProposalState, reason: str, **changes: Any) -> Proposal:
        """An end that a person must see to; of an incident somebody is told at once."""
        if reason.partition(" ")[0] in proof.INCIDENTS:
            self.notices.tell("safety", f"Headwater: {reason}", [f"{proposal.ehr} {proposal.intent}"])
            self.watch.note("alert", reason, ehr=proposal.ehr, intent=proposal.intent)
        return self._move(proposal, state, reason=reason, **changes)

    def _move(self, proposal: Proposal, state: ProposalState, **changes: Any) -> Proposal:
        return Ledger(self.proposals, self.audit, self.clock).move(proposal, state, **changes)


def lease_of(ehr: Ehr) -> timedelta:
    """How long a sender alone has the intent once its bytes may leave: a token, then the write, each at its slowest."""
    slowest = ehr.api.connect_timeout_s + ehr.api.read_timeout_s if ehr.api else 0.0
    return timedelta(seconds=2 * slowest + 10)
