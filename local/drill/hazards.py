"""The hazard log: every hazard with what controls it, what shows that the control works, and what shows that the drill
would notice if it did not. Made of the scenarios and the mutations, so that it cannot say more than they do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from local.drill.mutations import mutations
from local.drill.scenario import Scenario

_HEAD = """# Hazard log

For the clinical safety committee: what can go wrong between a clinician's approval and a chart, what stands against it,
and what shows that it does (ISO 14971 terms: hazard, risk control, verification). Made by
`headwater drill --hazard-log` out of the scenarios in `local/drill/scenarios/` and the controls in
`local/drill/mutations.py`; a test holds this page to them. How a scenario is played, and when it passes:
[drill.md](drill.md). *Switched off* names the controls without which the scenario is known to fail.

"""


def hazard_log(scenarios: Iterable[Scenario]) -> str:
    """The page, in Markdown."""
    noticed: defaultdict[str, list[str]] = defaultdict(list)
    for mutation in mutations():
        for name in mutation.scenarios:
            noticed[name].append(f"`{mutation.name}`")
    by_hazard: defaultdict[str, list[Scenario]] = defaultdict(list)
    for scenario in scenarios:
        by_hazard[scenario.hazard].append(scenario)
    parts = []
    for hazard, found in sorted(by_hazard.items()):
        rows = "".join(
            f"| {one.title} | {one.severity} | {one.control} | {one.id} | {', '.join(noticed[one.id]) or '–'} |\n"
            for one in sorted(found, key=lambda one: one.id)
        )
        heads = "| harm begins with | severity | control | verified by | switched off |\n|---|---|---|---|---|\n"
        parts.append(f"## {hazard.replace('-', ' ').capitalize()}\n\n{heads}{rows}")
    return _HEAD + "\n".join(parts)
