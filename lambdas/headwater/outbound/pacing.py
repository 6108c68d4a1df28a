"""How much an EHR, and a patient there, is told at a time: turns, pauses after failures, what its build cannot take.

All of it is shared by all workers through the `Brakes`; whoever must wait is told for how long by the `Retry`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headwater.ehrs import Ehr
from headwater.errors import Retry
from headwater.model import Brake, Proposal, Switch
from headwater.outbound.gates.switches import code_scope, pace
from headwater.outbound.ledger import SENDER
from headwater.outbound.policy import Budget
from headwater.ports import Brakes, Clock, Proposals

LONGEST_WAIT_S = 3600  # SQS would allow 12 hours; an EHR that is back should not wait that long for us
REQUESTS = 4  # of one write: the patient, the look, the write, the read-back
TURN_HOLDS_S = 120  # who does not come when it is their turn has to take another


@dataclass(frozen=True, slots=True)
class Pacing:
    """The ports, and what the policy allows."""

    proposals: Proposals
    brakes: Brakes
    budget: Budget
    clock: Clock

    def take_turn(self, proposal: Proposal, ehr: Ehr) -> Proposal:
        """Raises Retry('send.paced') when the EHR has been asked enough for now, with a turn of its own written down:
        were it to try its luck each time, a storm's last would be unlucky until they expire."""
        now = self.clock()
        if not proposal.turn_at or (now - datetime.fromisoformat(proposal.turn_at)).total_seconds() > TURN_HOLDS_S:
            per_s, burst = pace(ehr, self.budget)
            wait = self.brakes.reserve(ehr.name, cost=REQUESTS, per_s=per_s, burst=burst, now=now)
            if not wait:
                return proposal
            turn_at = (now + timedelta(seconds=wait)).isoformat()
            waiting = replace(proposal, turn_at=turn_at, version=proposal.version + 1)
            self.proposals.move(waiting, expected_version=proposal.version)
            proposal = waiting
        left = (datetime.fromisoformat(proposal.turn_at) - now).total_seconds()
        if left > 0:
            raise Retry("send.paced", place=ehr.name, after=min(int(left) + 1, LONGEST_WAIT_S))
        return proposal

    def let_recover(self, proposal: Proposal, ehr: Ehr, brake: Brake) -> None:
        """Raises Retry('send.ehr_closed') while the EHR fails writes. Once its pause is over one write at a time tries
        it; a resend, which is the last, waits until one has worked, or for as long as anybody would."""
        wait = brake.writes_closed_s
        pause = self.budget.pause(brake.write_failures)
        if not wait and pause:
            resent = proposal.attempts > 0
            if resent and self.clock() - datetime.fromisoformat(proposal.sent_at) < timedelta(seconds=LONGEST_WAIT_S):
                wait = pause
            else:
                wait = self.brakes.take(f"{ehr.name}/probe", cost=1, per_s=1 / pause, burst=1, now=self.clock())
        if wait:
            raise Retry("send.ehr_closed", place=ehr.name, after=int(wait) + 1)

    def spend_on_patient(self, proposal: Proposal) -> None:
        """Raises Retry('send.patient_budget') when the patient's chart has been written to enough for this hour."""
        hourly = self.budget.patient_writes_per_h
        at_once = max(hourly // 2, 1)  # and the rest as a steady flow, so that no hour has more
        flow = max(hourly - at_once, 1) / 3600
        of_patient = f"{proposal.ehr}/{proposal.patient_ref}"
        wait = self.brakes.take(of_patient, cost=1, per_s=flow, burst=at_once, now=self.clock())
        if wait:
            raise Retry("send.patient_budget", place=proposal.ehr, after=min(int(wait) + 1, LONGEST_WAIT_S))

    def leave_alone(self, ehr: Ehr, seconds: int) -> None:
        """Nobody asks the EHR anything for so long."""
        if seconds:
            self.brakes.close(ehr.name, self.clock() + timedelta(seconds=seconds))

    def hold_codes(self, proposal: Proposal, tokens: Iterable[str], why: str) -> None:
        """What has the same code would be refused the same: it is held until a person has mended the EHR's build."""
        for token in sorted(tokens):
            scope = code_scope(proposal.ehr, proposal.resource_type, token)
            self.brakes.throw(Switch(scope, SENDER, why, self.clock().isoformat()))

    def patience(self, since: str, *, least: int) -> int:
        """Seconds until the next look: as long again as it has lasted already, up to an hour. The twenty looks that
        the queue allows so last through a night."""
        lasted = (self.clock() - datetime.fromisoformat(since)).total_seconds()
        return int(min(max(lasted, least), LONGEST_WAIT_S))
