"""formats/filters: what templates print as a JSON value is one that the builder may take as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.fhir.ids import content_ids
from headwater.formats.codes import CodeMaps
from headwater.formats.filters import filters
from headwater.formats.hl7v2 import Group, Segment, parse
from headwater.formats.tree import Node, Nodes
from headwater.model import Numbered
from headwater.templates.filters import Filter
from headwater.templates.filters.registry import of
from headwater.templates.limits import Limits
from headwater.templates.runtime import State
from tests.mappings.examples import MAPPINGS, PLAIN

FILTERS = filters(PLAIN, CodeMaps([MAPPINGS / "base" / "codes"]), content_ids)
KNOWN: Mapping[str, Filter] = of({name: each for name, each in FILTERS.items() if name not in ("data", "pairs")})
HEADER = "MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ORU^R01^ORU_R01|C-1|P|2.5.1"
EASTERN = ZoneInfo("America/New_York")
STATE = State(Limits(), None, {"message": parse(HEADER.encode(), EASTERN)})

WORDS = (
    "M", "N", "CP", "1", "0", "%", "mg/dL", "10", "-5", "3.5-5.1", "<200", "LN", "HL70001", "SCT", "2345-7", "Glucose",
    "BID", "Q6H", "MR", "urn:x:y", "1.2.840.1", "ISO", "9.0", "image", "jpeg", "hex", "base64", "A", "4d53", "20250711",
    "20250711083000", "20250711083000-0500", "202507110830", "19700000", "67265ED2-35BB-43F8-B9DE-91C5935625E0",
    "White  Blood", "\\T\\", '""', "", " ",
)  # fmt: skip
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
RAWS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from("^^^&~")), max_size=14)
MAPS = st.sampled_from(("units", "interpretation", "administrative-gender", "lab", "relationship", "telecom-system"))
SEGMENTS = ("OBR", "OBX", "NTE", "PID")
LOADED = {"root": TEXTS, "extension": TEXTS, "code": TEXTS, "codeSystem": TEXTS, "displayName": TEXTS, "value": TEXTS}


def field(pieces: list[tuple[str, str]]) -> Any:
    raw = "".join(word + mark for word, mark in pieces)
    segment = parse(f"{HEADER}\rZZZ|{raw}".encode(), EASTERN).lookup("ZZZ")
    assert isinstance(segment, Segment)
    return segment.part(1)


def message(rows: list[tuple[str, str]]) -> Group:
    return parse("\r".join((HEADER, *(f"{name}|1|TX|{word}||x" for name, word in rows))).encode(), EASTERN)


FIELDS = RAWS.map(field)
PLAIN_VALUES = st.none() | TEXTS | FIELDS
MESSAGES = st.lists(st.tuples(st.sampled_from(SEGMENTS), st.sampled_from("ab")), max_size=9).map(message)
NODES = st.fixed_dictionaries({}, optional=LOADED).map(Node)
VALUES = PLAIN_VALUES | MESSAGES | NODES | NODES.map(lambda one: Nodes([one, one]))
ARGUMENTS = {
    **dict.fromkeys(("code", "coding", "cda_code"), (MAPS,)),
    "codings": (st.none() | st.just("") | MAPS, st.none() | st.sampled_from(("", "0001", "0078"))),
    "cda_codings": (st.just("") | MAPS,),
    **dict.fromkeys(("all", "groups", "head", "tail"), (st.sampled_from(SEGMENTS),) * 2),
    "attachment_type": (st.sampled_from((2, 3)),),
    **dict.fromkeys(("clock", "parse_date", "local_clock"), (st.sampled_from(("%m/%d/%Y", "%Y")),)),
}


def is_clean(value: Any) -> bool:
    """Nothing in it is empty, and everything is plain."""
    if value.__class__ is dict:
        return all(each.__class__ is str and is_member(one) for each, one in value.items())
    if value.__class__ is list:
        return all(map(is_member, value))
    return value.__class__ in (str, int, bool)


def is_member(value: Any) -> bool:
    return (value.__class__ in (int, bool) or bool(value)) and is_clean(value)


def is_part(value: Any) -> bool:
    return isinstance(value, str | Numbered | Group | Node | Nodes)


def held(value: Any) -> list[Any]:
    """The objects and lists of a JSON value, itself included."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    inner = [one for member in members for one in held(member)]
    return [value, *inner] if isinstance(value, dict | list) else inner


@pytest.mark.parametrize("name", sorted(KNOWN))
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_filter_gives_text_parts_or_a_json_value_of_its_own_that_holds_nothing_empty(
    name: str, data: st.DataObject
) -> None:
    known = KNOWN[name]
    kinds = ARGUMENTS.get(name, (PLAIN_VALUES,) * min(known.most, known.least + 2, 6))
    count = data.draw(st.integers(known.least, max(known.least, len(kinds))))
    given_ = [data.draw(VALUES), *(data.draw(kind) for kind in kinds[:count])]
    first, again = (known.function(*([STATE] if known.metered else []), *given_) for _ in range(2))
    if first is None or is_part(first) or (isinstance(first, list) and first and all(map(is_part, first))):
        return
    assert is_clean(first)
    assert first == again
    assert not {id(one) for one in held(first)} & {id(one) for one in held(again)}
