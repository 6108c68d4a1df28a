"""grade: what passes by itself, what a person must see, and what is nobody's business."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from headwater.model import Grade, Person, SourceRecord, Traits, Verdict
from headwater.persons import grade as grading
from headwater.persons.compare import Levels, compare
from headwater.persons.grade import calibrated, cells, grade, grade_linked, grade_person, only_one, still_same
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of
from tests.persons.conftest import person

PHONE = {"phone": "7132345678"}
HOME: dict[str, Any] = {"address_lines": ("120 Oak St",), "postal_code": "77002"}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (person(**PHONE), person("Jon Quintero", **PHONE), "same name, birth date and home"),
        (person(**HOME), person("JONATHAN QUINTERRO", **HOME), "same name, birth date and home"),
        (person("Quintero Jonathan", **PHONE), person(**PHONE), "same name, birth date and home"),
        (person("Ana Meyer", **PHONE), person("Ana Brandt", **PHONE), "same name, birth date and home"),
        (person(ids="SS:219345678"), person("Jon Brandt", ids="SS:219-34-5678"), "same Social Security number"),
        (person(ids="MR:77", born="1971-01-01"), person(ids="MR:77", born="1971-01-01"), "same MRN"),
        (person(ids="SS:219345678"), person(ids="SS:xxx-xx-5678"), "same name, birth date and home"),
    ],
)
def test_a_rule_accepts(one: Traits, other: Traits, rule: str, policy: MatchingPolicy) -> None:
    found = grade(one, other, policy)
    assert found.verdict is Verdict.SAME
    assert found.confidence >= 0.999
    assert rule in found.evidence[0]


@pytest.mark.parametrize(
    ("one", "other", "veto"),
    [
        (person(**HOME), person("Nathaniel Quintero", **HOME), "but the given name"),
        (person("Juan Carlos Ruiz", **HOME), person("Juan Pablo Ruiz", **HOME), "but the middle name"),
        (person(suffix="Jr", **HOME), person(suffix="Sr", **HOME), "different generations"),
        (person(ids="MR:77", **HOME), person(ids="MR:78"), "two live MRNs"),
        (person("Leo Ruiz", **HOME), person("Baby Ruiz", **HOME), "newborn"),
        (person(ids="SS:219345678", **HOME), person(ids="SS:401112222", **HOME), "different Social Security numbers"),
    ],
)
def test_a_veto_leaves_it_to_a_person(one: Traits, other: Traits, veto: str, policy: MatchingPolicy) -> None:
    found = grade(one, other, policy)
    assert found.verdict is Verdict.POSSIBLE
    assert any(veto in word for word in found.evidence if word.startswith("veto: "))


@pytest.mark.parametrize(
    "other",
    [
        person(ids="SS:219345678", born="1999-09-09"),  # a guarantor's number on a child
        person(),  # a namesake born on the same day
        person(born="", **PHONE),
        Traits(),
    ],
)
def test_what_is_not_certain_is_not_the_same(other: Traits, policy: MatchingPolicy) -> None:
    assert grade(person(ids="SS:219345678", **PHONE), other, policy).verdict is not Verdict.SAME


@pytest.mark.parametrize(
    "other",
    [
        person("Walter Brandt", "1950-12-30"),
        person("Maria Quintero", "1969-01-15", gender="female", **HOME),  # his wife
        person("Leo Quintero", "2015-07-08", **HOME),  # his son
        person("Jonathan Quintero", "1990-11-11"),
    ],
)
def test_others_are_others(other: Traits, policy: MatchingPolicy) -> None:
    assert grade(person(**HOME), other, policy).verdict is Verdict.DIFFERENT


def test_a_veto_holds_however_low_a_threshold_is_set(policy: MatchingPolicy) -> None:
    lower = replace(policy, thresholds=replace(policy.thresholds, same=0.9, link=0.9, alone=0.9))
    senior = of(person(suffix="Sr", **PHONE))
    junior = grade_person(profile_of(person(suffix="Jr", **PHONE), lower), senior, lower)
    assert junior.evidence[0] == "veto: different generations (Sr, Jr, III)"
    assert junior.verdict is Verdict.POSSIBLE


@pytest.mark.parametrize("name", ["Unknown Trauma", "John Doe"])
def test_nobody_with_no_name_is_linked_by_himself(name: str, policy: MatchingPolicy) -> None:
    assert grade(person(name, **HOME), person(name, **HOME), policy).verdict is not Verdict.SAME


def test_evidence_holds_words_and_no_values(policy: MatchingPolicy) -> None:
    everything = person("Jonathan Paul Quintero", ids="MR:77 SS:219345678", emails=("jq@example.org",), **HOME | PHONE)
    said = " ".join(grade(everything, everything, policy).evidence).lower()
    for value in ("jonathan", "paul", "quintero", "1971", "77", "219345678", "5678", "jq@", "oak", "713"):
        assert value not in said
    assert "birth date equal" in said


def of(*traits: Traits) -> Person:
    return Person("p", 1, tuple(SourceRecord(f"r{n}", "e", one, NOON) for n, one in enumerate(traits)))


def test_a_person_is_as_like_as_the_likest_record(policy: MatchingPolicy) -> None:
    incoming = profile_of(person("Jon Quintero", **PHONE), policy)
    assert grade_person(incoming, of(person(born=""), person(**PHONE)), policy).verdict is Verdict.SAME


def test_one_record_that_contradicts_is_a_caution(policy: MatchingPolicy) -> None:
    known = of(person(**PHONE), person("Nathaniel Quintero", **PHONE))
    certain = grade_person(profile_of(person(**PHONE), policy), known, policy)
    assert certain.verdict is Verdict.SAME
    assert certain.evidence[0] == "caution: another record of the person has another given name"
    unsure = grade_person(profile_of(person(), policy), known, policy)
    assert unsure.verdict is Verdict.POSSIBLE
    assert unsure.evidence[0] == "veto: another record of the person has another given name"


def test_a_person_is_compared_once_for_each_record(policy: MatchingPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Profile] = []

    def counted(a: Profile, b: Profile, policy: MatchingPolicy) -> Levels:
        compared.append(b)
        return compare(a, b, policy)

    monkeypatch.setattr(grading, "compare", counted)
    grade_person(profile_of(person(**PHONE), policy), of(person(**PHONE), person(), person("Nathaniel Ruiz")), policy)
    assert len(compared) == 3


def test_levels_that_come_again_are_not_weighed_again(policy: MatchingPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels are few words and no values, so most candidates of a warm function have those of somebody before."""
    weighed: list[Levels] = []
    grading._graded.cache_clear()
    monkeypatch.setattr(grading, "cells", lambda levels: weighed.append(levels) or cells(levels))
    for given in ("Nathaniel", "Zebulon", "Orlando"):
        grade_person(profile_of(person(f"{given} Wexcombe"), policy), of(person("Bartholomew Ruiz")), policy)
    assert len(weighed) == 1


