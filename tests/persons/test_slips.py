"""slips: how far apart two words may be and still be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.persons import slips
from headwater.persons.policy import MatchingPolicy
from headwater.persons.slips import edits, slip, slip_of_any

_WORDS = st.text(alphabet="abc", min_size=1, max_size=10)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("maria", "mraia", True),
        ("maria", "marian", True),
        ("maria", "mrai", False),
        ("ann", "anna", False),  # a word of three letters is another word
        ("jonathan", "jonathen", True),
        ("jonathan", "jomathen", True),
        ("jonatha", "jomathe", False),
        ("katherine", "catherina", True),  # the first letter and the last
    ],
)
def test_a_long_word_may_have_two_slips(one: str, other: str, found: bool) -> None:
    assert slip(one, other) is slip(other, one) is found


@given(_WORDS, _WORDS)
def test_to_look_at_the_first_and_the_last_letter_hides_no_slip(one: str, other: str) -> None:
    shorter = min(len(one), len(other))
    assert slip(one, other) == (shorter > 3 and edits(one, other, 2 if shorter >= 8 else 1))


@given(_WORDS, st.lists(_WORDS, max_size=4))
def test_a_slip_of_any_is_a_slip_of_one(name: str, others: list[str]) -> None:
    assert slip_of_any(name, others) == any(slip(name, other) for other in others)


def test_edits_are_counted_to_few_of_the_names_that_a_name_stands_for(
    monkeypatch: pytest.MonkeyPatch, policy: MatchingPolicy
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(slips, "edits", lambda one, other, most: bool(counted.append(other)))
    names = [*policy.nicknames][:500]
    asked = sum(len(policy.nicknames[name]) for name in names)
    assert not any(slip_of_any("marcus", policy.nicknames[name]) for name in names)
    assert len(counted) < asked / 4
