"""loop: what has come from an EHR is not written back to it, and what was told once is not told on.

An echo of our own write carries the marker that the outbound template put in; a fact has one hop, from its source.
"""

from __future__ import annotations

from headwater.errors import Refuse
from headwater.model import Resource, WriteRequest

MARKER_PREFIX = "headwater:"
MOST_HOPS = 1


def marker_of(intent: str) -> str:
    """What ties a chart row to its intent; short enough for a note, long enough (2^64) not to collide."""
    return f"{MARKER_PREFIX}{intent[:16]}"


def loop(request: WriteRequest) -> None:
    if request.origin_ehr == request.to:
        raise Refuse("loop.to_its_origin", place="origin.ehr", hint="an EHR is not told what it said itself")
    if request.hops > MOST_HOPS:
        raise Refuse("loop.too_many_hops", place="hops", hint=f"a fact travels at most {MOST_HOPS} hop")
    if bears_marker(request.resource):
        raise Refuse("loop.own_echo", place="resource", hint="this fact is the echo of a write-back of ours")


def bears_marker(value: object) -> bool:
    """Whether any string inside starts with our marker: notes, identifiers and titles are all carriers."""
    if isinstance(value, str):
        return value.startswith(MARKER_PREFIX)
    if isinstance(value, dict):
        return any(bears_marker(inner) for inner in value.values())
    return isinstance(value, list) and any(bears_marker(inner) for inner in value)


def resource_marker(resource: Resource, marker: str) -> bool:
    """Whether a chart row carries exactly this marker (an EHR may have added text after it)."""
    return _contains(resource, marker)


def _contains(value: object, marker: str) -> bool:
    if isinstance(value, str):
        return marker in value
    if isinstance(value, dict):
        return any(_contains(inner, marker) for inner in value.values())
    return isinstance(value, list) and any(_contains(inner, marker) for inner in value)
