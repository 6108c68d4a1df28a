"""compare: each comparison ends in the level that a steward would name."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.model import Identifier, Traits
from headwater.persons.compare import Levels, compare
from headwater.persons.evidence import _OUTCOME, words
from headwater.persons.grade import cells
from headwater.persons.normalise import without_particle
from headwater.persons.policy import MatchingPolicy, load_policy
from headwater.persons.profile import profile_of
from tests.persons.conftest import MAPPINGS, person

POLICY = load_policy(MAPPINGS)
_FAMILY = st.builds(
    "".join, st.tuples(st.sampled_from(["", "de", "del", "dela", "al", "van"]), st.text("delru", min_size=1))
)


def levels(a: Traits, b: Traits) -> Levels:
    return compare(profile_of(a, POLICY), profile_of(b, POLICY), POLICY)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Jonathan", "JONATHAN", "equal"),
        ("Jon", "Jonathan", "nickname"),
        ("Jonathan", "Johnny", "nickname"),
        ("Bill", "William", "nickname"),
        ("Peggy", "Margaret", "nickname"),
        ("Pepe", "José", "nickname"),
        ("Lupe", "Guadalupe", "nickname"),
        ("Paco", "Francisco", "nickname"),
        ("Muhammad", "Mohammed", "nickname"),
        ("Shawn", "Sean", "nickname"),
        ("María", "Maria Elena", "part"),
        ("Maria Elena", "Maria Jose", "different"),
        ("J", "Jonathan", "initial"),
        ("K", "Jonathan", "different"),
        ("Jonathon", "Jonathen", "close"),
        ("Nick", "Cole", "different"),  # both stand for Nicholas, which makes them no one
        ("Christian", "Christopher", "different"),  # they share Chris
        ("Jonah", "Jonathan", "different"),
        ("Christian", "Christina", "close"),
        ("Ann", "Ian", "different"),
        ("Baby Boy", "Leo", "newborn"),
        ("BABYGIRL", "Mia", "newborn"),
        ("Girl Maria", "Mia", "newborn"),
        ("Unknown", "Leo", "missing"),
    ],
)
def test_given_names(one: str, other: str, level: str) -> None:
    a, b = Traits(given=(one,), family=("Ruiz",)), Traits(given=(other,), family=("Ruiz",))
    assert levels(a, b).given == level


def test_the_middle_name_may_be_the_one_in_use() -> None:
    assert levels(person("Walter Paul Ruiz"), person("Paul Ruiz")).given == "middle"


def test_given_and_family_name_exchanged() -> None:
    swapped = levels(person("Ruiz Walter"), person("Walter Ruiz"))
    assert (swapped.given, swapped.family) == ("swapped", "swapped")


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (("García López",), ("Garcia-Lopez",), "equal"),
        (("García López",), ("López",), "part"),
        (("Brandt", "Meyer"), ("Meyer",), "part"),
        (("Quintero",), ("Quinterro",), "close"),
        (("Quintero",), ("Brandt",), "different"),
        (("Lee",), ("Li",), "different"),
        (("Cruz",), ("de la Cruz",), "close"),
        ((), ("Li",), "missing"),
    ],
)
def test_family_names(one: tuple[str, ...], other: tuple[str, ...], level: str) -> None:
    assert levels(Traits(family=one), Traits(family=other)).family == level


@given(_FAMILY, _FAMILY)
def test_to_look_at_the_ends_of_two_family_names_hides_no_particle(one: str, other: str) -> None:
    if one != other and without_particle(one) == without_particle(other):
        assert levels(Traits(family=(one,)), Traits(family=(other,))).family == "close"


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("1971-04-23", "1971-04-23", "equal"),
        ("1971-01-01", "1971-01-01", "default"),
        ("1971-04-05", "1971-05-04", "swapped"),
        ("1971-04-23", "1971-04-28", "close"),
        ("1971-04-23", "1917-04-23", "close"),
        ("1971-04-23", "1971-01-01", "year"),
        ("1971-04-23", "1971-06-28", "different"),
        ("1900-01-01", "1900-01-01", "missing"),
        ("", "1971-04-23", "missing"),
    ],
)
def test_birth_dates(one: str, other: str, level: str) -> None:
    assert levels(person(born=one), person(born=other)).birth_date == level


HOME: dict[str, Any] = {"address_lines": ("120 Oak St",), "postal_code": "77002"}


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (HOME | {"phone": "7132345678"}, HOME | {"phone": "7132345678"}, "several"),
        (HOME | {"ids": "MB:W1"}, HOME | {"ids": "MB:W1"}, "several"),
        (HOME, HOME | {"phone": "7132345678"}, "one"),
        (HOME, {**HOME, "postal_code": "10001"}, "different"),
        (HOME, {**HOME, "address_lines": ("9 Elm",)}, "area"),
        ({"phone": "7132345678"}, {"phone": "2122345678"}, "different"),
        ({"phone": "9999999999"}, {"phone": "9999999999"}, "missing"),
        ({}, HOME, "missing"),
    ],
)
def test_what_a_household_shares_is_counted_once(one: dict[str, Any], other: dict[str, Any], level: str) -> None:
    assert levels(person(**one), person(**other)).home == level


@pytest.mark.parametrize(
    ("line", "code", "level"),
    [
        ("120 Oakland Street", "77002", "equal"),
        ("120 Oaklnad St", "77002", "equal"),
        ("120 Oaklandplace", "77002", "equal"),  # the street's kind grown onto its name
        ("120 Oakland St", "77020", "equal"),
        ("120 Oaklnad St", "77020", "close"),
        ("210 Oakland St", "77002", "close"),  # a slip, or the neighbour
        ("9 Oakland St", "77002", "area"),
        ("120 Oakmont Ave", "77002", "area"),
        ("120 Oaklnad St", "10001", "different"),
    ],
)
def test_one_slip_in_an_address_leaves_it_the_same_and_two_leave_it_close(line: str, code: str, level: str) -> None:
    one = person(address_lines=("120 Oakland St",), postal_code="77002")
    assert levels(one, person(address_lines=(line,), postal_code=code)).address == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("SS:219345678", "SS:219-34-5678", "equal"),
        ("SS:219345678", "SS:219345687", "close"),
        ("SS:219345678", "SS:401112222", "different"),
        ("SS:219345678", "SS:***-**-5678", "last_four"),
        ("SS:219345678", "SS:***-**-1111", "different"),
        ("SS:123456789", "SS:123456789", "missing"),
        ("", "SS:219345678", "missing"),
    ],
)
def test_social_security_numbers(one: str, other: str, level: str) -> None:
    assert levels(person(ids=one), person(ids=other)).ssn == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [("MR:77", "MR:77", "equal"), ("MR:77", "MR:78", "two_of_one"), ("MR:77", "PI:77", "missing"), ("", "", "missing")],
)
def test_record_numbers(one: str, other: str, level: str) -> None:
    assert levels(person(ids=one), person(ids=other)).record == level


@pytest.mark.parametrize(
    ("one", "other", "level"), [("Jr", "II", "equal"), ("Jr", "Sr", "different"), ("", "Jr", "one_sided")]
)
def test_generations(one: str, other: str, level: str) -> None:
    assert levels(person(suffix=one), person(suffix=other)).generation == level


NAMES = st.sampled_from(
    ["Jon", "Jonathan", "Ana María", "Baby Boy", "Ruiz", "O'Brien", "García López", "Unknown", "J", ""]
)
ANYBODY = st.builds(
    Traits,
    family=st.lists(NAMES, max_size=2).map(tuple),
    given=st.lists(NAMES, max_size=3).map(tuple),
    suffix=st.sampled_from(["", "Jr", "Sr"]),
    birth_date=st.none() | st.dates(date(1970, 1, 1), date(1971, 3, 1)),
    gender=st.sampled_from(["", "male", "female", "unknown"]),
    phones=st.lists(st.sampled_from(["7132345678", "713-234-5678", "9999999999", "x"]), max_size=2).map(tuple),
    emails=st.lists(st.sampled_from(["a@b.c", "none@b.c"]), max_size=1).map(tuple),
    address_lines=st.lists(st.sampled_from(["120 Oak St", "PO Box 7", "Apt 3"]), max_size=2).map(tuple),
    postal_code=st.sampled_from(["", "77002", "77002-1", "10001"]),
    identifiers=st.lists(
        st.builds(
            Identifier,
            st.sampled_from(["urn:a", "urn:b"]),
            st.sampled_from(["77", "219345678", "***-**-5678", "0"]),
            st.sampled_from(["MR", "SS", "MB", ""]),
        ),
        max_size=3,
    ).map(tuple),
)


@given(ANYBODY, ANYBODY)
def test_the_order_of_the_two_does_not_matter(a: Traits, b: Traits) -> None:
    assert levels(a, b) == levels(b, a)


@given(ANYBODY)
def test_nobody_differs_from_himself(one: Traits) -> None:
    same = levels(one, one)
    assert "different" not in same
    assert same.record != "two_of_one" or len({i.value for i in one.identifiers}) > 1


@given(ANYBODY, ANYBODY)
def test_every_level_has_its_words(a: Traits, b: Traits) -> None:
    found = levels(a, b)
    assert set(found) <= {*_OUTCOME, "missing"}
    assert words(found) == words(levels(b, a))


def test_most_cells_that_occur_have_a_weight(policy: MatchingPolicy) -> None:
    for comparison, level in cells(levels(person(), person())):
        assert level in policy.weights[comparison]


def test_a_year_of_three_digits_is_a_date_like_another() -> None:
    assert levels(person(born="0971-04-23"), person(born="1971-04-23")).birth_date == "close"
