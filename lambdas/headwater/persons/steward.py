"""A steward's answer to a held message: whose record it is, or whose it is not. The answer is noted with its version,
and releasing the message takes it through; `match` uses it once, the index remembers it for good.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from headwater.errors import Refuse
from headwater.model import Decision
from headwater.ports import PersonIndex


def link(index: PersonIndex, record_key: str, person_id: str, *, by: str, at: datetime, reason: str) -> Decision:
    """The record is this person's: a possible match confirmed, an overlay accepted (the person linked already), or a
    record moved from another person. Raises Refuse('steward.unsigned' | 'steward.person_unknown'), and
    Retry('match.conflict') when somebody else has just answered."""
    _person_exists(index, person_id)
    return _note(index, Decision(record_key, 0, by, at.isoformat(), reason, link_to=person_id))


def keep_apart(
    index: PersonIndex, record_key: str, person_ids: Collection[str], *, by: str, at: datetime, reason: str
) -> Decision:
    """The record is none of these persons', now and later: a new person, or an overlaid record split off. Raises as
    `link` does."""
    for person_id in person_ids:
        _person_exists(index, person_id)
    return _note(index, Decision(record_key, 0, by, at.isoformat(), reason, apart_from=frozenset(person_ids)))


def _person_exists(index: PersonIndex, person_id: str) -> None:
    if index.get(person_id) is None:
        raise Refuse("steward.person_unknown", place="person", hint="no such person; find the right one first")


def _note(index: PersonIndex, decision: Decision) -> Decision:
    if not decision.by.strip() or not decision.reason.strip():
        raise Refuse("steward.unsigned", place="decision", hint="say who decided, and why")
    versioned = replace(decision, version=len(index.decisions(decision.record_key)) + 1)
    index.decide(versioned)
    return versioned
