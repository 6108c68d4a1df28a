"""The contract of `Watch`, on Powertools and in memory, and the line that CloudWatch reads."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from headwater.adapters.watch.powertools import PowertoolsWatch
from tests.fakes import FakeWatch


def noted(*arguments: Any, **named: Any) -> dict[str, Any]:
    stream = io.StringIO()
    logger = Logger(service=f"test-{id(stream)}", level="INFO", location=None, stream=stream)
    PowertoolsWatch(logger).note(*arguments, **named)
    (line,) = stream.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def metrics(line: dict[str, Any]) -> list[tuple[list[list[str]], list[str]]]:
    return [
        (each["Dimensions"], [metric["Name"] for metric in each["Metrics"]])
        for each in line["_aws"]["CloudWatchMetrics"]
    ]


def test_a_note_is_one_line_with_its_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "must not become a dimension")
    line = noted("convert", "done", milliseconds=12.5, message="north/ab12", resources=7)
    assert metrics(line) == [([["step", "outcome"]], ["count", "milliseconds"])]
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Headwater"
    assert (line["step"], line["outcome"], line["count"], line["milliseconds"]) == ("convert", "done", [1.0], [12.5])
    assert line["ids"] == {"message": "north/ab12", "resources": 7}
    assert (line["level"], line["message"]) == ("INFO", "convert done")


def test_a_request_to_an_ehr_is_measured_per_ehr_and_per_operation() -> None:
    line = noted("ehr", "answered", milliseconds=840.0, ehr="north", operation="create", status=201)
    assert metrics(line) == [
        ([["step", "outcome"]], ["count", "milliseconds"]),
        ([["ehr", "operation"], ["ehr"]], ["ehr_milliseconds", "ehr_unanswered"]),
    ]
    assert (line["ehr"], line["operation"], line["ehr_milliseconds"]) == ("north", "create", [840.0])
    assert line["ehr_unanswered"] == [0.0]
    units = {one["Name"]: one["Unit"] for one in line["_aws"]["CloudWatchMetrics"][1]["Metrics"]}
    assert units == {"ehr_milliseconds": "Milliseconds", "ehr_unanswered": "Count"}


def test_a_request_that_never_left_says_nothing_of_the_ehr_s_speed() -> None:
    assert len(metrics(noted("ehr", "unsent", ehr="north", operation="create", status=0))) == 1


def test_other_steps_are_not_measured_per_ehr() -> None:
    assert len(metrics(noted("convert", "done", ehr="north"))) == 1


@pytest.mark.parametrize("name", ["message", "level", "name", "args", "location", "_aws", "count"])
def test_no_id_collides_with_the_log(name: str) -> None:
    assert noted("match", "held", **{name: "x"})["ids"] == {name: "x"}


def test_the_fake_remembers_what_was_noted() -> None:
    watch = FakeWatch()
    watch.note("send", "filed", milliseconds=3, ehr="north")
    assert watch.outcomes == ["send.filed"]
    assert watch.notes == [("send", "filed", {"ehr": "north"})]
