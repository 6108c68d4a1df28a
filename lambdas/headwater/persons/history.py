"""A person's history: one line for every change of who is who, written with the change itself.

The lines of a person, gone through in order, give the records it has: nothing else is needed to say who was taken for
whom at any time, or to take a merge back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from headwater.model import Candidates, LinkChange, LinkEvent, Person

MATCH = "match"  # who decided, where no steward did


def events_of_save(
    person: Person, record_key: str, seen: Candidates, left: Person | None = None
) -> tuple[LinkEvent, ...]:
    """What a save of `match` changes: nothing for news of a known record, else a line for each person it touches."""
    if seen.known is not None and seen.known.id == person.id:
        return ()
    decision = seen.decision
    told_at = "".join(one.event_time.isoformat() for one in person.records if one.key == record_key)
    at, by = (decision.at, decision.by) if decision else (told_at, MATCH)
    reason = decision.reason if decision else ""
    alone = len(person.records) == 1 and person.version == 1
    change = LinkChange.MOVED if left else LinkChange.FOUNDED if alone else LinkChange.LINKED
    came_from = left.id if left else ""
    gained = LinkEvent(person.id, person.version, change, at, by, reason, gained=(record_key,), other=came_from)
    if left is None:
        return (gained,)
    return gained, LinkEvent(left.id, left.version, change, at, by, reason, lost=(record_key,), other=person.id)


def on_the_way(source: Person, target: Person) -> tuple[Person, Person]:
    """Both persons of a change that took records from one to the other, with its name: the facts have yet to follow."""
    name = target.change
    return replace(source, moving=source.moving | {name}), replace(target, moving=target.moving | {name})


def records_after(events: Iterable[LinkEvent]) -> frozenset[str]:
    """The keys of the records that a person has after these events, the oldest first."""
    keys: set[str] = set()
    for event in events:
        keys -= set(event.lost)
        keys |= set(event.gained)
    return frozenset(keys)
