"""Weights from records whose truth is known: log odds by a logistic regression over the cells of `grade`, and the line
from log odds to confidence by isotonic regression on other records.

Pairs of records and arrivals at the gate are both learned from: the first know more look-alikes, the second know
persons of several records. Non-matches are those that share a blocking key, because strangers teach nothing. numpy is
needed here and nowhere else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from headwater.persons.compare import compare, united
from headwater.persons.grade import cells
from headwater.persons.policy import WEIGHTS, MatchingPolicy
from local.empi.arrivals import arrivals, blocked_pairs
from local.empi.truth import Known

Cells = tuple[tuple[str, str], ...]
Table = dict[Cells, list[int]]
# The prior of a weight is normal around 0 with variance 1/_RIDGE: a cell seen twice says little.
_RIDGE = 0.5
# A step of the calibration line stands on so many cases at least: 1 - 1/(n + 1) is the most that n without error prove.
_SMALLEST_STEP = 400


_Pairing = Callable[[Sequence[Known], MatchingPolicy], Iterable[tuple[Known, Known]]]


def train(
    fit: Iterable[Sequence[Known]],
    calibrate: Sequence[Sequence[Known]],
    policy: MatchingPolicy,
    *,
    pairing: _Pairing = blocked_pairs,
) -> Any:
    """The contents of a weights file, from sets to fit on and other sets to calibrate on; `pairing` says which pairs of
    records are learned from."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]  # the extra `empi`

    table = tabulated(fit, policy, pairing)
    names = sorted({cell for pattern in table for cell in pattern})
    column = {cell: place for place, cell in enumerate(names)}
    patterns = list(table)
    counts = np.array([table[pattern] for pattern in patterns], dtype=float)
    rows = np.zeros((len(patterns), len(names) + 1))
    rows[:, -1] = 1
    for place, pattern in enumerate(patterns):
        rows[place, [column[cell] for cell in pattern]] = 1
    found = _logistic(np, rows, counts)
    weights: dict[str, dict[str, float]] = {}
    for cell, place in column.items():
        weights.setdefault(cell[0], {})[cell[1]] = round(float(found[place]), 3)
    intercept = round(float(found[-1]), 4)
    line = _calibration(tabulated(calibrate, policy, pairing), intercept, weights)
    return {"intercept": intercept, "records": _records(calibrate), "calibration": line, "weights": weights}


def write(weighed: Any, mappings: Path) -> None:
    """The weights file, a comparison a line."""
    parts = [f'"{name}": {json.dumps(weighed[name])}' for name in ("intercept", "records", "calibration")]
    lines = (f'  "{name}": {json.dumps(levels)}' for name, levels in weighed["weights"].items())
    text = "{" + ",\n".join(parts) + ',\n"weights": {\n' + ",\n".join(lines) + "\n}}\n"
    (mappings / WEIGHTS).write_text(text, encoding="utf-8")


def _records(sets: Sequence[Sequence[Known]]) -> int:
    """How many records the one set has that knows as many strangers for each of its records as all these together:
    pairs of strangers go with the square of a set's size."""
    sizes = [len(records) for records in sets]
    return round(sum(size**2 for size in sizes) / sum(sizes))


def tabulated(sets: Iterable[Sequence[Known]], policy: MatchingPolicy, pairing: _Pairing = blocked_pairs) -> Table:
    """How often each pattern of cells was [not one person, one person]."""
    table: Table = {}
    for records in sets:
        for one, other in pairing(records, policy):
            found = cells(compare(one.profile, other.profile, policy))
            table.setdefault(found, [0, 0])[one.person == other.person] += 1
        for arrival in arrivals(records, policy):
            for person, linked in arrival.candidates.items():
                found = cells(united([compare(arrival.record.profile, one, policy) for one in linked]))
                table.setdefault(found, [0, 0])[person == arrival.record.person] += 1
    return table


def _logistic(np: Any, rows: Any, counts: Any) -> Any:
    """Ridge logistic regression of grouped counts by Newton's method."""
    total, true = counts.sum(axis=1), counts[:, 1]
    ridge = np.full(rows.shape[1], _RIDGE)
    ridge[-1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(60):
        sure = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (true - total * sure) - ridge * weights
        curve = (rows.T * (total * sure * (1 - sure))) @ rows + np.diag(ridge)
        step = np.clip(np.linalg.solve(curve, slope), -2, 2)
        weights += step
        if np.abs(step).max() < 1e-5:
            break
    return weights


def _calibration(table: Table, intercept: float, weights: dict[str, dict[str, float]]) -> list[tuple[float, float]]:
    """Isotonic regression (pool adjacent violators), its steps merged until each is large enough, as a rising line."""
    scores: Counter[float] = Counter()
    true: Counter[float] = Counter()
    for pattern, (wrong, right) in table.items():
        score = intercept + sum(weights.get(name, {}).get(level, 0.0) for name, level in pattern)
        scores[score] += wrong + right
        true[score] += right
    steps: list[tuple[float, int, int]] = []  # summed scores, cases, cases that were one person
    for score in sorted(scores):
        steps.append((score * scores[score], scores[score], true[score]))
        while len(steps) > 1 and steps[-2][2] * steps[-1][1] >= steps[-1][2] * steps[-2][1]:
            steps[-2:] = [_joined(steps[-2], steps[-1])]
    large: list[tuple[float, int, int]] = []
    for step in steps:
        if large and large[-1][1] < _SMALLEST_STEP:
            large[-1] = _joined(large[-1], step)
        else:
            large.append(step)
    line: list[tuple[float, float]] = []
    for summed, cases, right in large:
        # One case more, and it was wrong: no step claims what its cases do not prove.
        sure = max(right / (cases + 1), 1e-6)
        score = round(summed / cases, 3)
        if not line or score > line[-1][0]:
            line.append((score, round(max(sure, line[-1][1] if line else 0.0), 6)))
    return line


def _joined(one: tuple[float, int, int], other: tuple[float, int, int]) -> tuple[float, int, int]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
