"""The drill: its files say what they can mean, prose is read or reported, it passes, and it can fail."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from local.drill import checks, play
from local.drill.clock import DrillClock
from local.drill.hazards import hazard_log
from local.drill.injections import HERE
from local.drill.interpret import interpreted
from local.drill.mutations import in_force, mutations, named
from local.drill.queues import DrillQueue
from local.drill.report import html
from local.drill.running import Drill, drill, scenarios_of
from local.drill.scenario import HERE as FOLDER
from local.drill.scenario import SCHEMA, Scenario, read, scenario_of
from local.ehrs.faults import KNOWN

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = {one.id: one for one in read(FOLDER / "scenarios")}
VOCABULARY = {
    "latency", "status", "drop_before_commit", "drop_after_commit", "commit_after", "search_lag", "late_ack",
    "reorder_acks", "http200_with_entry_error", "async_nack", "silent_discard", "token_ttl", "jti_replay_check",
    "version_bump", "concurrent_clinician_edit", "null_missing_fields", "ignore_fields", "default_unit_when_missing",
    "default_effective_now", "patient_merge_redirect", "empi_unlink", "tenant_confusion", "echo_event", "event_flood",
    "operation_outcome", "masked_element", "duplicate_delivery", "kill_process", "restore_ledger", "audit_unavailable",
    "clock_advance",
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the files


def test_every_fault_of_the_vocabulary_can_be_injected() -> None:
    assert (len(VOCABULARY), VOCABULARY - {*HERE, *KNOWN}) == (31, set())


@pytest.mark.parametrize("path", sorted((FOLDER / "scenarios").glob("*.json")), ids=lambda path: path.stem)
def test_a_scenario_is_as_its_schema_says_and_knows_its_words(path: Path) -> None:
    entry = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(entry, json.loads(SCHEMA.read_text(encoding="utf-8")))
    scenario = scenario_of(entry)
    assert scenario.id == path.stem
    assert scenario.do
    assert scenario.check
    assert scenario.control
    assert {fault["fault"] for fault in scenario.inject} <= {*HERE, *KNOWN}
    for step in scenario.do:
        for name, arguments in step.items():
            inspect.signature(play.STEPS[name]).bind(None, **arguments)
    assert {name for check in scenario.check for name in check} <= set(checks.CHECKS)


def test_the_hazard_log_is_what_the_scenarios_say() -> None:
    assert (ROOT / "docs" / "hazard-log.md").read_text(encoding="utf-8") == hazard_log(SCENARIOS.values())


def test_the_guide_names_every_step_and_check() -> None:
    guide = (ROOT / "docs" / "drill.md").read_text(encoding="utf-8")
    assert {name for name in (*play.STEPS, *checks.CHECKS) if f"`{name}`" not in guide} == set()


# -------------------------------------------------------------------------------------------------------------- prose


def prose(**changes: object) -> Scenario:
    entry = {"id": "XX-1", "title": "t", "hazard": "duplicate", "severity": "critical", "ehr_profiles": ["generic"],
             "inject": [], "stimulus": "approve one vital sign",
             "pass_criterion": "chart rows == 1; POSTs == 1"}  # fmt: skip
    return interpreted(scenario_of({**entry, **changes}), {})


def words(scenario: Scenario) -> list[str]:
    return [name for step in scenario.do for name in step]


def test_prose_becomes_steps_and_checks() -> None:
    scenario = prose(inject=[{"fault": "drop_after_commit", "on": "POST"}])
    assert words(scenario) == ["propose", "inject", "approve", "run"]
    assert list(scenario.check) == [{"rows": 1}, {"posts": 1}]
    assert scenario.not_understood == ()


def test_faults_come_when_they_make_sense() -> None:
    assert words(prose(inject=[{"fault": "kill_process"}])) == ["propose", "approve", "inject", "run"]
    assert words(prose(inject=[{"fault": "chart_contains"}])) == ["inject", "propose", "approve", "run"]
    assert words(prose(inject=[{"fault": "version_bump"}]))[:2] == ["chart_has", "propose"]


def test_what_is_not_understood_is_said() -> None:
    scenario = prose(inject=[{"fault": "gremlins"}], pass_criterion="chart rows == 1; the moon is full")
    assert scenario.not_understood == ("fault gremlins", "criterion: the moon is full")


def test_a_scenario_that_we_tell_in_steps_is_played_by_them() -> None:
    ours = SCENARIOS["CCD-01"]
    bare = scenario_of({"id": "CCD-01", "inject": list(ours.inject), "stimulus": "?", "pass_criterion": "?"})
    assert interpreted(bare, SCENARIOS).do == ours.do


def test_our_own_prose_is_understood() -> None:
    assert {one.id: one.not_understood for one in scenarios_of(FOLDER / "prose.json") if one.not_understood} == {}


# ----------------------------------------------------------------------------------------------------------- its parts


def test_a_queue_keeps_the_order_of_a_group_and_hides_what_is_out() -> None:
    clock = DrillClock()
    queue = DrillQueue("send", clock, visibility_s=60, most_receives=2)
    for body in ("1", "2"):
        queue.send(body, group="g", dedup=body)
    queue.send("1", group="g", dedup="1")
    first = queue.receive()
    assert first is not None
    assert (first.body, queue.receive(), queue.waiting) == ("1", None, 2)
    clock.advance(60)
    again = queue.receive()
    assert again is first
    queue.delete(first)
    second = queue.receive()
    assert second is not None
    assert second.body == "2"
    clock.advance(60)
    queue.receive()
    clock.advance(60)
    assert (queue.receive(), [dead.body for dead in queue.dead]) == (None, ["2"])


def test_every_mutation_names_a_scenario_and_what_it_replaces() -> None:
    for mutation in mutations():
        assert set(mutation.scenarios) <= set(SCENARIOS)
        with in_force(mutation):
            pass


# ---------------------------------------------------------------------------------------------------------- the drill


@pytest.fixture(scope="module")
def playing() -> Iterator[Drill]:
    with drill() as one:
        yield one


SHORT = (("CCD-01", "oracle-millennium"), ("CCD-05", "epic"), ("CCD-07", "redox"), ("CCD-11", "epic"),
         ("CCD-18", "oracle-millennium"), ("CCD-27", "epic"), ("CCD-37", "athenahealth"),
         ("CCD-53", "us-core-9-write"))  # fmt: skip


@pytest.mark.stack
@pytest.mark.parametrize(("name", "ehr"), SHORT)
def test_the_chart_is_safe(playing: Drill, name: str, ehr: str) -> None:
    outcome = playing.play(SCENARIOS[name], ehr, seed=3)
    assert outcome.green, (outcome.red, outcome.crash, outcome.unknown, outcome.troubles)
    assert len(outcome.invariants) == 10
    assert name in html([outcome], seconds=1.0, seed=3)


@pytest.mark.stack
@pytest.mark.parametrize("control", ["verify-before-resend", "audit-first"])
def test_without_a_control_the_drill_turns_red(playing: Drill, control: str) -> None:
    mutation = named(control)
    with in_force(mutation):
        outcomes = [playing.play(SCENARIOS[name], "oracle-millennium", seed=3) for name in mutation.scenarios]
    assert [outcome for outcome in outcomes if not outcome.green]
