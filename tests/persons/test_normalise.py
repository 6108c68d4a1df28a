"""normalise: two ways to write one thing become one; placeholders become nothing."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headwater.persons import normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Núñez", "NUNEZ"),
        ("O'Brien", "O Brien"),
        ("O’Brien", "OBRIEN"),
        ("de la Cruz", "DeLaCruz"),
        ("Van der Berg", "vanderberg"),
        ("García-López", "Garcia Lopez"),
        ("McDonald", "Mc Donald"),
        ("St. John", "ST JOHN"),
        ("Đặng", "Dang"),
        ("Smith Jr.", "Smith"),
        ("Straße", "STRASSE"),
    ],
)
def test_one_family_name_however_it_is_written(one: str, other: str) -> None:
    assert normalise.family_words(one) == normalise.family_words(other)


@pytest.mark.parametrize(
    ("name", "words"), [("Do", ("do",)), ("Van", ("van",)), ("", ()), ("---", ()), ("Jr", ("jr",))]
)
def test_a_particle_alone_is_a_name(name: str, words: tuple[str, ...]) -> None:
    assert normalise.family_words(name) == words


def test_titles_and_generations_are_no_given_names() -> None:
    assert normalise.given_words("Dr. José María Jr.") == ("jose", "maria")
    assert normalise.given_words("Paul V") == ("paul", "v"), "a lone letter is an initial"


@pytest.mark.parametrize(
    ("suffix", "family", "generation"),
    [("Jr.", "", 2), ("II", "", 2), ("Sr", "", 1), ("", "Smith III", 3), ("MD", "", 0), ("", "Smith", 0), ("", "V", 0)],
)
def test_generation(suffix: str, family: str, generation: int) -> None:
    assert normalise.generation(suffix, family) == generation


@pytest.mark.parametrize(
    "text", ["713-234-5678", "(713) 234 5678", "+1-713-234-5678", "17132345678", "713.234.5678 x12"]
)
def test_one_phone_however_it_is_written(text: str) -> None:
    assert normalise.phone(text) == "7132345678"


def test_phones_of_other_countries_keep_their_country() -> None:
    assert normalise.phone("+49 30 1234567") == "+49301234567"


@pytest.mark.parametrize("text", ["", "n/a", "12345", "999-999-9999", "713-555-1212"])
def test_no_phone(text: str) -> None:
    assert normalise.phone(text, {"5551212"}) == ""


@pytest.mark.parametrize(
    ("text", "whole", "last_four"),
    [
        ("219-34-5678", "219345678", "5678"),
        ("219345678", "219345678", "5678"),
        ("***-**-5678", "", "5678"),
        ("xxx-xx-5678", "", "5678"),
        ("5678", "", "5678"),
        ("000-34-5678", "", ""),
        ("666-34-5678", "", ""),
        ("912-34-5678", "", ""),
        ("219-00-5678", "", ""),
        ("219-34-0000", "", ""),
        ("111-11-1111", "", ""),
        ("078-05-1120", "", ""),
        ("n/a", "", ""),
    ],
)
def test_social_security_numbers(text: str, whole: str, last_four: str) -> None:
    assert normalise.ssn(text, {"078051120"}) == (whole, last_four)


@pytest.mark.parametrize(
    "lines",
    [
        ("120 N Oak Street Apt 4B",),
        ("120 N. Oak St.", "APT 4-B"),
        ("120 OAK ST", "# 4B"),
        ("120 North Oak St, Unit 4 B",),
    ],
)
def test_one_address_however_it_is_written(lines: tuple[str, ...]) -> None:
    assert normalise.street(lines) == ("120 oak", "4b")


@pytest.mark.parametrize(
    ("lines", "street"),
    [
        (("PO Box 77",), "pobox 77"),
        (("P.O. BOX 77",), "pobox 77"),
        (("12 North Street",), "12 n st"),
        (("Oak",), ""),
        ((), ""),
    ],
)
def test_streets(lines: tuple[str, ...], street: str) -> None:
    assert normalise.street(lines)[0] == street


@pytest.mark.parametrize(
    ("code", "normal"), [("77002", "77002"), ("77002-1234", "77002"), ("k1a 0b1", "K1A0B1"), ("00000", ""), ("", "")]
)
def test_postal_codes(code: str, normal: str) -> None:
    assert normalise.postal_code(code) == normal


@pytest.mark.parametrize("text", ["", "0000", "00", "99999", "unknown", " UNKNOWN "])
def test_identifiers_that_are_none(text: str) -> None:
    assert normalise.identifier(text, {"UNKNOWN"}) == ""


def test_an_identifier_keeps_its_zeros() -> None:
    assert normalise.identifier(" 00 a12 ") == "00A12"


@pytest.mark.parametrize("text", ["none@gmail.com", "no address", "@x", ""])
def test_no_email(text: str) -> None:
    assert normalise.email(text, {"none"}) == ""


def test_birth_dates_that_desks_type_are_none() -> None:
    assert normalise.birth_date(date(1900, 1, 1), {"1900-01-01"}) is None
    assert normalise.birth_date(date(1980, 1, 1), {"1900-01-01"}) == date(1980, 1, 1)


@given(st.text(max_size=40))
@example("DE:R:0")  # drawn together, two letters may look like a particle themselves
def test_whatever_was_typed_is_normal_after_one_pass(text: str) -> None:
    words = normalise.family_words(text)
    unlike = {"jr", "sr", *normalise._PARTICLES}
    assert normalise.family_words(" ".join(words)) == words or not unlike.isdisjoint(words)
    for form in (normalise.phone, normalise.identifier, normalise.postal_code, normalise.email):
        assert form(form(text)) == form(text)
    assert normalise.street((text,)) == normalise.street((text.upper(),))
