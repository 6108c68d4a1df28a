"""loop: what has come from an EHR is not written back to it, and what was told once is not told on.

An echo of our own write carries the marker that the outbound template put in; where the EHR strips it, gives the row
another id and converts its unit, the fact itself is known again. A fact has one hop, from its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headwater.errors import Refuse
from headwater.model import Proposal, ProposalState, Resource, WriteRequest

MARKER_PREFIX = "headwater:"
MOST_HOPS = 1
# In these states nothing of a write-back can be in the chart, and so nothing can echo from it.
_NEVER_THERE = frozenset(
    {ProposalState.PROPOSED, ProposalState.REFUSED, ProposalState.REJECTED, ProposalState.EXPIRED,
     ProposalState.SUPERSEDED}
)  # fmt: skip


def marker_of(intent: str) -> str:
    """What ties a chart row to its intent; short enough for a note, long enough (2^64) not to collide."""
    return f"{MARKER_PREFIX}{intent[:16]}"


def loop(request: WriteRequest) -> None:
    if request.origin_ehr == request.to:
        raise Refuse("loop.to_its_origin", place="origin.ehr", hint="an EHR is not told what it said itself")
    if request.hops > MOST_HOPS:
        raise Refuse("loop.too_many_hops", place="hops", hint=f"a fact travels at most {MOST_HOPS} hop")
    if any(text.startswith(MARKER_PREFIX) for text in _texts(request.resource)):
        raise Refuse("loop.own_echo", place="resource", hint="this fact is the echo of a write-back of ours")


def echo(request: WriteRequest, told: Iterable[Proposal]) -> None:
    """`told` are the write-backs of this same fact, value included: was it we who told it to where it comes from?"""
    if any(one.ehr == request.origin_ehr and one.state not in _NEVER_THERE for one in told):
        hint = "this fact was told to that EHR by us, and comes back under another name"
        raise Refuse("loop.own_echo_by_content", place="resource", hint=hint)


def carries(resource: Resource, marker: str) -> bool:
    """Whether a chart row carries exactly this marker (an EHR may have added text around it)."""
    return any(marker in text for text in _texts(resource))


def _texts(value: object) -> Iterator[str]:
    """Every string inside: notes, identifiers and titles are all carriers."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
