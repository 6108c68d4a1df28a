"""How long each EHR took, and whether its alarm would ring, out of the same log lines that CloudWatch makes metrics of.

The local stack has no CloudWatch. The lines are in Embedded Metric Format; what counts as slow is `infra.latency`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import latency


@dataclass(frozen=True, slots=True)
class Sample:
    """One request to an EHR. `at` is in seconds, of any clock; an unanswered one took at least `milliseconds`."""

    at: float
    ehr: str
    operation: str
    milliseconds: float
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """Times are ends of minutes, in the samples' seconds; `cleared` is None while it rings."""

    ehr: str
    fired: float
    cleared: float | None


def samples(logs: Iterable[Path]) -> Iterator[Sample]:
    """Every sample in the functions' logs."""
    for file in logs:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"ehr_milliseconds"' in line:
                yield from _of(line)


def _of(line: str) -> Iterator[Sample]:
    try:
        said = json.loads(line[line.index("{") :])
        at = said["_aws"]["Timestamp"] / 1000
        values = zip(said["ehr_milliseconds"], said["ehr_unanswered"], strict=True)
        for milliseconds, unanswered in values:
            yield Sample(at, said["ehr"], said["operation"], float(milliseconds), bool(unanswered))
    except (ValueError, KeyError, TypeError):  # a line that was cut off
        return


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that `percent` of all do not exceed. `values` may not be empty."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def figures(found: Iterable[Sample]) -> dict[tuple[str, str], list[Sample]]:
    """The samples by EHR and operation, sorted."""
    by_operation: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for one in found:
        by_operation[one.ehr, one.operation].append(one)
    return dict(sorted(by_operation.items()))


def alarms(found: Iterable[Sample], *, until: float) -> list[Alarm]:
    """Each time that an EHR's alarm rang, until the moment `until`: so many slow minutes of the last so many; a minute
    without a request is a good one (`infra.alarm`)."""
    minutes: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        minutes[one.ehr][int(one.at // latency.PERIOD_S)].append(one.milliseconds)
    last = int(until // latency.PERIOD_S)
    return [alarm for ehr, by_minute in sorted(minutes.items()) for alarm in _of_one(ehr, by_minute, last)]


def _of_one(ehr: str, by_minute: Mapping[int, Sequence[float]], last: int) -> Iterator[Alarm]:
    slow = {
        minute
        for minute, values in by_minute.items()
        if percentile(values, latency.PERCENTILE) > latency.SLOW_MILLISECONDS
    }
    fired: float | None = None
    for minute in range(min(by_minute), last + 1):
        rings = len(slow & set(range(minute - latency.PERIODS + 1, minute + 1))) >= latency.SLOW_PERIODS
        ends = float((minute + 1) * latency.PERIOD_S)
        if rings and fired is None:
            fired = ends
        elif not rings and fired is not None:
            yield Alarm(ehr, fired, ends)
            fired = None
    if fired is not None:
        yield Alarm(ehr, fired, None)
