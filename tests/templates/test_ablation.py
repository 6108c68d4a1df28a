"""The rules of Microsoft's dialect can still be switched off one by one: see `tests/conformance/ablation.py`."""

from __future__ import annotations

import pytest

from tests.conformance.ablation import ABLATIONS, PACKAGE, Ablation, noticed


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.rule)
def test_each_rule_stands_in_one_place(ablation: Ablation) -> None:
    assert (PACKAGE / ablation.file).read_text().count(ablation.old) == 1
    assert ablation.old != ablation.new


def test_a_rule_that_is_switched_off_is_noticed() -> None:
    assert noticed(ABLATIONS[0]) > 0
