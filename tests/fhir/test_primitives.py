from __future__ import annotations

import base64
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.fhir.primitives import PRIMITIVES, SYNTAXES

# Each type: what is valid, what is not. JSON's own type counts, so "1" is no integer and 1 is no string.
CASES: dict[str, tuple[list[object], list[object]]] = {
    "base64Binary": (["aGVsbG8=", "aGVs\nbG8=", "AA==", " aGVsbG8= "], ["", " ", "aGVsbG8", "a===", "aG!sbG8=", 5]),
    "boolean": ([True, False], ["true", 1, 0, None]),
    "canonical": (["http://example.org/vs|1.0", "#local", "urn:uuid:x"], ["", "a b", "a\tb", "a\u2003b", 5]),
    "code": (["final", "a b", "4-5/x"], ["", " a", "a ", "a  b", "a\n\nb", 5]),
    "date": (
        ["2026", "2026-11", "2026-11-22", "2024-02-29", "0001-01-01"],
        [
            "26",
            "0000",
            "2026-1",
            "2026-13",
            "2026-00",
            "2025-02-29",
            "2026-04-31",
            "2026-11-22T00:00:00Z",
            "２０２６",
            "2026\n",
            2026,
        ],
    ),
    "dateTime": (
        [
            "2026",
            "2026-11",
            "2026-11-22",
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00.5+14:00",
            "2016-12-31T23:59:60Z",
        ],
        [
            "2026-11-22T10:00:00",
            "2026-11-22T10:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11T10:00:00Z",
            "2026-11-22 10:00:00Z",
            "2026-11-22T10:00:00+14:30",
            "2026-11-22T10:00:00z",
            "2026-11-31T10:00:00Z",
            "",
        ],
    ),
    "decimal": ([0, -5, 1.25, 1e300, 10**40], ["1", True, None, float("inf"), float("nan")]),
    "id": (["a", "A-1.b", "x" * 64], ["", "x" * 65, "a_b", "a b", "a\n", "é", 5]),
    "instant": (
        ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.123-05:00"],
        ["2026-11-22", "2026-11-22T10:00:00", "2026-02-30T10:00:00Z"],
    ),
    "integer": ([0, -(2**31), 2**31 - 1], [2**31, -(2**31) - 1, 1.0, "1", True]),
    "markdown": (["# x\n\ny"], ["", " \n", "\x0b", 5]),
    "oid": (["urn:oid:1.2.840", "urn:oid:2.0"], ["1.2.840", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", ""]),
    "positiveInt": ([1, 2**31 - 1], [0, -1, 2**31, 1.0, "1", True]),
    "string": (
        ["x", " x ", "a\r\n\tb", "王\u00a0芳", "x" * 1048576],
        ["", "  ", "\u00a0", "a\x00", "a\x1f", "\ud800", "x" * 1048577, 5],
    ),
    "time": (["00:00:00", "23:59:60", "10:00:00.25"], ["24:00:00", "10:00", "10:00:00Z", "1:00:00"]),
    "unsignedInt": ([0, 2**31 - 1], [-1, 2**31, 0.0, "0", False]),
    "uri": (["urn:oid:1.2", "http://x/ä", "x"], ["", "a b", "a\u00a0b", "a\nb", "a\x00", 5]),
    "url": (["https://example.org", "mailto:x@y"], ["", "a b", 5]),
    "uuid": (
        ["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"],
        ["urn:uuid:0C3151BD-1cbf-4d64-b04d-cd9187a4c6e0", "0c3151bd", ""],
    ),
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_type_takes_what_its_page_allows_and_nothing_else(name: str) -> None:
    is_valid, _ = PRIMITIVES[name]
    valid, invalid = CASES[name]
    assert [value for value in valid if not is_valid(value)] == []
    assert [value for value in invalid if is_valid(value)] == []


def test_code_systems_that_cannot_be_listed_are_checked_by_syntax() -> None:
    is_mime_type, is_currency = SYNTAXES["mimetypes"][0], SYNTAXES["currencies"][0]
    assert all(map(is_mime_type, ["text/plain", "application/fhir+json", "text/html; charset=utf-8", "image/svg+xml"]))
    assert not any(map(is_mime_type, ["pdf", "text/", "/plain", "", "text plain", 5]))
    assert is_currency("USD")
    assert not any(map(is_currency, ["usd", "US", "DOLLAR", 5]))


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.lists(st.integers()),
        st.dictionaries(st.text(), st.none()),
    )
)
def test_no_value_makes_a_predicate_raise(value: object) -> None:
    for is_valid, _ in (*PRIMITIVES.values(), *SYNTAXES.values()):
        assert is_valid(value) in (True, False)


@given(st.binary(max_size=100))
def test_whatever_base64_writes_is_base64(data: bytes) -> None:
    assert PRIMITIVES["base64Binary"][0](base64.b64encode(data).decode()) is bool(data)


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_whatever_python_writes_as_iso_8601_with_a_zone_is_an_instant(when: datetime, minutes: int) -> None:
    text = when.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat()
    assert PRIMITIVES["instant"][0](text)


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: date) -> None:
    assert PRIMITIVES["date"][0](str(day))
