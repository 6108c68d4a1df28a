"""Pairs that another engine scored, measured as ours are: pair by pair, and as a gate in the same order of arrival."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from local.empi.arrivals import in_order
from local.empi.bench import Gate, Pairs
from local.empi.figures import PRECISIONS, one_to_one, recall_at, wrong_kind
from local.empi.truth import Known


@dataclass(frozen=True, slots=True)
class Scored:
    """An engine's answer: places of two records and a score for each pair that it looked at. From `same` it links by
    itself, from `possible` it asks a person. `cpu` is in seconds."""

    engine: str
    pairs: Sequence[tuple[int, int, float]]
    same: float
    possible: float
    cpu: float


def pairs_of(records: Sequence[Known], scored: Scored) -> Pairs:
    result, ranked = Pairs(), Counter[tuple[float, bool]]()
    result.true = sum(comb(size, 2) for size in Counter(record.person for record in records).values())
    result.graded = len(scored.pairs)
    for place, other, score in scored.pairs:
        one, two = records[place], records[other]
        true = one.person == two.person
        ranked[score, true] += 1
        if score >= scored.same:
            result.same += 1
            result.right += true
            if not true:
                result.wrong[wrong_kind(one, two)] += 1
    result.recall_at = {precision: recall_at(ranked, precision, result.true) for precision in PRECISIONS}
    both = ((records[place], records[other], score) for place, other, score in scored.pairs)
    between = [
        (one.id, two.id, score, one.person == two.person) for one, two, score in both if one.source != two.source
    ]
    result.one_to_one = recall_at(one_to_one(between), PRECISIONS[0], result.true)
    return result


def gate_of(records: Sequence[Known], scored: Scored) -> Gate:
    """A person is as likely as their likeliest record; a second one who is possible stops a link."""
    likely: defaultdict[str, list[tuple[Known, float]]] = defaultdict(list)
    for place, other, score in scored.pairs:
        if score >= scored.possible:
            likely[records[place].id].append((records[other], score))
            likely[records[other].id].append((records[place], score))
    result, arrived, there = Gate(), set[str](), set[str]()
    for record in in_order(records):
        best: dict[str, tuple[float, Known]] = {}
        for other_record, score in likely[record.id]:
            if other_record.id in arrived and score > best.get(other_record.person, (-1.0, record))[0]:
                best[other_record.person] = score, other_record
        result.records += 1
        result.returning += record.person in there
        if len(best) == 1 and (found := next(iter(best.values())))[0] >= scored.same:
            result.linked += 1
            right = found[1].person == record.person
            result.right += right
            if not right:
                result.wrong[wrong_kind(record, found[1])] += 1
        elif best:
            result.review += 1
        else:
            result.duplicates += record.person in there
        arrived.add(record.id)
        there.add(record.person)
    return result
