"""formats/csv and formats/json: dialects, records, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs.profile import CsvDialect, Feed
from headwater.errors import HeadwaterError, Quarantine
from headwater.formats import read, split


def feed(**dialect: Any) -> Feed:
    return Feed(templates={"csv": "csv/roster", "json": "json/vitals"}, csv=CsvDialect(**dialect))


def rows(body: bytes, **dialect: Any) -> list[dict[str, Any]]:
    return [row.data() for row in read("text/csv", body, feed(**dialect)).variables["rows"]]


def refused(body: bytes, content_type: str = "text/csv", **dialect: Any) -> tuple[str, str]:
    with pytest.raises(Quarantine) as error:
        read(content_type, body, feed(**dialect))
    return error.value.code, error.value.place


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (b"mrn,name\r\n1,Rivera\r\n", {}),
        (b"\xef\xbb\xbfmrn,name\n1,Rivera\n", {}),
        (b"mrn;name;\n1; Rivera ;\n\n", {"delimiter": ";"}),
        (b"1|Rivera", {"delimiter": "|", "header": False, "columns": ("mrn", "name")}),
        (b"mrn\tname\n1\tRivera", {"delimiter": "\t", "quote": ""}),
        ("mrn,name\n1,Rivera\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_a_row_is_read_as_its_sender_writes_it(body: bytes, dialect: dict[str, Any]) -> None:
    assert rows(body, **dialect) == [{"mrn": "1", "name": "Rivera"}]


def test_without_header_and_names_columns_are_numbers() -> None:
    row = read("text/csv", b"1,Rivera", feed(header=False)).variables["row"]
    assert (row.lookup(1), row.lookup("2"), row.lookup(3)) == ("1", "Rivera", None)


def test_quotes_may_hold_delimiters_quotes_and_lines() -> None:
    assert rows(b'mrn,note\n1,"a, ""b""\nc"\n')[0]["note"] == 'a, "b"\nc'


def test_a_quote_is_a_letter_where_there_are_none() -> None:
    assert rows(b'mrn|note\n1|5" tall\n', delimiter="|", quote="")[0]["note"] == '5" tall'


def test_bytes_are_decoded_as_declared() -> None:
    assert rows("mrn,name\n1,Peña\n".encode("cp1252"), encoding="cp1252")[0]["name"] == "Peña"
    assert refused("mrn,name\n1,Peña\n".encode("cp1252"))[0] == "convert.charset"


@pytest.mark.parametrize(
    ("body", "dialect", "code"),
    [
        (b"", {}, "convert.no_records"),
        (b"mrn,name\n", {}, "convert.no_records"),
        (b"mrn,mrn\n1,2\n", {}, "convert.csv_columns"),
        (b"mrn,name\n1,2,3\n", {}, "convert.csv_columns"),
        (b"mrn,nombre\n1,2\n", {"columns": ("mrn", "name")}, "convert.csv_columns"),
        (b"mrn,name\n1,2\n", {"group_by": "id"}, "convert.csv_columns"),
        (b'mrn,name\n1,"2\n', {}, "convert.not_csv"),
        (b"mrn,name\n1,2\n", {"encoding": "no-such"}, "convert.charset"),
    ],
)
def test_what_is_no_such_table_is_refused(body: bytes, dialect: dict[str, Any], code: str) -> None:
    assert refused(body, **dialect)[0] == code


def test_a_row_that_stops_early_has_empty_values() -> None:
    assert rows(b"mrn,name,city\n1,Rivera\n") == [{"mrn": "1", "name": "Rivera", "city": ""}]


def test_each_row_is_a_message_with_the_header() -> None:
    parts = split("text/csv", b'mrn,name\n1,"Rivera, Ana"\n2,Ito\n', feed())
    assert parts == [b'mrn,name\r\n1,"Rivera, Ana"\r\n', b"mrn,name\r\n2,Ito\r\n"]
    assert [split("text/csv", part, feed()) for part in parts] == [[part] for part in parts]


def test_rows_of_one_key_are_a_message_and_rows_without_are_one_each() -> None:
    body = b"mrn,test\n1,a\n2,b\n1,c\n,d\n,e\n"
    parts = split("text/csv", body, feed(group_by="mrn"))
    assert [part.decode().split("\r\n")[1:-1] for part in parts] == [["1,a", "1,c"], ["2,b"], [",d"], [",e"]]
    variables = read("text/csv", parts[0], feed(group_by="mrn")).variables
    assert [row.lookup("test") for row in variables["rows"]] == ["a", "c"]


def test_one_record_and_what_cannot_be_read_stay_as_they_came() -> None:
    for body in (b"mrn,name\n1,Rivera\n", b'mrn\n"1\n2', b"\xff\xfe"):
        assert split("text/csv", body, feed()) == [body]


def test_columns_that_no_template_read_are_reported_if_some_row_fills_them() -> None:
    reading = read("text/csv", b"mrn,name,payer,fax\n1,Rivera,X,\n", feed())
    reading.variables["row"].lookup("mrn")
    assert reading.unread() == ("name", "payer")


# ------------------------------------------------------------------------------------------------------------ JSON


def test_objects_of_an_array_or_of_lines_are_messages() -> None:
    for body in (b'[{"a":1},{"a":2}]', b'{"a":1}\n{"a":2}\n'):
        assert split("application/json", body, feed()) == [b'{"a":1}', b'{"a":2}']
    assert split("application/json", b' {"a": 1}', feed()) == [b' {"a": 1}']


def test_an_object_is_read_by_the_template_that_the_feed_names() -> None:
    reading = read("application/json", b'{"a": {"b": [1]}, "c": 2}', feed())
    assert reading.template == "json/vitals"
    assert reading.variables["message"].lookup("a").lookup("b").lookup(0) == 1
    assert reading.unread() == ("c",)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"x", "convert.not_json"), (b"3", "convert.not_an_object"), (b"[]", "convert.not_an_object")],
)
def test_what_is_no_object_is_refused(body: bytes, code: str) -> None:
    assert refused(body, "application/json")[0] == code


@pytest.mark.parametrize("content_type", ["application/json", "text/csv"])
def test_a_feed_that_names_no_template_is_told_where_to(content_type: str) -> None:
    with pytest.raises(Quarantine) as error:
        read(content_type, b"{}", Feed())
    assert (error.value.code, error.value.place) == ("convert.template_missing", "feed.templates")


@settings(max_examples=400, deadline=None)
@given(
    st.text(alphabet="ab1,;\"'\r\n\t |é\0", max_size=60),
    st.sampled_from([",", ";", "|", "\t"]),
    st.sampled_from(['"', "'", ""]),
    st.booleans(),
    st.sampled_from(["", "a", "1"]),
)
def test_cutting_loses_no_row(text: str, delimiter: str, quote: str, header: bool, group_by: str) -> None:
    """Whatever the table is: the messages that it is cut into hold exactly its rows, and cut again they stay whole."""
    dialect = {"delimiter": delimiter, "quote": quote, "header": header, "group_by": group_by}
    try:
        whole = rows(text.encode(), **dialect)
    except HeadwaterError:
        return
    parts = split("text/csv", text.encode(), feed(**dialect))
    found = [row for part in parts for row in rows(part, **dialect)]
    if header:
        assert sorted(map(str, found)) == sorted(map(str, whole))
    assert len(found) == len(whole)
    assert all(split("text/csv", part, feed(**dialect)) == [part] for part in parts)
