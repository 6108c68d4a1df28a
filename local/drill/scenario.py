"""A scenario: what is broken, what happens, and what must be true afterwards. Read from JSON, checked by a schema.

The words are those of the drill's vocabulary (`inject`, `stimulus`, `pass_criterion` …); `do` and `check` say the same
so that a machine can act on it. A scenario without them is interpreted (`local.drill.interpret`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCHEMA = HERE / "scenario.schema.json"
Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `sites` is how many sites beside target and origin it needs; `understood` is False for words that
    the interpreter did not know."""

    id: str
    title: str
    hazard: str
    severity: str
    ehr_profiles: tuple[str, ...]
    inject: tuple[Step, ...]
    stimulus: str
    expected: tuple[str, ...]
    pass_criterion: str
    source: str = ""
    control: str = ""
    do: tuple[Step, ...] = ()
    check: tuple[Step, ...] = ()
    not_understood: tuple[str, ...] = field(default=(), compare=False)


def scenario_of(entry: Mapping[str, Any]) -> Scenario:
    """One entry of the vocabulary; what is not there is empty."""
    lists = {key: tuple(entry.get(key, ())) for key in ("ehr_profiles", "inject", "expected", "do", "check")}
    texts = {
        key: str(entry.get(key, ""))
        for key in ("id", "title", "hazard", "severity", "stimulus", "pass_criterion", "source", "control")
    }
    return Scenario(**texts, **lists)  # type: ignore[arg-type]


def read(path: Path) -> list[Scenario]:
    """A file with one scenario, or one with many under `scenarios`, as the given drill has it; or a folder of files."""
    if path.is_dir():
        return [one for file in sorted(path.glob("*.json")) for one in read(file)]
    found = json.loads(path.read_text(encoding="utf-8"))
    entries: Sequence[Mapping[str, Any]] = found.get("scenarios", [found])
    return [scenario_of(entry) for entry in entries]
