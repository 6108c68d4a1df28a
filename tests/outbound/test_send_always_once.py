"""Whatever an EHR does and wherever a sender dies, an intent has at most one row in the chart, an update is made at
most once and over nobody's edit, and every intent ends.

`HEADWATER_EXAMPLES=20000 pytest tests/outbound/test_send_always_once.py` is the long form.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Refuse, Retry
from headwater.model import Answer, Proposal, ProposalState, Resource
from tests.outbound.chart_ehr import REFUSED_CONNECTION, ChartEhr
from tests.outbound.conftest import TARGET, Desk, wish
from tests.outbound.test_updates import ROW, condition

EXAMPLES = int(os.environ.get("HEADWATER_EXAMPLES", "150"))
LIES = (Answer(201, {"Location": "Observation/none"}), Answer(200), Answer(202))
FAULTS = st.sampled_from(
    [None, "drop_before_commit", "drop_after_commit", "late", REFUSED_CONNECTION, Answer(429), Answer(503), Answer(500),
     Answer(409), *LIES]
)  # fmt: skip
NOT_LOOKED_AT = (429,)
A_LOT = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
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


@A_LOT
@given(
    faults=st.lists(FAULTS, max_size=4),
    deaths=st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=4),
    settles=st.lists(st.booleans(), max_size=30),
    lag=st.booleans(),
    restored_at=st.none() | st.integers(0, 6),
)
def test_at_most_one_row_per_intent(
    desk: Desk,
    faults: list[Any],
    deaths: list[tuple[int, bool]],
    settles: list[bool],
    lag: bool,
    restored_at: int | None,
) -> None:
    desk = _fresh(desk)
    desk.chart.search_lag = lag
    desk.chart.faults = list(faults)
    intent = desk.approved().intent
    _deliver_until_final(desk, _mortal(desk, deaths), intent, settles, restored_at)
    rows, posts = len(desk.chart.rows) + len(desk.chart.late), desk.chart.posts
    state = desk.proposals.rows[intent].state
    assert rows <= 1
    assert posts <= 2 + sum(isinstance(fault, Answer) and fault.status in NOT_LOOKED_AT for fault in faults)
    assert state.final
    assert state is not ProposalState.FILED or rows == 1
    desk.audit.read(intent)  # raises when the chain is broken


@A_LOT
@given(
    faults=st.lists(FAULTS, max_size=4),
    deaths=st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=4),
    settles=st.lists(st.booleans(), max_size=30),
    edited_at=st.none() | st.integers(0, 6),
    restored_at=st.none() | st.integers(0, 6),
)
def test_an_update_is_made_once_and_over_nobody_s_edit(
    desk: Desk,
    faults: list[Any],
    deaths: list[tuple[int, bool]],
    settles: list[bool],
    edited_at: int | None,
    restored_at: int | None,
) -> None:
    desk = _fresh(desk)
    row = condition(id="c1", meta={"versionId": "3"}, subject={"reference": "Patient/p-M77120"})
    desk.chart.rows[ROW] = row
    intent = desk.approved(wish(condition("resolved"), updates=ROW, origin_ref="Condition/src")).intent
    desk.chart.faults = list(faults)
    edit = {"note": [{"text": "seen by the clinician"}]}
    _deliver_until_final(desk, _mortal(desk, deaths), intent, settles, restored_at, edited_at, edit)
    state, now = desk.proposals.rows[intent].state, desk.chart.rows[ROW]
    ours = [version for version in desk.chart.taken if "note" not in version["put"]]
    assert state.final
    assert len(ours) <= 1
    assert all(version["over"] == "3" for version in ours)
    if desk.chart.edited:
        assert now["note"] == edit["note"]
    if state is ProposalState.FILED and not desk.chart.edited:
        assert now["clinicalStatus"]["coding"][0]["code"] == "resolved"
    desk.audit.read(intent)


def _mortal(desk: Desk, deaths: list[tuple[int, bool]]) -> Desk:
    calls = [0]
    ports = ("chart", "proposals", "audit", "brakes")
    return replace(desk, **{name: Mortal(getattr(desk, name), deaths, calls) for name in ports})


def _deliver_until_final(
    desk: Desk,
    mortal: Desk,
    intent: str,
    settles: list[bool],
    restored_at: int | None = None,
    edited_at: int | None = None,
    edit: Resource | None = None,
) -> None:
    """SQS brings the intent again after each failure; the EHR commits what it still holds within its window. On turn
    `restored_at` the ledger comes back from the backup of the beginning, on `edited_at` a clinician changes the row."""
    backup = desk.proposals.rows[intent]
    window = desk.ehrs[TARGET].operation("Observation").max_commit_window_s
    waited = 0.0
    for turn in range(300):
        if turn == edited_at and edit:
            desk.chart.edit(ROW, edit)
        if turn == restored_at:
            desk.proposals.rows[intent] = backup
        try:
            proposal: Proposal = mortal.send(intent)
        except Retry as retry:
            pause = retry.after or 30
        except Killed:
            pause = 360  # the queue's visibility time-out
        except Refuse as refusal:
            raise AssertionError(refusal.code) from None
        else:
            assert proposal.state.final
            if restored_at is None or turn >= restored_at:
                return
            pause = 30
        desk.clock.move(pause)
        waited += pause
        if waited >= window / 2 or (turn < len(settles) and settles[turn]):
            desk.chart.settle()
            waited = 0.0
    raise AssertionError("never final")


def _fresh(desk: Desk) -> Desk:
    chart, read = ChartEhr(desk.chart.patients), {"rules": desk.rules, "terms": desk.terms}
    return Desk(desk.ehrs, desk.policy, desk.persons, chart, desk.engine_for, **read)