def test_a_person_without_records_is_like_nobody(policy: MatchingPolicy) -> None:
    assert grade_person(profile_of(person(), policy), of(), policy).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    "new",
    [
        person(**HOME | PHONE),
        person("Jon Quintero"),
        person("Jonathan -", ""),
        Traits(),
        person("Jonathan Brandt", **PHONE),  # married
        person(born="1971-04-28", **PHONE),  # corrected
        person(**HOME, gender="female"),  # corrected
        person("Nathaniel Quintero", **PHONE),  # goes by another name
    ],
)
def test_an_honest_update_is_the_same(new: Traits, policy: MatchingPolicy) -> None:
    assert still_same(person(ids="MR:77", **PHONE), new, policy).verdict is Verdict.SAME


@pytest.mark.parametrize(
    "new",
    [
        person("Walter Brandt", "1950-12-30"),
        person("Nathaniel Quintero", **PHONE, multiple_birth=True),  # his twin
        person("Leo Quintero", "2015-07-08", **PHONE),
        person("Maria Quintero", "1969-01-15", gender="female", **PHONE),
        person("Maria Brandt", gender="female", **PHONE),
        person(suffix="Jr", born="1995-02-02", **PHONE),
    ],
)
def test_an_overlay_is_not(new: Traits, policy: MatchingPolicy) -> None:
    old = person(ids="MR:77", **PHONE)
    assert still_same(old, replace(new, identifiers=old.identifiers), policy).verdict is Verdict.DIFFERENT


def test_a_combination_that_was_never_weighed_is_not_certain(policy: MatchingPolicy) -> None:
    sure = replace(policy, calibration=((-1.0, 0.9999), (1.0, 0.9999)))
    namesake = person("Jonathan Paul Quintero")
    assert grade(namesake, namesake, sure).verdict is Verdict.SAME
    unweighed = replace(sure, weights={**sure.weights, "ssn": {}})
    assert grade(namesake, namesake, unweighed).verdict is Verdict.POSSIBLE


