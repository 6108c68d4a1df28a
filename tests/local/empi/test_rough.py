"""rough: the same people, sparser and worse, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

from headwater.persons.policy import load_policy
from local.empi.population import population
from local.empi.rough import roughened

POLICY = load_policy(Path(__file__).resolve().parents[3] / "mappings")
RECORDS, _ = population(9, 800, POLICY)
ROUGH = roughened(RECORDS, 1, POLICY)


def test_rough_records_are_the_same_peoples_and_come_again() -> None:
    assert [(one.id, one.person) for one in ROUGH] == [(one.id, one.person) for one in RECORDS]
    assert roughened(RECORDS, 1, POLICY) == ROUGH
    assert roughened(RECORDS, 2, POLICY) != ROUGH


def test_rough_records_say_less_and_what_a_usual_source_never_gets_wrong() -> None:
    pairs = [(one.profile, rough.profile) for one, rough in zip(RECORDS, ROUGH, strict=True)]
    assert 0.4 < sum(not rough.sex for _, rough in pairs) / len(pairs) < 0.65
    both = [(one.birth_date, rough.birth_date) for one, rough in pairs if one.birth_date and rough.birth_date]
    assert any(old.year != new.year and old.month != new.month and old.day != new.day for old, new in both)
    assert any(one.given and rough.family == one.given[:1] for one, rough in pairs)
