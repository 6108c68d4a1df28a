"""formats/hl7v2/durations: what an interval, a duration or a repeat pattern says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from headwater.formats.hl7v2 import Segment, parse
from headwater.formats.hl7v2.durations import FILTERS
from headwater.formats.hl7v2.events import structure_of
from headwater.formats.hl7v2.values import FILTERS as VALUES
from headwater.templates.limits import Limits
from headwater.templates.runtime import State

HEADER = "MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ORU^R01^ORU_R01|C-1|P|2.5.1"


STATE = State(Limits(), None, {"message": parse(HEADER.encode(), ZoneInfo("America/New_York"))})


def value(sent: str) -> object:
    segment = parse(f"{HEADER}\rZZZ|{sent}".encode(), ZoneInfo("America/New_York")).lookup("ZZZ")
    assert isinstance(segment, Segment)
    return segment.part(1)


@pytest.mark.parametrize(
    ("start", "amount", "unit", "end"),
    [
        ("20250711083000", "30", "min", "2025-07-11T09:00:00-04:00"),
        ("20250711083000", "30", None, "2025-07-11T09:00:00-04:00"),
        ("20250711083000+0000", "1.5", "HOURS", "2025-07-11T10:00:00Z"),
        ("20250711", "2", "d", "2025-07-13"),
        ("20250711083000", None, None, "2025-07-11T08:30:00-04:00"),
        ("20250711", "2", "h", None),
        ("202507", "2", "d", None),
        ("20250711083000", "a while", "min", None),
        ("20250711083000", "2", "fortnights", None),
        ("99991231235900", "2", "d", None),
        ("soon", "2", "d", None),
    ],
)
def test_an_end_is_as_precise_as_the_start(start: str, amount: str | None, unit: str | None, end: str | None) -> None:
    assert FILTERS["after"](STATE, value(start), amount, unit) == end


def test_a_start_is_before_its_end() -> None:
    assert FILTERS["before"](STATE, value("20250711083000"), "1", "wk") == "2025-07-04T08:30:00-04:00"
    assert FILTERS["before"](STATE, "2025-07-11T08:30:00Z", "90", "s") == "2025-07-11T08:28:30Z"


@pytest.mark.parametrize(
    ("pattern", "rhythm"),
    [
        ("BID", (2, 1, "d")),
        ("q6h", (1, 6, "h")),
        ("QH", (1, 1, "h")),
        ("QOD", (1, 2, "d")),
        ("5ID", (5, 1, "d")),
        ("Q2L", (1, 2, "mo")),
        ("Q0H", None),
        ("PRN", None),
        ("", None),
    ],
)
def test_repeat_patterns_that_say_how_often(pattern: str, rhythm: tuple[int, int, str] | None) -> None:
    found = FILTERS["frequency"](pattern)
    assert found == (dict(zip(("frequency", "period", "periodUnit"), rhythm, strict=True)) if rhythm else None)


def test_minutes_are_whole_and_at_least_one() -> None:
    assert FILTERS["minutes"]("1.5", "h") == 90
    assert FILTERS["minutes"]("45") == 45
    assert FILTERS["minutes"]("10", "s") is None
    assert FILTERS["minutes"]("<5") is None
    assert FILTERS["minutes"]("9" * 400) is None


def test_channels_of_an_array_take_turns() -> None:
    assert VALUES["samples"](value("1^2^3~4^^6")) == {"dimensions": 2, "data": "1 4 2 E 3 6"}
    assert VALUES["samples"](None) is None


@pytest.mark.parametrize(
    ("said", "structure"),
    [
        (("ORU", "R32"), "ORU_R30"),
        (("ORU", ""), "ORU_R01"),
        (("SIU", "S26"), "SIU_S12"),
        (("MDM", "T08"), "MDM_T02"),
        (("RDE", "O25"), "RDE_O11"),
        (("ACK", "A01"), "ACK"),
        (("ZZZ", "Z01"), "ZZZ_Z01"),
    ],
)
def test_a_trigger_event_has_the_structure_of_its_family(said: tuple[str, str], structure: str) -> None:
    assert structure_of(*said) == structure