def test_confidence_follows_the_calibration_line(policy: MatchingPolicy) -> None:
    line = replace(policy, calibration=((-1.0, 0.1), (1.0, 0.5)))
    assert [calibrated(x, line) for x in (-9, -1, 0, 1, 9)] == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.5])


@pytest.mark.parametrize(
    ("other", "crowded_out"),
    [
        (person("Jonathan Brandt", postal_code="77002"), True),  # given name, birth date and postal area
        (person(born="1971-04-28", postal_code="77002"), True),
        (person("Jonathan Brandt", **HOME), False),  # has married, and lives where he lived
        (person(born="1971-04-28", ids="SS:219345678"), False),
        (person(postal_code="77002"), False),  # a namesake born on the same day
        (person("Nathaniel Quintero"), False),  # a twin
    ],
)
def test_what_strangers_have_in_common_says_less_the_more_people_there_are(
    other: Traits, crowded_out: bool, policy: MatchingPolicy
) -> None:
    known = person(ids="SS:219345678", **HOME)
    few, many = (grade(known, other, one) for one in (policy, replace(policy, population=50 * policy.calibrated_on)))
    if crowded_out:
        odds = [one.confidence / (1 - one.confidence) for one in (few, many)]
        assert odds[1] == pytest.approx(odds[0] / 50)
        assert many.verdict is not Verdict.SAME
    else:
        assert many == few


def test_what_agrees_with_any_record_agrees_with_the_person(policy: MatchingPolicy) -> None:
    incoming = profile_of(person("Jon Quintero", **HOME | PHONE), policy)
    both = grade_person(incoming, of(person(**PHONE), person(**HOME)), policy)
    assert "address, phone or insurance equal in more than one" in both.evidence
    assert both.verdict is Verdict.SAME


def test_two_live_mrns_pass_by_the_score_alone_and_say_so(policy: MatchingPolicy) -> None:
    known = person("Jonathan Paul Quintero", ids="MR:77 SS:219345678", **HOME | PHONE)
    mrn, ssn = known.identifiers
    found = grade(known, replace(known, identifiers=(replace(mrn, value="78"), ssn)), policy)
    assert found.verdict is Verdict.SAME
    assert found.evidence[0] == "caution: two live MRNs of one authority"


@pytest.mark.parametrize(
    ("confidences", "place"),
    [((0.9999,), 0), ((0.03, 0.9999), 1), ((0.9999, 0.6), None), ((0.99,), None), ((0.9951, 0.45), None), ((), None)],
)
def test_one_is_linked_when_nobody_else_is_likely(
    confidences: tuple[float, ...], place: int | None, policy: MatchingPolicy
) -> None:
    link = policy.thresholds.link
    grades = [Grade(Verdict.SAME if one >= link else Verdict.POSSIBLE, one) for one in confidences]
    assert only_one(grades, policy) == place


def test_name_and_birth_date_alone_are_enough_only_where_no_candidate_has_the_name(policy: MatchingPolicy) -> None:
    link = policy.thresholds.link
    pair = profile_of(person(), policy), [profile_of(person(**HOME), policy)]
    assert grade_linked(*pair, policy).verdict is Verdict.POSSIBLE  # as shipped
    policy = replace(policy, thresholds=replace(policy.thresholds, alone=0.99))
    found = grade_linked(*pair, policy)
    assert found.verdict is Verdict.SAME
    assert policy.thresholds.alone <= found.confidence < link
    others = [Grade(Verdict.DIFFERENT, 0.001), Grade(Verdict.DIFFERENT, 0.001, namesake=True)]
    assert only_one([found, others[0]], policy) == 0
    assert only_one([found, *others], policy) is None
    assert only_one([Grade(Verdict.SAME, link), *others], policy) == 0


def test_who_has_the_name_and_another_birth_date_is_a_namesake(policy: MatchingPolicy) -> None:
    known = person("Jonathan Quintero", **HOME)
    born = known.birth_date
    assert born
    assert grade(known, replace(known, birth_date=born.replace(year=born.year - 3)), policy).namesake
    assert not grade(known, replace(known, birth_date=None), policy).namesake
    assert not grade(known, known, policy).namesake


def test_the_odds_of_many_others_count_against_the_best(policy: MatchingPolicy) -> None:
    others = [Grade(Verdict.POSSIBLE, 0.4)] * 5
    assert only_one([Grade(Verdict.SAME, 0.996), *others], policy) is None
    assert only_one([Grade(Verdict.SAME, 0.9999), *others], policy) == 0
