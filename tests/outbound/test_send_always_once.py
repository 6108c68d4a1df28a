"""Whatever an EHR does and wherever a sender dies, an intent has at most one row in the chart, and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Retry
from headwater.model import Answer, Proposal, ProposalState
from tests.outbound.chart_ehr import REFUSED_CONNECTION, ChartEhr
from tests.outbound.conftest import Desk

FAULTS = st.sampled_from(
    [None, "drop_before_commit", "drop_after_commit", "late", REFUSED_CONNECTION, Answer(429), Answer(503), Answer(500)]
)


class Killed(BaseException):
    """SIGKILL: nothing after this line ran, and no handler caught it."""


class Mortal:
    """A port whose calls count, and whose sender dies before or after the n-th of them."""

    def __init__(self, port: object, death: list[tuple[int, bool]], calls: list[int]) -> None:
        self._port, self._death, self._calls = port, death, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._port, name)

        def mortal(*args: Any, **kwargs: Any) -> Any:
            self._calls[0] += 1
            before, after = (self._calls[0], True) in self._death, (self._calls[0], False) in self._death
            if before:
                raise Killed
            result = call(*args, **kwargs)
            if after:
                raise Killed
            return result

        return mortal


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(FAULTS, max_size=4),
    deaths=st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=4),
    settles=st.lists(st.booleans(), max_size=30),
    lag=st.booleans(),
)
def test_at_most_one_row_per_intent(
    desk: Desk, faults: list[Any], deaths: list[tuple[int, bool]], settles: list[bool], lag: bool
) -> None:
    desk = _fresh(desk)
    desk.chart.search_lag = lag
    desk.chart.faults = list(faults)
    intent = desk.approved().intent
    calls = [0]
    ports = ("chart", "proposals", "audit", "brakes")
    mortal = replace(desk, **{name: Mortal(getattr(desk, name), deaths, calls) for name in ports})
    _deliver_until_final(desk, mortal, intent, settles)
    rows, posts = len(desk.chart.rows) + len(desk.chart.late), desk.chart.posts
    state = desk.proposals.rows[intent].state
    assert rows <= 1
    assert posts <= 2 + sum(isinstance(fault, Answer) and fault.status == 429 for fault in faults)
    assert state.final
    assert state is not ProposalState.FILED or rows == 1
    desk.audit.read(intent)  # raises when the chain is broken


def _deliver_until_final(desk: Desk, mortal: Desk, intent: str, settles: list[bool]) -> None:
    """SQS brings the intent again after each failure; the EHR commits what it still holds within its window."""
    window = desk.ehrs[desk.proposals.rows[intent].ehr].operation("Observation").max_commit_window_s
    waited = 0.0
    for turn in range(200):
        try:
            proposal: Proposal = mortal.send(intent)
        except Retry as retry:
            pause = retry.after or 30
        except Killed:
            pause = 360  # the queue's visibility time-out
        else:
            assert proposal.state.final
            return
        desk.clock.move(pause)
        waited += pause
        if waited >= window / 2 or (turn < len(settles) and settles[turn]):
            desk.chart.settle()
            waited = 0.0
    raise AssertionError("never final")


def _fresh(desk: Desk) -> Desk:
    return Desk(desk.ehrs, desk.policy, desk.persons, ChartEhr(desk.chart.patients), desk.engine_for)
