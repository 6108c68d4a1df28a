"""alert: a score speaks when it means something else, and a machine never interrupts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.model import ProposalState
from tests.outbound.conftest import Desk, observation, wish
from tests.outbound.gates.test_samd import MODEL, score

DAY = 86_400


def tell(desk: Desk, value: float) -> str:
    at = desk.clock().isoformat()
    body = wish(score(value, effectiveDateTime=at), intent="deterioration-risk", model=MODEL,
                origin_ref=f"Observation/{at}")  # fmt: skip
    proposal = desk.propose(body)
    desk.clock.move(DAY)
    return proposal.reason.partition(" ")[0]


def told(desk: Desk) -> int:
    return sum(row.state is not ProposalState.REFUSED for row in desk.proposals.rows.values())


def test_thirty_days_of_jitter_are_told_once(desk: Desk) -> None:
    answers = [tell(desk, (0.412, 0.418, 0.409)[day % 3]) for day in range(30)]
    assert answers[0] == ""
    assert set(answers[1:]) == {"alert.no_change"}
    assert told(desk) == 1


def test_jitter_about_a_threshold_is_told_once(desk: Desk) -> None:
    for day in range(30):
        tell(desk, (0.595, 0.605)[day % 2])
    assert told(desk) == 1


def test_a_score_that_rises_into_another_band_is_told_at_once(desk: Desk) -> None:
    assert tell(desk, 0.41) == ""
    desk.clock.move(-DAY + 600)
    assert tell(desk, 0.66) == ""
    desk.clock.move(-DAY + 600)
    assert tell(desk, 0.41) == "alert.too_soon"
    assert tell(desk, 0.41) == ""


def test_a_newer_score_takes_the_place_of_one_that_nobody_has_looked_at(desk: Desk) -> None:
    tell(desk, 0.41)
    at = desk.clock().isoformat()
    desk.propose(wish(score(0.9, effectiveDateTime=at), intent="deterioration-risk", model=MODEL))
    states = [row.state for row in desk.proposals.rows.values()]
    assert states.count(ProposalState.PROPOSED) + states.count(ProposalState.SUPERSEDED) == 2


@pytest.mark.parametrize("priority", ["urgent", "asap", "STAT"])
def test_a_machine_gives_no_priority_that_interrupts(desk: Desk, priority: str) -> None:
    assert desk.propose(wish(observation(priority=priority))).reason.startswith("alert.interruptive")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(0, 1).map(lambda one: round(one, 3)), min_size=1, max_size=12))
def test_what_is_told_is_at_most_the_changes_of_state_and_one(desk: Desk, values: list[float]) -> None:
    desk.proposals.rows.clear()
    for value in values:
        tell(desk, value)
    bands = [sum(value >= edge for edge in (0.3, 0.6, 0.85)) for value in values]
    changes = sum(one != other for one, other in pairwise(bands))
    assert told(desk) <= changes + 1
