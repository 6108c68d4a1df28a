"""The short form of `python -m tests.fuzz`: some hundred inputs a target, the same ones each time."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS, attempt

_INPUTS = 150


@pytest.mark.parametrize("target", TARGETS)
def test_random_input_is_taken_or_refused(target: str) -> None:
    outcomes = {attempt(target, 2026, number) for number in range(_INPUTS)}
    assert len(outcomes) > 1, "the inputs are all alike"
    assert outcomes - {"taken"} == {code for code in outcomes if "." in code}
