"""headwater drill: make happen what can go wrong between an approval and a chart, and report what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from local.drill import sites
from local.drill.hazards import hazard_log
from local.drill.mutations import in_force, mutations
from local.drill.report import html
from local.drill.running import Outcome, drill, play_all, profiles_of, scenarios_of
from local.drill.scenario import HERE, read

SCENARIOS = HERE / "scenarios"


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "drill",
        help="the chart-corruption drill: every scenario, ten invariants, a report",
        description="Plays scenarios of chart corruption against simulated EHRs and a local AWS of its own; "
        "nothing else is touched. Any critical failure fails the drill.",
    )
    command.add_argument("--scenario", action="append", default=[], metavar="ID", help="only this one (repeatable)")
    command.add_argument("--ehr", action="append", default=[], metavar="NAME", help="only on this EHR (repeatable)")
    command.add_argument("--seed", type=int, default=1, help="other people, values and choices (%(default)s)")
    command.add_argument("--data", type=Path, default=SCENARIOS, metavar="FILE",
                         help="scenarios: a file or a folder; the vocabulary is docs/drill.md")  # fmt: skip
    command.add_argument("--report", type=Path, metavar="FILE", help="write the report here (HTML, self-contained)")
    command.add_argument("--full", action="store_true", help="with the numbers of the scenarios, not a part of them")
    command.add_argument(
        "--mutate", metavar="CONTROL", help="with this control switched off: its scenarios must turn red"
    )
    command.add_argument("--mutations", action="store_true", help="every control switched off in turn; prints a table")
    command.add_argument("--hazard-log", action="store_true", help="print docs/hazard-log.md")
    command.add_argument("--verbose", action="store_true", help="show every finding")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.hazard_log:
        print(hazard_log(read(SCENARIOS)), end="")
        return 0
    if options.mutations or options.mutate:
        return mutate(options)
    console = Console(highlight=False, soft_wrap=True)
    known = scenarios_of(options.data)
    scenarios = [one for one in known if not options.scenario or one.id in options.scenario]
    if strangers := sorted(set(options.scenario) - {one.id for one in scenarios}):
        ids = ", ".join(one.id for one in known)
        print(f"headwater: no scenario {', '.join(strangers)}: {ids}", file=sys.stderr)
        return 2
    if not any(profiles_of(one, options.seed, options.ehr) for one in scenarios):
        print(f"headwater: none is played there; the sites are of {', '.join(sites.known())}", file=sys.stderr)
        return 2
    started, outcomes = time.monotonic(), []
    with drill(full=options.full) as playing:
        for outcome in play_all(playing, scenarios, options.seed, options.ehr):
            outcomes.append(outcome)
            show(console, outcome, verbose=options.verbose)
    red = [outcome for outcome in outcomes if not outcome.green]
    partly = sum(outcome.partly for outcome in outcomes)
    took = time.monotonic() - started
    if options.report:
        options.report.write_text(html(outcomes, seconds=took, seed=options.seed), encoding="utf-8")
        console.print(f"report: {options.report}")
    console.print(f"{len(outcomes)} runs of {len(scenarios)} scenarios in {took:.0f} s, seed {options.seed}: "
                  + (f"[bold red]{len(red)} red" if red else "[bold green]all green")
                  + (f"[/], [bold yellow]{partly} checked in part" if partly else ""))  # fmt: skip
    return 1 if red else 0


def show(console: Console, outcome: Outcome, *, verbose: bool = False) -> None:
    scenario = outcome.scenario
    mark = "[bold red]FAIL[/]" if not outcome.green else "[bold yellow]part[/]" if outcome.partly else "[green]pass[/]"
    console.print(f"{mark} {scenario.id} {outcome.ehr:18} {outcome.seconds:5.1f} s  {scenario.title}")
    for finding in (*outcome.findings, *outcome.invariants):
        if verbose or not finding.ok:
            console.print(
                f"       {'[green]✓[/]' if finding.ok else '[red]✗[/]'} {finding.says}: {finding.found}", markup=True
            )
    if outcome.troubles and not outcome.green:
        console.print(f"       [dim]functions: {outcome.troubles}[/]")
    for note in outcome.notes:
        console.print(f"       [yellow]note[/] {note}")
    for word in outcome.unknown:
        console.print(f"       [bold yellow]NOT UNDERSTOOD[/] {word}")
    if outcome.crash:
        console.print(outcome.crash, style="red", markup=False)


def mutate(options: argparse.Namespace) -> int:
    """Every control off in turn; 0 when each of them turned one of its scenarios red."""
    console = Console(highlight=False, soft_wrap=True)
    wanted = [one for one in mutations() if options.mutate in (None, one.name)]
    if not wanted:
        console.print(f"no such control; known: {', '.join(one.name for one in mutations())}")
        return 2
    known = {one.id: one for one in scenarios_of(options.data)}
    console.print("| control | switched off | turned red |\n|---|---|---|")
    blind = 0
    with drill() as playing:
        for mutation in wanted:
            scenarios = [known[name] for name in mutation.scenarios if name in known]
            with in_force(mutation):
                outcomes = list(play_all(playing, scenarios, options.seed, options.ehr))
            red = [one for one in outcomes if not one.green]
            blind += not red
            by_scenario = {one.scenario.id: one for one in reversed(red)}
            told = ", ".join(f"{name} ({_why(one)})" for name, one in sorted(by_scenario.items())) or "**nothing**"
            console.print(f"| {mutation.name} | {mutation.off} | {told} |", markup=False)
    return 1 if blind else 0


def _why(outcome: Outcome) -> str:
    """What was broken, in a few words."""
    if outcome.crash:
        return "it broke down"
    return outcome.red[0].says if outcome.red else "not understood"
