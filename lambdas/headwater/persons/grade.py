"""How sure it is that two are one: rules that accept, then rules that forbid, then a calibrated score.

Only what is certain (0.999) passes by itself. A veto never says "different"; it says that a person must look.
The figures that stand behind each rule are in docs/empi.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

from headwater.model import Grade, Person, Traits, Verdict
from headwater.persons.compare import Levels, compare, united
from headwater.persons.evidence import words
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of

_SAME_NAME = frozenset({"equal", "nickname", "variant", "part"})
_ALIKE_NAME = _SAME_NAME | {"close", "middle", "initial", "swapped"}
_SAME_FAMILY = frozenset({"equal", "part", "close", "swapped"})
_BORN_APART = frozenset({"different", "close", "swapped", "year"})
_CELLS = 16  # that `cells` gives for a pair
# The most that a veto leaves: likely enough to be looked at, never enough to pass, wherever a threshold lies.
_NOT_CERTAIN = 0.99


def grade(a: Traits, b: Traits, policy: MatchingPolicy) -> Grade:
    """The grade of two statements about humans."""
    return grade_profiles(profile_of(a, policy), profile_of(b, policy), policy)


def grade_profiles(a: Profile, b: Profile, policy: MatchingPolicy) -> Grade:
    """The grade of two profiles, for callers that compare one with many."""
    levels = compare(a, b, policy)
    return _graded(levels, _rule(levels), policy, unnamed=a.unnamed or b.unnamed, linked=False)


def grade_person(incoming: Profile, person: Person, policy: MatchingPolicy) -> Grade:
    """The grade of a record against all that is linked to a person. SAME from `thresholds.link`: a link can be taken
    back, a write cannot, so whoever writes asks for the confidence too.

    One record that fits and one that is named otherwise is a person whose links may be wrong: that is a caution.
    """
    return grade_linked(incoming, [profile_of(record.traits, policy) for record in person.records], policy)


def grade_linked(incoming: Profile, linked: Sequence[Profile], policy: MatchingPolicy) -> Grade:
    """`grade_person` for the profiles of the person's records."""
    if not linked:
        return Grade(Verdict.DIFFERENT, 0.0)
    pairs, unnamed = [], incoming.unnamed
    for one in linked:
        pairs.append(compare(incoming, one, policy))
        unnamed = unnamed or one.unnamed
    return grade_compared(pairs, policy, unnamed=unnamed)


def grade_compared(pairs: Sequence[Levels], policy: MatchingPolicy, *, unnamed: bool) -> Grade:
    """`grade_linked` for a record that was compared already with every record of the person."""
    rule = next(filter(None, map(_rule, pairs)), "")
    return _graded(united(pairs), rule, policy, unnamed=unnamed, linked=True)


@lru_cache(maxsize=1 << 14)
def _graded(levels: Levels, rule: str, policy: MatchingPolicy, *, unnamed: bool, linked: bool) -> Grade:
    """The grade that follows from the levels. Levels are few words and no values, so the same ones come again and
    again, and their grade is remembered."""
    vetoes, cautions = _vetoes(levels, unnamed=unnamed), _cautions(levels)
    weights = _weights(levels, policy)
    scored = calibrated(policy.intercept + sum(weights), policy)
    if _by_chance(levels):
        scored /= scored + (1 - scored) * policy.crowding
    if len(weights) < _CELLS:
        scored = min(scored, _NOT_CERTAIN)  # what was never measured may be possible, but is not certain
    confidence = max(scored, policy.rule_confidence) if rule else scored
    if cautions:
        confidence = scored  # a caution wants the score itself to be certain, whatever a rule says
        vetoes, cautions = (vetoes, cautions) if scored >= policy.thresholds.despite else ((*vetoes, *cautions), ())
    if vetoes:
        confidence = min(confidence, _NOT_CERTAIN)
    passes = confidence >= _enough(levels, policy, linked=linked) and confidence > _NOT_CERTAIN
    verdict = Verdict.SAME if passes else Verdict.POSSIBLE
    if confidence < policy.thresholds.possible:
        verdict = Verdict.DIFFERENT
    said = [f"veto: {veto}" for veto in vetoes] + [f"caution: {caution}" for caution in cautions]
    evidence = (*said, *([f"rule: {rule}"] if rule else []), *words(levels))
    namesake = levels.given == levels.family == "equal" and levels.birth_date in _BORN_APART
    return Grade(verdict, confidence, evidence, namesake)


def _enough(levels: Levels, policy: MatchingPolicy, *, linked: bool) -> float:
    """The confidence from which two are one, or a record is a person's."""
    if not linked:
        return policy.thresholds.same
    # Only a namesake born on the same day can be somebody else, and `only_one` sees whether there are namesakes.
    alone = levels.given == levels.birth_date == levels.family == "equal"
    return policy.thresholds.alone if alone else policy.thresholds.link


