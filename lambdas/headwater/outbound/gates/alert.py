"""alert: a score is told when it means something else, not whenever it moves; and a machine never interrupts.

Nine of ten alerts are overridden, and each repeat costs attention for the next (Ancker 2017, PMC5387195). So a score
must leave its band by more than jitter, and not sooner than its interval, unless it rises.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson

from headwater.errors import Refuse
from headwater.model import Proposal, ProposalState, Resource
from headwater.outbound.policy import Score, WritePolicy

# What a clinician has seen or will see; a refusal or a rejection told nobody anything.
_SAID = frozenset(ProposalState) - {ProposalState.REFUSED, ProposalState.REJECTED, ProposalState.FAILED}


def interruptive(resource: Resource, policy: WritePolicy) -> None:
    """Raises Refuse('alert.interruptive') for a priority that would call somebody away from a patient."""
    if str(resource.get("priority", "")).lower() in policy.notice.interruptive:
        hint = "software may inform; a priority that interrupts is for people to give"
        raise Refuse("alert.interruptive", place=f"{resource['resourceType']}.priority", hint=hint)


def alert(resource: Resource, ehr: str, told: Iterable[Proposal], score: Score, now: datetime) -> None:
    """`told` are this score's write-backs for the person, the newest first. Raises Refuse('alert.no_change' |
    'alert.too_soon'); a score without a number is always news."""
    last = next((one for one in told if one.ehr == ehr and one.state in _SAID), None)
    value = _number(resource)
    if last is None or value is None:
        return
    before = _number(orjson.loads(last.request or b"{}").get("resource", {}))
    if before is None:
        return
    risen = _band(value, before, score) - _band(before, before, score)
    if abs(value - before) < score.dead_band or (score.bands and risen == 0):
        raise Refuse("alert.no_change", place="Observation.value", hint="it means what was told last")
    if risen <= 0 and now - datetime.fromisoformat(last.created_at) < timedelta(hours=score.min_interval_h):
        hint = f"told less than {score.min_interval_h} hours ago, and it is not rising"
        raise Refuse("alert.too_soon", place="Observation.value", hint=hint)


def _band(value: float, before: float, score: Score) -> int:
    """Which band a value is in; a threshold that lies between it and the last value must be passed by `hysteresis`."""
    shift = score.hysteresis if value > before else -score.hysteresis if value < before else 0.0
    band, was = bisect_right(score.bands, value - shift), bisect_right(score.bands, before)
    return max(band, was) if value > before else min(band, was)


def _number(resource: Resource) -> float | None:
    value = resource.get("valueQuantity", {}).get("value", resource.get("valueInteger"))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
