"""What the match gets right on records whose truth is known: pair by pair, as the gate in arrival order, overlays."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headwater.model import Verdict
from headwater.persons.compare import compare
from headwater.persons.grade import grade_linked, grade_profiles, only_one, score, still_same
from headwater.persons.policy import MatchingPolicy
from local.empi.arrivals import Arrival, arrivals, blocked_pairs
from local.empi.figures import PRECISIONS, one_to_one, recall_at, wrong_kind
from local.empi.truth import Known, Update

# Bands of confidence in the reliability table, each from its own floor to the next one's.
_BANDS = (0.0, 0.02, 0.5, 0.9, 0.99, 0.995, 0.999, 0.9995)


@dataclass(slots=True)
class Band:
    """Pairs whose confidence fell into one band: how many, the sum of their confidences, how many were one person."""

    pairs: int = 0
    confidence: float = 0.0
    true: int = 0


@dataclass(slots=True)
class Pairs:
    """Two records at a time. `wrong` counts wrong pairs by what made them hard. Recalls
    count all pairs that are one person, found by a key or not; `recall_at` gives for
    a precision the largest recall over all thresholds of the score (chosen afterwards: how well it ranks);
    `one_to_one` is that at the first of PRECISIONS, for sources that hold nobody twice (`figures.one_to_one`)."""

    true: int = 0
    graded: int = 0
    same: int = 0
    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    recall_at: dict[float, float] = field(default_factory=dict)
    one_to_one: float = 0.0
    reliability: dict[float, Band] = field(default_factory=lambda: {floor: Band() for floor in _BANDS})


@dataclass(slots=True)
class Gate:
    """The gate in order of arrival. `wrong` counts wrong links by what made the person hard; `held` why records went to
    a steward; `linked_kinds` and `kinds` the returning records by what their source did to them."""

    records: int = 0
    returning: int = 0
    found: int = 0
    linked: int = 0
    right: int = 0
    review: int = 0
    duplicates: int = 0
    candidates: list[int] = field(default_factory=list)
    cpu: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    linked_kinds: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Overlays:
    """The 1:1 check: updates that brought another person, and those that did not, each with how many were held."""

    overlays: int = 0
    caught: int = 0
    honest: int = 0
    flagged: int = 0
    missed: Counter[str] = field(default_factory=Counter)


def measure_pairs(
    records: Sequence[Known], policy: MatchingPolicy, *, pairs: Iterable[tuple[Known, Known]] | None = None
) -> Pairs:
    """`pairs` are those to grade; without them, those that the index would find."""
    result = Pairs()
    sizes = Counter(record.person for record in records)
    result.true = sum(math.comb(size, 2) for size in sizes.values())
    ranked: Counter[tuple[float, bool]] = Counter()
    between: list[tuple[str, str, float, bool]] = []  # pairs of two sources
    for one, other in blocked_pairs(records, policy) if pairs is None else pairs:
        graded = grade_profiles(one.profile, other.profile, policy)
        true = one.person == other.person
        result.graded += 1
        result.same += graded.verdict is Verdict.SAME
        result.right += true and graded.verdict is Verdict.SAME
        if graded.verdict is Verdict.SAME and not true:
            result.wrong[wrong_kind(one, other)] += 1
        # Ranked as graded; where confidences are equal, by the score beneath.
        log_odds = score(compare(one.profile, other.profile, policy), policy)
        rank = graded.confidence + log_odds * 1e-7
        ranked[rank, true] += 1
        if one.source != other.source:
            between.append((one.id, other.id, rank, true))
        band = result.reliability[max(floor for floor in _BANDS if graded.confidence >= floor)]
        band.pairs, band.confidence, band.true = band.pairs + 1, band.confidence + graded.confidence, band.true + true
    result.recall_at = {precision: recall_at(ranked, precision, result.true) for precision in PRECISIONS}
    result.one_to_one = recall_at(one_to_one(between), PRECISIONS[0], result.true)
    return result


def measure_gate(records: Sequence[Known], policy: MatchingPolicy) -> Gate:
    result = Gate()
    one_of = {record.person: record for record in records}
    for arrival in arrivals(records, policy):
        result.records += 1
        result.returning += arrival.returning
        result.found += arrival.returning and arrival.record.person in arrival.candidates
        result.candidates.append(len(arrival.candidates))
        if arrival.returning:
            result.kinds.update(arrival.record.kinds)
        started = time.process_time()
        answer, why = _decided(arrival, policy)
        result.cpu += time.process_time() - started
        _count(result, arrival, one_of.get(answer or ""), answer, why)
    return result


def measure_overlays(updates: Iterable[Update], policy: MatchingPolicy) -> Overlays:
    result = Overlays()
    for update in updates:
        held = still_same(update.old, update.new, policy).verdict is not Verdict.SAME
        if update.overlay:
            result.overlays += 1
            result.caught += held
            if not held:
                result.missed[update.overlay] += 1
        else:
            result.honest += 1
            result.flagged += held
    return result


def _decided(arrival: Arrival, policy: MatchingPolicy) -> tuple[str | None, str]:
    """(the person linked, "" for a new one, None for a steward; why it was held): as `inbound.match` decides."""
    profile = arrival.record.profile
    graded = {person: grade_linked(profile, linked, policy) for person, linked in arrival.candidates.items()}
    rivals = {person: grade for person, grade in graded.items() if grade.verdict is not Verdict.DIFFERENT}
    if not rivals:
        return ("", "") if profile.birth_date else (None, "no birth date, nobody found")
    certain = only_one(list(graded.values()), policy)
    if certain is not None:
        return list(graded)[certain], ""
    likest = max(rivals.values(), key=lambda grade: grade.confidence)
    vetoes = [word for word in likest.evidence if word.startswith("veto: ")]
    return None, vetoes[0] if vetoes else "several candidates" if likest.verdict is Verdict.SAME else "not certain"


def _count(result: Gate, arrival: Arrival, linked: Known | None, answer: str | None, why: str) -> None:
    if answer is None:
        result.review += 1
        result.held[why] += 1
    elif linked is None:
        result.duplicates += arrival.returning
    else:
        result.linked += 1
        right = linked.person == arrival.record.person
        result.right += right
        if right:
            result.linked_kinds.update(arrival.record.kinds)
        else:
            result.wrong[wrong_kind(arrival.record, linked)] += 1
