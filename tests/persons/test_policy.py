"""policy: the shipped data is sound, and a slip in it is an error that names the place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from headwater.errors import HeadwaterError
from headwater.persons.normalise import given_words
from headwater.persons.policy import FILE, GIVEN_NAMES, NICKNAMES, WEIGHTS, MatchingPolicy, load_policy, read_nicknames
from tests.persons.conftest import MAPPINGS


def test_only_what_is_certain_passes_by_itself(policy: MatchingPolicy) -> None:
    assert policy.thresholds.same == 0.999
    assert 0.99 < policy.thresholds.link <= policy.thresholds.despite <= policy.thresholds.same
    assert policy.rule_confidence >= policy.thresholds.same
    assert max(confidence for _, confidence in policy.calibration) < 1


def test_policies_of_one_digest_grade_alike(policy: MatchingPolicy) -> None:
    assert load_policy(MAPPINGS, salt="another").digest == replace(policy, population=7).digest == policy.digest
    others = (
        replace(policy, version="5"),
        replace(policy, intercept=0.5),
        replace(policy, thresholds=replace(policy.thresholds, alone=0.99)),
        replace(policy, ignore=replace(policy.ignore, phones=frozenset())),
        replace(policy, nicknames={}),
    )
    assert len({policy.digest, *(one.digest for one in others)}) == 6


def test_ignored_values_stand_in_their_normal_form(policy: MatchingPolicy) -> None:
    ignore = policy.ignore
    for phone in ignore.phones | ignore.ssns:
        assert phone.isdigit()
    for names in (ignore.names, ignore.newborn_names, {word for pair in ignore.unidentified for word in pair.split()}):
        assert all(given_words(name) == (name,) for name in names)


def test_nicknames_stand_in_their_normal_form_once_per_line(policy: MatchingPolicy) -> None:
    text = (MAPPINGS / NICKNAMES).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 400
    for line in lines:
        formal, _, short = line.partition(":")
        names = [formal, *short.split()]
        assert len(set(names)) == len(names), line
        assert all(given_words(name) == (name,) for name in names), line


def test_nicknames_hold_both_ways_but_do_not_chain() -> None:
    names = read_nicknames(
        ["# comment", "", "nicholas: nick cole # trailing", "christian: chris", "christopher: chris"]
    )
    assert names["nick"] == {"nicholas"}
    assert names["nicholas"] == {"nick", "cole"}
    assert "cole" not in names["nick"]
    assert "christopher" not in names["christian"]


def test_as_shipped_an_index_is_no_larger_than_what_confidence_was_measured_on(policy: MatchingPolicy) -> None:
    assert policy.crowding == 1
    assert replace(policy, population=1).crowding == 1  # fewer people are no reason to be surer
    assert replace(policy, population=10 * policy.calibrated_on).crowding == 10


def test_a_salt_from_outside_replaces_the_shipped_one() -> None:
    assert load_policy(MAPPINGS, salt="ours").salt == b"ours"


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (("[rules]", "[ruled]"), "rules"),
        (("same = 0.999", "same = 'sure'"), "sure"),
        (("same = 0.999", "sane = 0.999"), "sane"),
        (('"calibration": [', '"calibration": [[99.0, 0.5], '), "must rise"),
        (('"intercept"', '"intercepted"'), "intercept"),
        (('"records": 38064', '"records": 0'), "no number of records: 0"),
        (("[population]", "[populated]"), "population"),
        (("[thresholds]", "[thresholds"), "line"),
    ],
)
def test_a_slip_in_the_file_names_the_place(tmp_path: Path, change: tuple[str, str], hint: str) -> None:
    for name in (FILE, WEIGHTS, NICKNAMES, GIVEN_NAMES):
        shutil.copy(MAPPINGS / name, tmp_path)
    slipped = [path for path in (tmp_path / FILE, tmp_path / WEIGHTS) if change[0] in path.read_text(encoding="utf-8")]
    assert len(slipped) == 1
    slipped[0].write_text(slipped[0].read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    with pytest.raises(HeadwaterError) as raised:
        load_policy(tmp_path)
    assert raised.value.code == "policy.unreadable"
    assert hint in str(raised.value)


def test_no_file_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError):
        load_policy(tmp_path)
