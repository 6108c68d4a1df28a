"""CloudWatch's latency alarms, evaluated on the drill's time: which would have rung, when, and whether they cleared.

What counts as slow is `infra.latency`, and how an alarm counts it `local.latency`; the samples are what the functions
noted of each request.
"""

from __future__ import annotations

from local.drill.world import World
from local.latency import Alarm, Sample
from local.latency import alarms as rung


def alarms(world: World) -> list[Alarm]:
    """Every time that an alarm went off, until now and the quarter of an hour after it, in which nothing is asked."""
    return rung(samples(world), until=world.clock() + 900)


def samples(world: World) -> list[Sample]:
    """One a request to an EHR, at the drill's time."""
    return [
        Sample(event.at, str(event.facts["ehr"]), str(event.facts["operation"]), float(event.facts["milliseconds"]))
        for event in world.timeline.of("metric")
        if event.facts["step"] == "ehr"
    ]
