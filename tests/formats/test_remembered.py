"""formats/remembered: what comes again is worked out once, and nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.formats.codes import CodeMaps
from headwater.formats.hl7v2 import parse
from headwater.formats.hl7v2.codings import Codings
from headwater.formats.hl7v2.parts import Segment, repetitions
from headwater.formats.remembered import Remembered
from tests.formats.test_marks import EASTERN, HEADER, RAWS, field
from tests.mappings.examples import MAPPINGS

CODES = CodeMaps([MAPPINGS / "base" / "codes"])
CODINGS = Codings("north", CODES)


class Asked:
    """How often a function was asked for what."""

    def __init__(self) -> None:
        self.of: list[tuple[Any, ...]] = []

    def __call__(self, *texts: Any) -> str:
        self.of.append(texts)
        return "-".join(map(str, texts))


def test_what_is_asked_for_again_is_worked_out_once() -> None:
    asked = Asked()
    made = Remembered(asked)
    assert [made["a"], made["a"], made["a", None], made["a", None]] == ["a", "a", "a-None", "a-None"]
    assert asked.of == [("a",), ("a", None)]
    assert made("a") == "a"
    assert len(asked.of) == 3


@pytest.mark.parametrize("other", [7, True, object(), "x" * 501, ("a", 7)])
def test_only_short_texts_are_remembered(other: Any) -> None:
    asked = Asked()
    made = Remembered(asked)
    assert made[other] == made[other]
    assert len(asked.of) == 2
    assert not made


def test_there_is_an_end_to_what_is_remembered() -> None:
    made = Remembered(Asked())
    assert [made[str(number)] for number in range(20_001)][-1] == "20000"
    assert 0 < len(made) <= 5000


def test_a_code_without_a_target_is_noted_in_every_message() -> None:
    for _ in range(2):
        assert CODINGS.codings("ZZ9", "relationship") == [{"code": "ZZ9"}]
        assert [one.code for one in CODES.wanted()] == ["ZZ9"]


def test_there_is_an_end_to_what_is_noted_where_nobody_asks() -> None:
    codes = CodeMaps([MAPPINGS / "base" / "codes"])
    codings = Codings("north", codes)
    for number in range(60_000):
        codings.codings(f"Z{number % 1000}", "relationship")
    assert codes.notes() == 50_000
    assert len(codes.wanted()) == 1000
    assert codes.notes() == 0


def test_a_component_is_not_taken_for_the_field_that_reads_the_same() -> None:
    segment = parse(f"{HEADER}\rZZZ|A&Apple&LN|A&Apple&LN^x".encode(), EASTERN).lookup("ZZZ")
    assert isinstance(segment, Segment)
    alone, first = segment.part(1), getattr(segment.part(2), "parts", ["", None])[1]
    for _ in range(2):
        assert CODINGS.codings(first) == [{"system": "http://loinc.org", "code": "A", "display": "Apple"}]
        assert CODINGS.codings(alone) == Codings("north", CODES).codings(alone)


def test_a_field_that_comes_again_is_taken_apart_once_more_and_no_more() -> None:
    fields = parse(HEADER.encode(), EASTERN).encoding.fields
    raw = "12^Doe^Jo~13^Roe"
    first, second, third = (fields[raw] for _ in range(3))
    assert first is not second
    assert second is third
    assert [str(each) for each in repetitions(first)] == [str(each) for each in repetitions(third)] == ["12", "13"]


def test_there_is_an_end_to_the_fields_that_are_known() -> None:
    fields = parse(HEADER.encode(), EASTERN).encoding.fields
    for number in range(25_000):
        assert str(fields[f"{number}^x"]) == str(fields[f"{number}^x"]) == str(number)
    assert 0 < len(fields) <= 10_000


@settings(max_examples=300, deadline=None)
@given(RAWS, st.sampled_from(("", "units", "relationship")), st.sampled_from(("", "0078")))
def test_codings_that_are_remembered_are_those_of_the_field(
    pieces: list[tuple[str, str]], name: str, table: str
) -> None:
    value = field(pieces)
    anew = Codings("north", CODES)
    for part in [value, *getattr(value, "parts", ())]:
        assert (
            CODINGS.codings(part, name, table) == anew.codings(part, name, table) == CODINGS.codings(part, name, table)
        )
        assert CODINGS.unit(part) == anew.unit(part)
        if name:
            assert CODINGS.coding(part, name, table or None) == anew.coding(part, name, table or None)
