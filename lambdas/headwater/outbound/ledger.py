"""The ledger and the audit log as one: a write-back is recorded before it is moved, and what cannot be recorded does
not happen. All three outbound steps move rows by this, and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from headwater.errors import Retry
from headwater.model import Proposal, ProposalState
from headwater.ports import AuditLog, Clock, Proposals

SENDER = "send"
NOT_SENT = "not_sent"  # the audit's word for an attempt of which no byte was looked at over there
ASKED_AGAIN = "review.asked_again"  # why a row gave way to its own request, made anew


@dataclass(frozen=True, slots=True)
class Ledger:
    """The two ports, and the time."""

    proposals: Proposals
    audit: AuditLog
    clock: Clock

    def add(self, proposal: Proposal) -> Proposal:
        """A new row; raises Retry('ledger.conflict') if another worker has just written the same."""
        self._proposed(proposal)
        if not self.proposals.add(proposal):
            raise Retry("ledger.conflict", hint="another worker proposed the same; look again", after=1)
        return proposal

    def renew(self, proposal: Proposal, known: Proposal) -> Proposal:
        """A row that was over begins again as a proposal: with new bytes, and without anybody's signature."""
        renewed = replace(proposal, version=known.version + 1)
        self._proposed(renewed)
        self.proposals.move(renewed, expected_version=known.version)
        return renewed

    def move(self, proposal: Proposal, state: ProposalState, *, who: str = SENDER, **changes: Any) -> Proposal:
        moved: Proposal = replace(proposal, state=state, version=proposal.version + 1, **changes)
        said = {"attempt": moved.attempts, "payload": moved.payload_hash, "reason": moved.reason}
        # What only people give must not read as if a machine had given it.
        event = NOT_SENT if (who, state) == (SENDER, ProposalState.APPROVED) else state.value.lower()
        self.note(moved, event, who=who, filed=moved.filed_ref, **said)
        self.proposals.move(moved, expected_version=proposal.version)
        return moved

    def note(self, proposal: Proposal, event: str, *, who: str, **facts: object) -> None:
        """One entry of the intent's chain: ids, codes and paths only."""
        self.audit.append(proposal.intent, {"event": event, "at": self.clock().isoformat(), "who": who, **facts})

    def _proposed(self, proposal: Proposal) -> None:
        self.audit.append(
            proposal.intent,
            {
                "event": "proposed",
                "state": proposal.state.value,
                "at": proposal.created_at,
                "ehr": proposal.ehr,
                "payload": proposal.payload_hash,
                "origin": f"{proposal.origin_ehr} {proposal.origin_ref}",
                "reason": proposal.reason,
                "flags": list(proposal.flags),
            },
        )