def _by_chance(levels: Levels) -> bool:
    """Whether strangers come to look so, and the oftener the more people there are: no home, number or e-mail in
    common, and not both family name and birth date. Who has these in common is one person, a relative, a twin or a
    namesake born on the same day; of those, every town has its share, large or small (measured: docs/empi.md)."""
    if levels.birth_date in ("equal", "default") and levels.family in _SAME_FAMILY:
        return False
    numbered = levels.record == "equal" or levels.ssn in ("equal", "last_four", "close")
    return not (numbered or levels.home in ("one", "several") or levels.email == "equal")


def only_one(grades: Sequence[Grade], policy: MatchingPolicy) -> int | None:
    """The place of the one candidate who is certain, given everybody else who shares a key; None when nobody is.

    Confidences are odds against "none of these"; a record is one person's, so odds of others count against the best.
    Those who are different count in one way only: a namesake born in the same year or on the same day says that the
    name is common; then one more may have the same birth date, too, and name and birth date alone are not enough.
    """
    best = max(range(len(grades)), key=lambda place: grades[place].confidence, default=None)
    if best is None or grades[best].verdict is not Verdict.SAME:
        return None
    others = [grade for place, grade in enumerate(grades) if place != best]
    rivals = [grade.confidence for grade in others if grade.verdict is not Verdict.DIFFERENT]
    if any(confidence >= policy.thresholds.rival for confidence in rivals):
        return None
    odds, needed = _odds(grades[best].confidence), policy.thresholds.link
    if grades[best].confidence < needed:
        if any(grade.namesake for grade in others):
            return None
        needed = policy.thresholds.alone
    return best if odds / (1 + odds + sum(map(_odds, rivals))) >= needed else None


def _odds(confidence: float) -> float:
    return confidence / max(1e-9, 1 - confidence)


def still_same(old: Traits, new: Traits, policy: MatchingPolicy) -> Grade:
    """Whether an id still means whom it meant: the 1:1 check of an update. DIFFERENT is an overlay.

    That both carry the id is strong evidence, so less is needed than to link strangers; but never nothing.
    """
    a, b = profile_of(old, policy), profile_of(new, policy)
    levels = compare(a, b, policy)
    log_odds = score(levels, policy) + policy.thresholds.overlay_shift
    confidence = 1 / (1 + math.exp(-max(-60.0, min(60.0, log_odds))))
    contradictions = _contradictions(levels, multiple_birth=old.multiple_birth or new.multiple_birth)
    overlaid = contradictions or confidence < policy.thresholds.overlay
    evidence = (*(f"veto: {one}" for one in contradictions), *words(levels))
    return Grade(Verdict.DIFFERENT if overlaid else Verdict.SAME, confidence, evidence)


def score(levels: Levels, policy: MatchingPolicy) -> float:
    """Log odds: the sum of what each comparison weighs. Levels without a weight weigh nothing."""
    return policy.intercept + sum(_weights(levels, policy))


def _weights(levels: Levels, policy: MatchingPolicy) -> list[float]:
    """What each comparison weighs; those that were never measured are left out."""
    weights = policy.weights
    found = [weights[name].get(level) for name, level in cells(levels) if name in weights]
    return [weight for weight in found if weight is not None]


def cells(levels: Levels) -> tuple[tuple[str, str], ...]:
    """(comparison, level) of all that is weighed; what depends on each other is one cell. `kind` is what of the core
    (name and birth date) agrees: what else agrees weighs differently for a namesake, a relative and a stranger."""
    kind, home = _kind(levels), f"{levels.phone}, {levels.address}, {levels.insurance}"
    return (
        ("given_and_birth_date", f"{levels.given}, {levels.birth_date}"),
        ("family_and_home", f"{levels.family}, {levels.home}"),
        ("middle_and_sex", f"{levels.middle}, {levels.sex}"),
        ("ssn", levels.ssn),
        ("email", levels.email),
        ("generation", levels.generation),
        ("record", levels.record),
        ("others", levels.others),
        ("kind_and_home", f"{kind}, {home}"),
        ("kind_and_middle", f"{kind}, {levels.middle}"),
        ("kind_and_ssn", f"{kind}, {levels.ssn}"),
        ("kind_and_email", f"{kind}, {levels.email}"),
        ("kind_and_family", f"{kind}, {levels.family}"),
        ("given_and_home", f"{levels.given}, {levels.home}"),
        ("birth_date_and_home", f"{levels.birth_date}, {levels.home}"),
        ("birth_date_and_generation", f"{levels.birth_date}, {levels.generation}"),
    )


