"""Records as they would arrive at the gate: each against the persons that are there by then and share a key with it.

A wrong link is put right at once, so the persons are always the true ones, and each mistake counts once.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

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


def arrivals(records: Sequence[Known], policy: MatchingPolicy, *, order: int = 5) -> Iterator[Arrival]:
    """Every record once, in a random order that `order` seeds."""
    queue = list(records)
    random.Random(order).shuffle(queue)
    buckets: defaultdict[str, dict[str, None]] = defaultdict(dict)
    persons: defaultdict[str, list[Profile]] = defaultdict(list)
    for record in queue:
        found = sorted({person for key in lookup_keys(record.profile, policy) for person in buckets.get(key, ())})
        yield Arrival(record, record.person in persons, {person: tuple(persons[person]) for person in found})
        persons[record.person].append(record.profile)
        for key in profile_keys(record.profile, policy):
            buckets[key][record.person] = None


def blocked_pairs(
    records: Sequence[Known], policy: MatchingPolicy, *, largest: int = 200
) -> Iterator[tuple[Known, Known]]:
    """Every two records that share a key, once; buckets of more than `largest` records are left out."""
    buckets: defaultdict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        for key in lookup_keys(record.profile, policy):
            buckets[key].append(place)
    full = [places for places in buckets.values() if len(places) <= largest]
    pairs = {pair for places in full for pair in combinations(places, 2)}
    for one, other in sorted(pairs):
        yield records[one], records[other]
