"""four eyes: who may put which signature under a proposal, and that nobody signs what they did not look at."""

from __future__ import annotations

from collections.abc import Collection

from headwater.errors import Refuse
from headwater.model import Proposal
from headwater.outbound.policy import Tier


def four_eyes(who: str, groups: Collection[str], proposal: Proposal, tier: Tier, seen: Collection[str]) -> None:
    """Raises Refuse('review.own_proposal' | 'review.flags_not_seen' | 'review.role_missing').

    `seen` are the flags that were on the screen. Where a tier asks for a role, one of those who sign must have it.
    """
    if who == proposal.author:
        raise Refuse("review.own_proposal", hint="nobody signs what they wrote")
    if not set(proposal.flags) <= set(seen):
        raise Refuse("review.flags_not_seen", hint=f"sign with what you have seen: {', '.join(proposal.flags)}")
    is_last = len(proposal.approvals) + 1 >= proposal.approvers
    if is_last and tier.role not in ("", proposal.role_signed, *groups):
        hint = f"one of those who sign '{tier.name}' must be a member of '{tier.role}'"
        raise Refuse("review.role_missing", hint=hint)
