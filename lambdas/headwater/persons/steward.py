"""A steward's answer to a held message: whose record it is, or whose it is not. The answer is noted with its version,
and releasing the message takes it through; `match` uses it once, the index remembers it for good.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from headwater.errors import Refuse
from headwater.model import Decision, Person
from headwater.ports import PersonIndex


def link(index: PersonIndex, record_key: str, person_id: str, *, by: str, at: datetime, reason: str) -> Decision:
    """The record is this person's: a possible match confirmed, an overlay accepted (the person linked already), or a
    record moved from another person. Raises Refuse('steward.unsigned' | 'steward.person_unknown'), and
    Retry('match.conflict') when somebody else has just answered."""
    known(index, person_id)
    return _note(index, Decision(record_key, 0, by, at.isoformat(), reason, link_to=person_id))


def keep_apart(
    index: PersonIndex, record_key: str, person_ids: Collection[str], *, by: str, at: datetime, reason: str
) -> Decision:
    """The record is none of these persons', now and later: a new person, or an overlaid record split off. Raises as
    `link` does."""
    for person_id in person_ids:
        known(index, person_id)
    return _note(index, Decision(record_key, 0, by, at.isoformat(), reason, apart_from=frozenset(person_ids)))


def known(index: PersonIndex, person_id: str) -> Person:
    """The person of an id. Raises Refuse('steward.person_unknown')."""
    person = index.get(person_id)
    if person is None:
        raise Refuse("steward.person_unknown", place="person", hint="no such person; find the right one first")
    return person


def check_signed(by: str, reason: str) -> None:
    """Raises Refuse('steward.unsigned') unless somebody decided, and says why."""
    if not by.strip() or not reason.strip():
        raise Refuse("steward.unsigned", place="decision", hint="say who decided, and why")


def _note(index: PersonIndex, decision: Decision) -> Decision:
    check_signed(decision.by, decision.reason)
    versioned = replace(decision, version=len(index.decisions(decision.record_key)) + 1)
    index.decide(versioned)
    return versioned
