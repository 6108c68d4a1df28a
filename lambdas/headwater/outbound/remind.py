"""remind: what waits too long is told to people, in digests; what nobody signed in time expires; what a lost message
left behind is sent for again. Nothing is ever filed because nobody looked.

Runs by the clock, every quarter of an hour. Each rung of the ladder tells a proposal's age to its own recipient, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headwater.errors import Retry
from headwater.model import Proposal, ProposalState
from headwater.outbound.ledger import Ledger
from headwater.outbound.policy import WritePolicy
from headwater.ports import AuditLog, Brakes, Clock, Notices, Proposals, Queue, Watch

WHO = "remind"
MOST = 1000  # rows of a state in one run; the rest is the next run's
SHOWN = 20  # rows that a digest names; all are counted
LEFT_BEHIND = timedelta(hours=2)
_ON_THE_WAY = (
    ProposalState.APPROVED,
    ProposalState.SENDING,
    ProposalState.OUTCOME_UNKNOWN,
    ProposalState.ACCEPTED_BY_EHR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """The step with its ports filled."""

    proposals: Proposals
    brakes: Brakes
    audit: AuditLog
    notices: Notices
    send_queue: Queue
    rules: WritePolicy
    watch: Watch
    clock: Clock

    def __call__(self) -> None:
        now = self.clock()
        waiting = list(self._still_in_time(self.proposals.list(ProposalState.PROPOSED, limit=MOST), now))
        for recipient, due in self._due(waiting, now).items():
            self._tell(recipient, due, len(waiting))
        for state in _ON_THE_WAY:
            for proposal in self.proposals.list(state, limit=MOST):
                self._send_for(proposal, now)

    def _still_in_time(self, waiting: Sequence[Proposal], now: datetime) -> Iterator[Proposal]:
        """Those whose time is not over; the others expire here."""
        for proposal in waiting:
            if now.isoformat() < proposal.expires_at:
                yield proposal
                continue
            try:
                self._ledger.move(proposal, ProposalState.EXPIRED, who=WHO, reason="review.expired")
                self.watch.note(WHO, "expired", ehr=proposal.ehr, intent=proposal.intent)
            except Retry as conflict:  # somebody decides just now
                self.watch.note(WHO, conflict.code, intent=proposal.intent)

    def _due(self, waiting: Sequence[Proposal], now: datetime) -> dict[str, list[tuple[Proposal, int]]]:
        """By recipient, the proposals that have reached a rung that nobody was told of, and that rung."""
        due: defaultdict[str, list[tuple[Proposal, int]]] = defaultdict(list)
        ladder = self.rules.notice.ladder
        for proposal in waiting:
            age = now - datetime.fromisoformat(proposal.created_at)
            rung = sum(age >= timedelta(hours=step.after_h) for step in ladder)
            if rung > proposal.rung:
                role = self.rules.tier(proposal.tier).role
                due[role if role and rung == 1 else ladder[rung - 1].tell].append((proposal, rung))
        return due

    def _tell(self, recipient: str, due: Sequence[tuple[Proposal, int]], waiting: int) -> None:
        """One digest, within the recipient's budget of the shift; what does not fit is in a later one."""
        notice = self.rules.notice
        shift_s = notice.shift_h * 3600
        budget = {"per_s": notice.per_shift / shift_s, "burst": notice.per_shift}
        if self.brakes.take(f"notice/{recipient}", cost=1, **budget, now=self.clock()):  # type: ignore[arg-type]
            self.watch.note(WHO, "withheld", to=recipient, rows=len(due))
            return
        lines = [f"{one.ehr} {one.tier} {one.purpose} since {one.created_at[:16]} {one.intent[:12]}" for one, _ in due]
        subject = f"Headwater: {len(due)} write-backs wait for a decision"
        more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        self.notices.tell(
            recipient, subject, [*lines[:SHOWN], *more, f"{waiting} wait in all; none is filed unsigned."]
        )
        for proposal, rung in due:
            self._climb(proposal, rung, recipient)
        self.watch.note(WHO, "told", to=recipient, rows=len(due))

    def _climb(self, proposal: Proposal, rung: int, recipient: str) -> None:
        self._ledger.note(proposal, "escalated", who=WHO, to=recipient, rung=rung)
        try:
            moved = replace(proposal, rung=rung, version=proposal.version + 1)
            self.proposals.move(moved, expected_version=proposal.version)
        except Retry as conflict:
            self.watch.note(WHO, conflict.code, intent=proposal.intent)

    def _send_for(self, proposal: Proposal, now: datetime) -> None:
        """A message that came to the dead letters, or never was: the row says what is to be done."""
        since = datetime.fromisoformat(proposal.sent_at or proposal.decided_at)
        if now - since >= LEFT_BEHIND:
            patient = proposal.patient_ref.rsplit("/", 1)[-1]
            hour = now.isoformat()[:13]
            self.send_queue.send(
                proposal.intent, group=f"{proposal.ehr}.{patient}", dedup=f"{proposal.intent}.{hour}.{WHO}"
            )

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.proposals, self.audit, self.clock)
