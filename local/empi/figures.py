"""What every engine is measured by: recall at a precision, a bound on an error rate, what made a wrong link hard."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from local.empi.truth import Known

PRECISIONS = (0.999, 0.9999)


def recall_at(ranked: Counter[tuple[float, bool]], precision: float, true: int) -> float:
    """The largest recall over all thresholds whose precision is at least that; `ranked` counts pairs by (score, whether
    they are one person)."""
    right = wrong = best = 0
    for level in sorted({level for level, _ in ranked}, reverse=True):
        right += ranked[level, True]
        wrong += ranked[level, False]
        if right >= precision * (right + wrong):
            best = right
    return best / max(1, true)


def one_to_one(pairs: Sequence[tuple[str, str, float, bool]]) -> Counter[tuple[float, bool]]:
    """Of pairs (two ids, score, whether they are one person) between two files that hold nobody twice, those that are
    the best of both their records, as `recall_at` counts them: what else a record is like, it cannot be."""
    best: dict[str, float] = {}
    for one, other, score, _ in pairs:
        best[one] = max(score, best.get(one, score))
        best[other] = max(score, best.get(other, score))
    return Counter((score, true) for one, other, score, true in pairs if score == best[one] == best[other])


def wrong_kind(one: Known, other: Known) -> str:
    """What two records have in common that are not one person's: twins, Jr/Sr, household, namesakes, strangers."""
    a, b = one.profile, other.profile
    if one.household and one.household == other.household:
        if one.group == other.group == "twin":
            return "twins"
        return "Jr/Sr" if one.group == other.group and one.group in ("jr_sr", "same_name_parent") else "household"
    named_alike = bool(a.given and a.family) and (a.given[:1], a.family) == (b.given[:1], b.family)
    return "namesakes" if named_alike or one.group == other.group != "" else "strangers"


def upper_bound(errors: int, cases: int, confidence: float = 0.95) -> float:
    """The exact (Clopper-Pearson) one-sided upper bound of an error rate."""
    if errors >= cases:
        return 1.0
    low, high = errors / cases, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(errors, cases, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(errors: int, cases: int, rate: float) -> float:
    """Binomial probability of at most so many errors."""
    if rate <= 0:
        return 1.0
    log, log_not = math.log(rate), math.log1p(-rate)
    size = math.lgamma(cases + 1)
    return sum(
        math.exp(size - math.lgamma(k + 1) - math.lgamma(cases - k + 1) + k * log + (cases - k) * log_not)
        for k in range(errors + 1)
    )
