"""The contract of `Brakes`, on DynamoDB (moto) and in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.adapters.brakes.dynamodb import DynamoDbBrakes
from headwater.model import Switch
from headwater.ports import Brakes
from tests.adapters.conftest import PROPOSALS, Calls
from tests.fakes import FakeBrakes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SWITCH = Switch("ehr/north", "officer", "drill", NOW.isoformat())


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(params=["memory", "dynamodb"])
def brakes(request: pytest.FixtureRequest) -> Brakes:
    if request.param == "memory":
        return FakeBrakes()
    return DynamoDbBrakes(request.getfixturevalue("table")(PROPOSALS, "intent", "created_at"), PROPOSALS)


@pytest.fixture
def stored(table: Callable[[str, str, str], Any]) -> DynamoDbBrakes:
    return DynamoDbBrakes(table(PROPOSALS, "intent", "created_at"), PROPOSALS)


def test_a_switch_is_seen_at_once_until_it_is_released(brakes: Brakes) -> None:
    assert brakes.look("north", ["all", "ehr/north"], NOW).switches == ()
    brakes.throw(SWITCH)
    assert brakes.look("north", ["all", "ehr/north"], NOW).switches == (SWITCH,)
    assert brakes.look("south", ["all", "ehr/south"], NOW).switches == ()
    assert list(brakes.switches()) == [SWITCH]
    brakes.release(replace(SWITCH, by="another", at=later(5).isoformat()))
    assert brakes.look("north", ["ehr/north"], NOW).switches == ()
    assert list(brakes.switches()) == []


def test_of_two_that_throw_a_switch_the_first_stands(brakes: Brakes) -> None:
    brakes.throw(SWITCH)
    brakes.throw(replace(SWITCH, by="another"))
    assert brakes.look("north", ["ehr/north"], NOW).switches[0].by == "officer"


def test_a_budget_gives_its_burst_and_then_its_rate(brakes: Brakes) -> None:
    def take(at: float) -> float:
        return brakes.take("north", cost=1, per_s=2.0, burst=3, now=later(at))

    assert [take(0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert take(0) == pytest.approx(0.5)
    assert take(0.5) == 0.0
    assert take(0.5) == pytest.approx(0.5)
    assert take(100) == 0.0
    assert brakes.take("south", cost=1, per_s=2.0, burst=3, now=NOW) == 0.0


def test_who_reserves_has_a_turn_of_their_own(brakes: Brakes) -> None:
    def reserve(at: float) -> float:
        return brakes.reserve("north", cost=1, per_s=2.0, burst=3, now=later(at))

    assert [reserve(0) for _ in range(6)] == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0, 1.5])
    assert reserve(1) == pytest.approx(1.0)
    assert brakes.take("north", cost=1, per_s=2.0, burst=3, now=later(1)) == pytest.approx(1.5)
    assert reserve(100) == 0.0


def test_a_reservation_that_costs_more_than_the_burst_is_given_when_nobody_waits(brakes: Brakes) -> None:
    assert brakes.reserve("north", cost=5, per_s=1.0, burst=3, now=NOW) == 0.0
    assert brakes.reserve("north", cost=5, per_s=1.0, burst=3, now=NOW) == pytest.approx(7.0)


def test_what_costs_more_than_the_burst_is_given_to_an_idle_budget(brakes: Brakes) -> None:
    assert brakes.take("north", cost=5, per_s=1.0, burst=3, now=NOW) == 0.0
    assert brakes.take("north", cost=1, per_s=1.0, burst=3, now=NOW) == pytest.approx(3.0)


def test_an_ehr_that_is_closed_stays_closed_until_the_latest_end(brakes: Brakes) -> None:
    brakes.close("north", later(30))
    brakes.close("north", later(10))
    assert brakes.look("north", [], NOW).closed_s == pytest.approx(30.0)
    assert brakes.look("north", [], later(31)).closed_s == 0.0


def test_writes_are_closed_and_counted_by_themselves(brakes: Brakes) -> None:
    brakes.close("north/writes", later(30))
    assert brakes.failed("north/writes") == 1
    seen = brakes.look("north", [], NOW)
    assert (seen.closed_s, seen.failures) == (0.0, 0)
    assert (seen.writes_closed_s, seen.write_failures) == (pytest.approx(30.0), 1)


def test_failures_are_counted_in_a_row(brakes: Brakes) -> None:
    assert [brakes.failed("north"), brakes.failed("north")] == [1, 2]
    assert brakes.look("north", [], NOW).failures == 2
    brakes.worked("north")
    assert brakes.look("north", [], NOW).failures == 0
    assert brakes.failed("north") == 1


def test_what_a_look_and_a_budget_cost(stored: DynamoDbBrakes, calls: Calls) -> None:
    with calls.counted() as seen:
        stored.look("north", ["all", "ehr/north", "kind/Observation"], NOW)
        stored.take("north", cost=1, per_s=1.0, burst=3, now=NOW)
    assert seen == ["dynamodb.BatchGetItem", "dynamodb.UpdateItem"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(takes=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=12))
def test_the_budget_in_memory_answers_as_dynamodb_does(stored: DynamoDbBrakes, takes: list[tuple[int, int]]) -> None:
    fake, name, at, granted = FakeBrakes(), f"run {next(_runs)}", 0.0, 0
    for pause, cost in takes:
        at += pause
        waits = [one.take(name, cost=cost, per_s=1.0, burst=4, now=later(at)) for one in (fake, stored)]
        assert waits[0] == pytest.approx(waits[1], abs=0.01)
        granted += cost if waits[0] == 0.0 else 0
    assert granted <= 4 + at


_runs = count()