def _kind(levels: Levels) -> str:
    """exact: name and birth date; alike: the given name in a variant; born: the date alone; named: the name alone."""
    named = levels.given in _SAME_NAME or levels.given == "swapped"
    born = levels.birth_date in ("equal", "default")
    kept = levels.family in ("equal", "part", "swapped")
    if levels.given == levels.birth_date == "equal" and kept:
        return "exact"
    if born:
        return "alike" if named else "born"
    return "named" if named and kept else "other"


def calibrated(log_odds: float, policy: MatchingPolicy) -> float:
    """The share of pairs with such a score that were one person where truth was known: a line between points."""
    points = policy.calibration
    place = bisect_right(points, (log_odds, 1.0))
    if place in (0, len(points)):
        return points[max(0, place - 1)][1]
    (x0, y0), (x1, y1) = points[place - 1], points[place]
    return y0 + (y1 - y0) * (log_odds - x0) / (x1 - x0)


@lru_cache(maxsize=1 << 14)
def _rule(levels: Levels) -> str:
    """The deterministic rule that accepts the pair; empty when none does."""
    alike = levels.given in _ALIKE_NAME and levels.family in _SAME_FAMILY
    if levels.record == "equal" and alike and levels.birth_date in ("equal", "default"):
        return "same MRN of the same authority, same name and birth date"
    if levels.birth_date == "equal" and levels.ssn == "equal" and levels.given in _ALIKE_NAME:
        return "same Social Security number, name and birth date"
    # A twin shares the home, and may have a name that is short for the other's.
    at_home = levels.home in ("one", "several") and levels.given != "variant"
    reached = at_home or levels.email == "equal" or levels.ssn == "last_four"
    if not reached or levels.middle == "different" or levels.ssn == "different":
        return ""
    exact = levels.given == levels.family == "equal"
    agreeing = levels.sex != "different" and levels.ssn != "close"
    if levels.birth_date == "equal" and (exact or (agreeing and _name_held(levels))):
        return "same name, birth date and home, and nothing against it"
    return ""


def _name_held(levels: Levels) -> bool:
    """Whether a name can be one person's: family names change by marriage, given names to nicknames, not both."""
    if levels.given in _SAME_NAME or levels.given == "swapped":
        return levels.family in _SAME_FAMILY or levels.given == "equal"
    return False


def _vetoes(levels: Levels, *, unnamed: bool) -> tuple[str, ...]:
    """Why a person must look, whatever the score says."""
    newborn = levels.given == "newborn" and levels.ssn != "equal" and levels.record != "equal"
    found = {
        "a twin may differ in nothing but the given name": _twin(levels),
        "a twin may differ in nothing but the middle name": _twin_by_middle_name(levels),
        "different generations (Sr, Jr, III)": levels.generation == "different",
        "sex and given name both differ": levels.sex == "different" and levels.given not in _ALIKE_NAME,
        "named only as a newborn": newborn,
        "no name": unnamed,
        "different Social Security numbers": levels.ssn == "different",
    }
    return tuple(veto for veto, holds in found.items() if holds)


def _cautions(levels: Levels) -> tuple[str, ...]:
    """What is a veto unless the score alone is certain enough (`thresholds.despite`): desks do give one patient two
    MRNs, a name is mistyped twice, and one goes by another; but so it looks with twins too."""
    found = {
        "two live MRNs of one authority": levels.record == "two_of_one",
        "another record of the person has another given name": levels.others == "different",
        "the given names are only near each other": levels.given in ("near", "middle_initial"),
        "the given names are related, and may be two children's": levels.given == "variant",
    }
    return tuple(caution for caution, holds in found.items() if holds)


def _twin(levels: Levels) -> bool:
    same_birth = levels.birth_date in ("equal", "default", "swapped", "close")
    # Not even one Social Security number helps: desks write the parent's on both of them.
    return levels.given == "different" and same_birth and levels.family in _SAME_FAMILY


def _twin_by_middle_name(levels: Levels) -> bool:
    """Juan Carlos and Juan Pablo, born on one day to one family."""
    return levels.middle == "different" and levels.given in _SAME_NAME and levels.birth_date == "equal"


def _contradictions(levels: Levels, *, multiple_birth: bool) -> tuple[str, ...]:
    """What an honest update of one person does not do, however much of the household still agrees. An unlike given name
    alone is none: people go by other names twenty times as often as a desk takes one twin for the other."""
    if levels.ssn in ("equal", "last_four", "close") or levels.email == "equal" or levels.middle == "equal":
        return ()  # what relatives do not share is still the same
    renamed, reborn = levels.given == "different", levels.birth_date == "different"
    found = {
        "another given name where a multiple birth is stated": multiple_birth and _twin(levels),
        "different generations (Sr, Jr, III)": levels.generation == "different"
        or (levels.generation == "one_sided" and reborn),
        "given name and birth date both differ": renamed and reborn,
        "given name, family name and sex all differ": renamed and levels.family == levels.sex == "different",
    }
    return tuple(veto for veto, holds in found.items() if holds)
