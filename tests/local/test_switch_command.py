"""headwater switch: which scope its options name, and what it leaves behind."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.model import ProposalState
from local.cli import parser, switch
from tests.adapters.test_proposals import PROPOSAL
from tests.fakes import FakeAuditLog, FakeBrakes, FakeProposals, FakeQueue


@dataclass
class FakeApp:
    brakes: FakeBrakes = field(default_factory=FakeBrakes)
    audit: FakeAuditLog = field(default_factory=FakeAuditLog)
    proposals: FakeProposals = field(default_factory=FakeProposals)
    send_queue: FakeQueue = field(default_factory=FakeQueue)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    made = FakeApp()
    monkeypatch.setattr(switch, "target_of", lambda _: SimpleNamespace(app=made))
    return made


def call(*words: str) -> int:
    options: argparse.Namespace = parser().parse_args(["switch", *words])
    code: int = options.run(options)
    return code


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        (["--all"], "all"),
        (["--ehr", "epic"], "ehr/epic"),
        (["--kind", "Observation"], "kind/Observation"),
        (["--ehr", "epic", "--kind", "Observation"], "ehr/epic/kind/Observation"),
        (["--ehr", "epic", "--patient", "Patient/7"], "patient/epic/7"),
        (["--scope", "code/epic/Observation/x|1"], "code/epic/Observation/x|1"),
        (["--patient", "7"], ""),
        (["--all", "--ehr", "epic"], ""),
        ([], ""),
    ],
)
def test_the_options_name_one_scope(app: FakeApp, words: list[str], scope: str) -> None:
    assert call("off", *words, "--why", "drill", "--user", "officer") == (0 if scope else 2)
    assert [(one.scope, one.by, one.why) for one in app.brakes.switches()] == (
        [(scope, "officer", "drill")] if scope else []
    )


def test_to_let_go_sends_for_what_has_waited_and_both_are_on_record(app: FakeApp, capsys: Any) -> None:
    waiting = replace(PROPOSAL, state=ProposalState.APPROVED)
    app.proposals.add(waiting)
    call("off", "--all", "--why", "looks wrong")
    call("list")
    assert "looks wrong" in capsys.readouterr().out
    call("on", "--all")
    assert app.brakes.switches() == []
    assert app.send_queue.bodies == [waiting.intent]
    assert [entry["event"] for entry in app.audit.read("switches")] == ["off", "on"]
