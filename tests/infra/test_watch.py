"""Whatever can wait, fail or be slow has an alarm, and every alarm tells somebody."""

from __future__ import annotations

import json

import pytest

from infra.deployment import ROOT, writable_ehrs
from infra.watch import STEPS


def _alarms(cloud, metric):
    """Dimensions of every alarm on a metric, as one text each, and the alarms."""
    return {
        json.dumps([dimension["Value"] for dimension in it["Dimensions"]]): it
        for it in cloud.properties("AWS::CloudWatch::Alarm")
        if it.get("MetricName") == metric
    }


def _board(cloud):
    (board,) = cloud.properties("AWS::CloudWatch::Dashboard")
    return json.loads(
        "".join(part if isinstance(part, str) else "REGION" for part in board["DashboardBody"]["Fn::Join"][1])
    )


def test_every_alarm_tells_the_topic_when_it_begins_and_when_it_ends(cloud):
    for alarm in cloud.properties("AWS::CloudWatch::Alarm"):
        (action,) = alarm["AlarmActions"]
        assert action["Fn::ImportValue"].startswith("headwater-data:ExportsOutputRefAlarms")
        assert alarm["OKActions"] == alarm["AlarmActions"]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmDescription"]


def test_one_dead_letter_is_an_alarm(cloud):
    alarms = _alarms(cloud, "ApproximateNumberOfMessagesVisible")
    dead = [name for name, queue in cloud.resources("AWS::SQS::Queue") if "-dead." in queue["Properties"]["QueueName"]]
    assert len(dead) == 3
    assert all(any(name in dimension for dimension in alarms) for name in dead)
    assert {alarm["Threshold"] for alarm in alarms.values()} == {0}


def test_the_age_of_the_oldest_message_of_every_queue_has_an_alarm(cloud):
    alarms = _alarms(cloud, "ApproximateAgeOfOldestMessage")
    live = [
        name for name, queue in cloud.resources("AWS::SQS::Queue") if "-dead." not in queue["Properties"]["QueueName"]
    ]
    assert len(live) == len(alarms) == 3
    assert all(any(name in dimension for dimension in alarms) for name in live)


@pytest.mark.parametrize("metric", ["Errors", "Throttles", "Duration"])
def test_every_function_has_alarms_for_errors_throttles_and_time(cloud, metric):
    alarms = _alarms(cloud, metric)
    functions = [name for name, _ in cloud.resources("AWS::Lambda::Function")]
    assert len(functions) == len(alarms) == 8
    assert all(any(name in dimension for dimension in alarms) for name in functions)


def test_every_ehr_that_can_be_written_to_has_an_alarm_on_the_p99_of_its_writes(cloud):
    alarms = _alarms(cloud, "ehr_milliseconds")
    assert {json.loads(dimension)[0] for dimension in alarms} == set(writable_ehrs())
    assert {alarm["ExtendedStatistic"] for alarm in alarms.values()} <= {"p99"}


def test_an_ehr_that_is_only_read_costs_no_alarm():
    known = {file.parent.name for file in (ROOT / "mappings" / "ehrs").glob("*/ehr.toml")}
    assert {"epic", "oracle-millennium"} <= set(writable_ehrs()) < known
    assert "advancedmd" in known - set(writable_ehrs())


def test_a_site_can_be_written_to_when_the_product_that_it_is_like_can(tmp_path):
    for ehr, text in {
        "product": "[write.Observation.create]",
        "hospital": 'like = "product"',
        "ward": 'like = "hospital"',
        "reader": 'title = "R"',
        "astray": 'like = "nobody"',
        "ring": 'like = "round"',
        "round": 'like = "ring"',
    }.items():
        (tmp_path / "ehrs" / ehr).mkdir(parents=True)
        (tmp_path / "ehrs" / ehr / "ehr.toml").write_text(text, encoding="utf-8")
    assert writable_ehrs(tmp_path) == ("hospital", "product", "ward")


def test_proposals_that_nobody_looks_at_are_an_alarm(cloud):
    (unreviewed,) = (it for it in cloud.properties("AWS::CloudWatch::Alarm") if "Metrics" in it)
    used = {
        it["Id"]: {dimension["Name"]: dimension["Value"] for dimension in it["MetricStat"]["Metric"]["Dimensions"]}
        for it in unreviewed["Metrics"]
        if "MetricStat" in it
    }
    assert used == {
        "proposed": {"step": "propose", "outcome": "proposed"},
        "calls": {"FunctionName": cloud.function("review")["FunctionName"]},
    }


def test_the_dashboard_has_a_row_for_every_step_in_the_order_of_the_way(cloud):
    rows = {}
    for widget in _board(cloud)["widgets"]:
        rows.setdefault(widget["y"], []).append(widget["properties"]["title"])
    titles = [rows[y][0] for y in sorted(rows)]
    assert titles[: len(STEPS)] == [f"{step}: outcomes" for step in STEPS]


def test_the_dashboard_searches_the_metrics_that_the_watch_adapter_writes(cloud):
    adapter = (ROOT / "lambdas" / "headwater" / "adapters" / "watch" / "powertools.py").read_text(encoding="utf-8")
    text = json.dumps(_board(cloud))
    assert "{Headwater,outcome,step}" in text
    for metric in ("count", "milliseconds", "ehr_milliseconds"):
        assert f'"{metric}"' in adapter
    assert 'NAMESPACE = "Headwater"' in adapter


def test_the_dashboard_shows_every_queue_by_its_real_name(cloud):
    text = json.dumps(_board(cloud))
    for queue in cloud.properties("AWS::SQS::Queue"):
        assert f'"{queue["QueueName"]}"' in text


def test_a_move_that_does_not_get_through_is_an_alarm(cloud):
    (alarm,) = (
        it
        for it in cloud.properties("AWS::CloudWatch::Alarm")
        if {"Name": "step", "Value": "follow"} in it.get("Dimensions", [])
    )
    assert {"Name": "outcome", "Value": "failed"} in alarm["Dimensions"]
