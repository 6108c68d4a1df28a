"""Latency as CloudWatch would see it: percentiles, unanswered requests, alarms that ring for the slow EHR and clear."""

from __future__ import annotations

import io
from pathlib import Path

from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.ehr.timed import TimedApi
from headwater.adapters.watch.powertools import PowertoolsWatch
from headwater.model import Answer
from local.latency import Alarm, Sample, alarms, figures, percentile, samples
from tests.fakes import FakeWatch


class Slow:
    """An EHR whose every answer is this one."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def create(self, *_: object, **__: object) -> Answer:
        return self.answer

    update = read = search = create


def test_a_request_without_an_answer_counts_at_its_deadline_and_whole_seconds_are_kept() -> None:
    watch = FakeWatch()
    for answer in (Answer(201, milliseconds=35_002), Answer(0, milliseconds=40), Answer(0, milliseconds=36_000)):
        assert TimedApi(Slow(answer), "north", 35.0, watch).create("Observation", b"") is answer
    TimedApi(Slow(Answer(0, sent=False, milliseconds=2)), "north", 35.0, watch).read("Observation/1")
    assert [milliseconds for _, _, milliseconds in watch.timed] == [35_002, 35_000, 36_000, 2]
    assert watch.outcomes == ["ehr.answered", "ehr.unanswered", "ehr.unanswered", "ehr.unsent"]


def test_the_functions_log_lines_are_read_back(tmp_path: Path) -> None:
    stream = io.StringIO()
    watch = PowertoolsWatch(Logger(service="latency-test", level="INFO", location=None, stream=stream))
    for answer in (Answer(201, milliseconds=12), Answer(0), Answer(0, sent=False)):
        TimedApi(Slow(answer), "north", 35.0, watch).create("Observation", b"")
    watch.note("send", "read_back", milliseconds=5, ehr="north")
    log = tmp_path / "send.log"
    log.write_text(stream.getvalue() + '{"ehr_milliseconds": cut off')
    found = list(samples([log]))
    assert [(one.ehr, one.operation, one.milliseconds, one.unanswered) for one in found] == [
        ("north", "create", 12.0, False), ("north", "create", 35_000.0, True)]  # fmt: skip
    assert list(figures(found)) == [("north", "create")]


def minute_by_minute(ehr: str, milliseconds: list[float]) -> list[Sample]:
    return [Sample(60.0 * minute + 1, ehr, "create", one) for minute, one in enumerate(milliseconds)]


def test_the_alarm_of_the_slow_ehr_rings_within_five_minutes_and_clears_and_no_other_does() -> None:
    slow = minute_by_minute("a", [100, 12_000, 12_000, 12_000, 12_000, 100, 100, 100, 100, 100])
    fine = minute_by_minute("b", [100] * 10)
    (alarm,) = alarms([*slow, *fine], until=600)
    assert (alarm.ehr, alarm.fired) == ("a", 240.0)
    assert alarm.fired - 60 <= 300
    assert alarm.cleared == 480.0


def test_one_slow_request_is_no_alarm_and_silence_is_health() -> None:
    assert alarms(minute_by_minute("a", [100, 35_000, 100, 100]), until=600) == []
    still = minute_by_minute("a", [12_000] * 3)
    assert alarms(still, until=179) == [Alarm("a", 180.0, None)]
    assert [alarm.cleared for alarm in alarms(still, until=900)] == [360.0]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9
