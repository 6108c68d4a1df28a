"""How right a batch was, where the truth is known: pairs of records in one person; links, counted as the gate's are."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

from local.empi.batch_gate import Matches

TRUTH = "truth.csv"


@dataclass(slots=True)
class Quality:
    """`true` pairs of records are one person's, `together` are in one person of the batch, `right` are both. A record
    is linked wrongly when the first record of its person is somebody else's; it returns when an earlier record of its
    own person was not held, and makes a duplicate when it returns and is taken for new."""

    true: int = 0
    together: int = 0
    right: int = 0
    linked: int = 0
    wrong: int = 0
    returning: int = 0
    returning_linked: int = 0
    duplicates: int = 0


def read_truth(folder: Path, ids: Sequence[str]) -> array[int]:
    """A number of the person of each record; empty when the folder does not know. Raises KeyError for a record that
    its truth.csv leaves out."""
    if not (folder / TRUTH).exists():
        return array("l")
    numbers: dict[str, int] = {}
    with (folder / TRUTH).open(encoding="utf-8", newline="") as lines:
        person = {row["record_id"]: numbers.setdefault(row["person_id"], len(numbers)) for row in csv.DictReader(lines)}
    return array("l", (person[record] for record in ids))


def measure_batch(found: Matches, truth: Sequence[int]) -> Quality:
    result, there = Quality(), set[int]()
    for place, (person, state) in enumerate(zip(found.person, found.state, strict=True)):
        returning = truth[place] in there
        if state != "held":
            there.add(truth[place])
        result.returning += returning
        if state == "linked":
            right = truth[person] == truth[place]
            result.linked += 1
            result.wrong += not right
            result.returning_linked += returning and right
        result.duplicates += returning and state == "new"
    together = Counter(person for person in found.person if person >= 0)
    both = Counter(pair for pair in zip(found.person, truth, strict=True) if pair[0] >= 0)
    result.true, result.together = _pairs(Counter(truth).values()), _pairs(together.values())
    result.right = _pairs(both.values())
    return result


def _pairs(sizes: Iterable[int]) -> int:
    return sum(comb(size, 2) for size in sizes)
