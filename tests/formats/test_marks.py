"""formats/marks: what filters say of themselves is so, for whatever a message holds."""

from __future__ import annotations

import copy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs import Ehr
from headwater.ehrs.engines import engine_for
from headwater.ehrs.profile import Feed, PatientIdentity
from headwater.formats.hl7v2 import Segment, parse
from headwater.templates.filters import Filter
from headwater.templates.limits import Limits
from headwater.templates.runtime import State
from tests.mappings.examples import MAPPINGS

HEADER = "MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ORU^R01^ORU_R01|C-1|P|2.5.1"
ENGINE = engine_for(MAPPINGS)(Ehr("Any", "plain", PatientIdentity(""), feed=Feed(time_zone="UTC"), name="any"))
STATE = State(Limits(), None, {"message": parse(HEADER.encode(), ZoneInfo("UTC"))})
MARKED = [each for each in ENGINE.dialect.filters.values() if each.fresh or each.nil_stays]
# What each takes behind the colon, where that is not any part of a message.
ARGUMENTS: dict[str, tuple[Any, ...]] = {"code": ("result",), "coding": ("result",), "codings": ("lab", "0001")}
FIELDS = st.one_of(
    st.sampled_from(
        ["F", "^^LN", "718-7^Hb^LN^L^Local^99", "20250711", "20250711083000", "<5", "1.5^2", "0", "0-0", "min", "Q6H"]
    ),
    st.text(alphabet="AF05.<>-+^&~ \\TQ%gdL/", max_size=24),
)


def called(each: Filter, value: Any, arguments: tuple[Any, ...]) -> Any:
    return each.function(*((STATE,) if each.metered else ()), value, *arguments)


def part(sent: str) -> Any:
    segment = parse(f"{HEADER}\rZZZ|{sent}".encode(), ZoneInfo("UTC")).lookup("ZZZ")
    assert isinstance(segment, Segment)
    return segment.part(1)


def has_empties(value: Any) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return any(one in ("", None) or one == {} or one == [] or has_empties(one) for one in inner)
    return not isinstance(value, str | int) or value in ("", 0)


def test_the_filters_that_messages_need_most_are_marked() -> None:
    assert {"codings", "period", "quantity", "positive_int", "hl7_date", "code"} <= {each.name for each in MARKED}


@pytest.mark.parametrize("each", [each for each in MARKED if each.nil_stays], ids=lambda each: each.name)
def test_of_nil_it_makes_nil(each: Filter) -> None:
    assert called(each, None, ARGUMENTS.get(each.name, ("",) * each.least)) is None


@pytest.mark.parametrize("each", [each for each in MARKED if each.fresh], ids=lambda each: each.name)
@given(sent=FIELDS, other=FIELDS)
@settings(max_examples=100, deadline=None)
def test_what_it_makes_is_whole_and_the_callers_own(each: Filter, sent: str, other: str) -> None:
    arguments = ARGUMENTS.get(each.name, (part(other),) * each.most)
    made = called(each, part(sent), arguments)
    if made is None or made == []:
        return
    assert not has_empties(made)
    kept = copy.deepcopy(made)
    for one in made if isinstance(made, list) else [made]:
        if isinstance(one, dict):
            one.clear()
    assert called(each, part(sent), arguments) == kept
