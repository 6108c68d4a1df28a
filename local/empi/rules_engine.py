"""A plain rules engine to measure against: exact agreement of a few fields, as interface engines and small registries
are set up. Nothing in it is tuned, and it sees the same normalised values as our own match does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from headwater.persons.profile import Profile
from local.empi.scored import Scored
from local.empi.truth import Known

_LARGEST = 200  # records that may share a rule's key
_Key = Callable[[Profile], Iterator[tuple[object, ...]]]


def score_by_rules(records: Sequence[Known]) -> Scored:
    """1 for pairs that a rule calls the same, 0.5 for those that a person must see."""
    started = time.process_time()
    found: dict[tuple[int, int], float] = {}
    for score, key in ((0.5, _possible), (1.0, _same)):
        buckets: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
        for place, record in enumerate(records):
            for value in key(record.profile):
                buckets[value].append(place)
        for places in buckets.values():
            if 1 < len(places) <= _LARGEST:
                found.update(dict.fromkeys(combinations(places, 2), score))
    pairs = [(one, other, score) for (one, other), score in found.items()]
    return Scored("rules", pairs, same=1.0, possible=0.5, cpu=time.process_time() - started)


def _same(p: Profile) -> Iterator[tuple[object, ...]]:
    if p.birth_date and p.ssn:
        yield "number and birth date", p.ssn, p.birth_date
    if p.given and p.family and p.birth_date and p.sex:
        yield "name, birth date, sex", p.given[0], p.family, p.birth_date, p.sex
    for phone in p.phones if p.given and p.family else ():
        yield "name, phone", p.given[0], p.family, phone


def _possible(p: Profile) -> Iterator[tuple[object, ...]]:
    if p.given and p.family and p.birth_date:
        yield "name, birth date", p.given[0], p.family, p.birth_date
    if p.family and p.birth_date and p.postal_code:
        yield "family name, birth date, postal code", p.family, p.birth_date, p.postal_code
    if p.ssn:
        yield "number", p.ssn
