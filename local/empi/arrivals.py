"""Records as they would arrive at the gate: each against the persons that are there by then and share a key with it.

A wrong link is put right at once, so the persons are always the true ones, and each mistake counts once.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile
from local.empi.truth import Known


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record, whether its person was there already, and the candidates by person id."""

    record: Known
    returning: bool
    candidates: dict[str, tuple[Profile, ...]]


def in_order(records: Sequence[Known], order: int = 5) -> list[Known]:
    """The records in the random order that `order` seeds, the same for every engine."""
    queue = list(records)
    random.Random(order).shuffle(queue)
    return queue


def arrivals(records: Sequence[Known], policy: MatchingPolicy, *, order: int = 5) -> Iterator[Arrival]:
    """Every record once, in a random order that `order` seeds."""
    buckets: defaultdict[str, dict[str, None]] = defaultdict(dict)
    persons: defaultdict[str, list[Profile]] = defaultdict(list)
    for record in in_order(records, order):
        found = sorted({person for key in lookup_keys(record.profile, policy) for person in buckets.get(key, ())})
        yield Arrival(record, record.person in persons, {person: tuple(persons[person]) for person in found})
        persons[record.person].append(record.profile)
        for key in profile_keys(record.profile, policy):
            buckets[key][record.person] = None


def blocked_pairs(
    records: Sequence[Known], policy: MatchingPolicy, *, largest: int = 200
) -> Iterator[tuple[Known, Known]]:
    """Every two records of which one finds the other, once; buckets of more than `largest` records are left out."""
    buckets: defaultdict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        for key in profile_keys(record.profile, policy):
            buckets[key].append(place)
    pairs = {
        (min(place, other), max(place, other))
        for place, record in enumerate(records)
        for key in lookup_keys(record.profile, policy)
        if len(buckets.get(key, ())) <= largest
        for other in buckets.get(key, ())
        if other != place
    }
    for one, other in sorted(pairs):
        yield records[one], records[other]
