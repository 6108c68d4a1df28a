"""formats/marks: what filters say of themselves is so, for whatever a message holds."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.formats.hl7v2 import Group, Segment, parse
from headwater.formats.tree import Node, Nodes
from headwater.model import LARGE
from headwater.templates.filters import Filter
from headwater.templates.limits import Limits
from headwater.templates.runtime import State
from tests.mappings.examples import PLAIN, engine

HEADER = "MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ORU^R01^ORU_R01|C-1|P|2.5.1"
EASTERN = ZoneInfo("America/New_York")
STATE = State(Limits(), None, {"message": parse(HEADER.encode(), EASTERN)})
FILTERS = engine(PLAIN.name).dialect.filters.values()

WORDS = (
    "M", "N", "CP", "1", "0", "%", "mg/dL", "10", "-5", "3.5-5.1", "<200", "LN", "HL70001", "SCT", "2345-7", "Glucose",
    "BID", "Q6H", "min", "MR", "urn:x:y", "1.2.840.1", "ISO", "9.0", "image", "jpeg", "hex", "base64", "A", "4d53",
    "20250711", "20250711083000", "20250711083000-0500", "202507110830", "19700000", "White  Blood", "\\T\\", '""', "",
    " ", "718-7^Hb^LN^L^Local^99", "67265ED2-35BB-43F8-B9DE-91C5935625E0",
)  # fmt: skip
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
RAWS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from("^^^&~")), max_size=14)
NODES = st.fixed_dictionaries({}, optional=dict.fromkeys(("root", "extension", "code", "codeSystem", "value"), TEXTS))
MAPS = st.sampled_from(("units", "interpretation", "administrative-gender", "lab", "relationship", "telecom-system"))


def field(pieces: list[tuple[str, str]]) -> Any:
    raw = "".join(word + mark for word, mark in pieces)
    segment = parse(f"{HEADER}\rZZZ|{raw}".encode(), EASTERN).lookup("ZZZ")
    assert isinstance(segment, Segment)
    return segment.part(1)


def message(rows: list[tuple[str, str]]) -> Group:
    return parse("\r".join((HEADER, *(f"{name}|1|TX|{word}||x" for name, word in rows))).encode(), EASTERN)


PARTS = st.none() | TEXTS | RAWS.map(field)
MESSAGES = st.lists(st.tuples(st.sampled_from(("OBR", "OBX", "NTE")), st.sampled_from("ab")), max_size=9).map(message)
VALUES = PARTS | MESSAGES | NODES.map(Node) | NODES.map(lambda one: Nodes([Node(one), Node(one)]))
# What each takes behind the colon, where that is not any part of a message.
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    **dict.fromkeys(("code", "coding", "cda_code"), (MAPS,)),
    "codings": (st.none() | st.just("") | MAPS, st.none() | st.sampled_from(("", "0001", "0078"))),
    "cda_codings": (st.just("") | MAPS,),
    "attachment_type": (st.sampled_from((2, 3)),),
}


def called(each: Filter, value: Any, data: st.DataObject) -> list[Any]:
    """What it makes of the same twice."""
    kinds = ARGUMENTS.get(each.name, (PARTS,) * min(each.most, each.least + 2))
    count = data.draw(st.integers(each.least, max(each.least, len(kinds))))
    arguments = [data.draw(kind) for kind in kinds[:count]]
    return [each.function(*((STATE,) if each.metered else ()), value, *arguments) for _ in range(2)]


def is_whole(value: Any) -> bool:
    """Nothing in it is empty, and everything is plain."""
    if value.__class__ in (dict, list):
        members = value.values() if isinstance(value, dict) else value
        return all((one or one.__class__ in (int, bool)) and is_whole(one) for one in members)
    return value.__class__ in (str, int, bool)


def held(value: Any) -> set[int]:
    """The objects and lists of a JSON value, itself included."""
    if not isinstance(value, dict | list):
        return set()
    return {id(value)}.union(*map(held, value.values() if isinstance(value, dict) else value))


def test_the_filters_that_messages_need_most_are_marked() -> None:
    assert {"codings", "period", "quantity", "positive_int"} <= {each.name for each in FILTERS if each.fresh}
    assert {"code", "hl7_date", "hl7_datetime", "id", "authority"} <= {each.name for each in FILTERS if each.word}


@pytest.mark.parametrize("each", [each for each in FILTERS if each.nil_stays], ids=lambda each: each.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_of_nil_it_makes_nil(each: Filter, data: st.DataObject) -> None:
    assert called(each, None, data) == [None, None]


@pytest.mark.parametrize("each", [each for each in FILTERS if each.fresh], ids=lambda each: each.name)
@settings(max_examples=100, deadline=None)
@given(value=VALUES, data=st.data())
def test_what_it_makes_is_whole_and_the_callers_own(each: Filter, value: Any, data: st.DataObject) -> None:
    made, again = called(each, value, data)
    assert made == again
    assert made is None or (is_whole(made) and made not in (0, ""))
    assert not held(made) & held(again)


@pytest.mark.parametrize("each", [each for each in FILTERS if each.word], ids=lambda each: each.name)
@settings(max_examples=100, deadline=None)
@given(value=VALUES | st.sampled_from(["long " * LARGE, field([("o" * LARGE, "^")] * 4)]), data=st.data())
def test_what_it_makes_is_a_short_text(each: Filter, value: Any, data: st.DataObject) -> None:
    made, again = called(each, value, data)
    assert made == again
    assert made is None or (made.__class__ is str and 0 < len(made) < LARGE)
