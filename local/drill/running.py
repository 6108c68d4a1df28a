"""Plays scenarios: each on the EHRs that it names, each with a world of its own, and what came of it."""

from __future__ import annotations

import random
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.drill import aws, checks, invariants, sites
from local.drill.checks import Finding
from local.drill.interpret import interpreted
from local.drill.play import Play
from local.drill.scenario import HERE, Scenario, read
from local.drill.world import World

STRANGE = ("criterion:", "fault ", "step ", "kill_process ")


@dataclass
class Outcome:
    """One scenario on one EHR. `unknown` are words that were not understood; `crash` is the drill's own failure."""

    scenario: Scenario
    ehr: str
    seed: int
    findings: list[Finding] = field(default_factory=list)
    invariants: list[Finding] = field(default_factory=list)
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    troubles: str = ""
    crash: str = ""
    seconds: float = 0.0
    passed_s: float = 0.0

    @property
    def green(self) -> bool:
        """All that could be checked is so; what was not understood is another matter (`partly`)."""
        lost = [word for word in self.unknown if not word.startswith("criterion:")]
        return bool(self.findings) and not self.crash and not lost and not self.red

    @property
    def partly(self) -> bool:
        """A part of the criterion could not be read by machine, and was not checked."""
        return self.green and bool(self.unknown)

    @property
    def red(self) -> list[Finding]:
        return [finding for finding in (*self.findings, *self.invariants) if not finding.ok]


@dataclass
class Drill:
    """A running local AWS and the drill's mapping asset; `play` takes one scenario through."""

    aws: aws.DrillAws
    mappings: Path
    scratch: Path
    full: bool = False
    count: int = 0

    def play(self, scenario: Scenario, ehr: str, seed: int) -> Outcome:
        self.count += 1
        outcome = Outcome(scenario, ehr, seed)
        started = time.monotonic()
        world = self._world(ehr, seed)
        try:
            self._play(Play(world, scenario, full=self.full), outcome)
        except Exception:  # noqa: BLE001  a drill that breaks down on one scenario goes on with the next
            outcome.crash = traceback.format_exc()
        finally:
            world.close()
        outcome.seconds = time.monotonic() - started
        return outcome

    def _world(self, ehr: str, seed: int) -> World:
        name = f"r{self.count}"
        settings = self.aws.fresh(name, self.mappings)
        others = [one for one in sites.GENERIC if one != ehr]
        origin, other = random.Random(f"{ehr} {seed}").sample(others, 2)
        world = World(
            settings, sites.site_of(ehr), sites.site_of(origin), (sites.site_of(other),), self.scratch / name, seed
        )
        self.aws.connect(settings.ehr_secret_prefix, world.open(_key()))
        return world

    def _play(self, play: Play, outcome: Outcome) -> None:
        world = play.world
        play.person()
        play.begun = world.clock()
        outcome.before = _shown(world)
        for step in play.scenario.do:
            play.do(step)
        outcome.findings = [one for check in play.scenario.check for one in checks.examine(play, check)]
        outcome.invariants = invariants.examine(play)
        outcome.after = _shown(world)
        outcome.ledger = [_ledger_row(row) for row in world.proposals()]
        outcome.audit = [{**e.facts, "at": e.at - play.begun, "intent": e.intent} for e in world.timeline.of("audit")]
        strange = (*play.scenario.not_understood, *play.unknown)
        outcome.unknown = tuple(word for word in strange if word.startswith(STRANGE))
        outcome.notes = (*(word for word in strange if not word.startswith(STRANGE)), *play.notes)
        outcome.troubles = world.troubles()
        outcome.passed_s = world.clock() - play.begun


def profiles_of(scenario: Scenario, seed: int, only: Sequence[str] = ()) -> list[str]:
    """The EHRs to play it on: those it names, or two unlike ones where it says generic."""
    named = [ehr for ehr in scenario.ehr_profiles if ehr != "generic"]
    if "generic" in scenario.ehr_profiles or not named:
        unlike = [one for one in sites.GENERIC if one not in named]
        random.Random(f"{scenario.id} {seed}").shuffle(unlike)
        named += unlike[:2]
    known = sites.known()
    chosen = [ehr if ehr in known else sites.GENERIC[0] for ehr in named]
    return [ehr for ehr in dict.fromkeys(chosen) if not only or ehr in only]


def scenarios_of(path: Path) -> list[Scenario]:
    """The scenarios of a file or folder, each with steps and checks: its own, ours, or interpreted ones."""
    ours = {one.id: one for one in read(HERE / "scenarios")}
    return [interpreted(one, ours) for one in read(path)]


@contextmanager
def drill(*, full: bool = False) -> Iterator[Drill]:
    """A drill that can play; everything it started ends with the block."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        scratch = Path(folder)
        with aws.running(scratch) as running:
            yield Drill(running, sites.lay_out(scratch), scratch, full)


def without_site(scenario: Scenario) -> list[str]:
    """Products that a scenario names and the drill has no site of: another one stood in for them."""
    return [ehr for ehr in scenario.ehr_profiles if ehr != "generic" and ehr not in sites.known()]


def play_all(playing: Drill, scenarios: Iterable[Scenario], seed: int, only: Sequence[str] = ()) -> Iterator[Outcome]:
    for scenario in scenarios:
        replaced = tuple(f"no site of {ehr}: played on {sites.GENERIC[0]}" for ehr in without_site(scenario))
        for ehr in profiles_of(scenario, seed, only):
            outcome = playing.play(scenario, ehr, seed)
            outcome.notes = (*outcome.notes, *replaced)
            yield outcome


def _shown(world: World) -> list[dict[str, Any]]:
    return [row for row in world.chart()["rows"] if row["resource"]["resourceType"] != "Patient"]


def _ledger_row(row: Any) -> dict[str, Any]:
    names = ("intent", "ehr", "resource_type", "reason", "decided_by", "attempts", "filed_ref", "payload_hash")
    return {"state": row.state.value, **{name: getattr(row, name) for name in names}, "differences": row.differences}


@cache
def _key() -> bytes:
    """The client's private key: one for all scenarios, for making it takes longer than most of them."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
