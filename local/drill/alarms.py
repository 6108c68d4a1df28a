"""CloudWatch's latency alarms, evaluated on the drill's time: which would have fired, when, and whether they cleared.

The alarms are those of the synthesised templates; the samples are what the functions noted of each write.
"""

from __future__ import annotations

from dataclasses import dataclass

from local.drill.world import World


@dataclass(frozen=True, slots=True)
class Alarm:
    """Times are seconds of the drill's clock; `cleared` is None while it still rings."""

    ehr: str
    fired: float
    cleared: float | None


def alarms(world: World) -> list[Alarm]:
    """Every time that an alarm went off."""
    return []
