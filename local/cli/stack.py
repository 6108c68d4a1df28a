"""headwater up: the local stack until Ctrl-C. headwater status: what runs, and where."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from headwater.model import MessageState, ProposalState
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of
from local.latency import alarms, figures, percentile, samples
from local.stack import Stack
from local.target import DATA, Target

HOUR_S = 3600


def add(commands: Any) -> None:
    starting: argparse.ArgumentParser = commands.add_parser(
        "up",
        help="start the local stack and keep it up",
        description="AWS, HealthLake and the simulated EHRs on this laptop, with the real functions, until Ctrl-C. "
        "State stays in the folder.",
    )
    starting.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="its folder (%(default)s)")
    starting.add_argument("--fresh", action="store_true", help="forget what earlier runs left in DIR")
    starting.set_defaults(run=up)
    looking: argparse.ArgumentParser = commands.add_parser(
        "status", help="what runs where, what is in which state, and how long each EHR took"
    )
    add_target(looking)
    looking.set_defaults(run=status)


def up(options: argparse.Namespace) -> int:
    with Stack(options.data, fresh=options.fresh):
        _print_status(Target.local(options.data))
        print("Ctrl-C stops it.")
        threading.Event().wait()
    return 0


def status(options: argparse.Namespace) -> int:
    _print_status(target_of(options))
    return 0


def _print_latency(logs: Path) -> None:
    """The same figures as the deployed dashboard's, out of the functions' logs of the last hour."""
    now = time.time()
    found = [one for one in samples(sorted(logs.glob("*.log"))) if one.at > now - HOUR_S]
    if not found:
        return
    ringing = {alarm.ehr for alarm in alarms(found, until=now) if alarm.cleared is None}
    heads = ("EHR", "operation", "requests", "p50 ms", "p95 ms", "p99 ms", "unanswered", "alarm")
    title = "The last hour, as the client's clock saw it; unanswered requests count at their deadline"
    table = table_of(*heads, title=title)
    for (ehr, operation), ones in figures(found).items():
        took = [one.milliseconds for one in ones]
        shown = [f"{percentile(took, percent):.0f}" for percent in (50, 95, 99)]
        unanswered = str(sum(one.unanswered for one in ones))
        table.add_row(ehr, operation, str(len(ones)), *shown, unanswered, "[red]SLOW[/]" if ehr in ringing else "")
    print_tables(table)


def _print_status(target: Target) -> None:
    table = Table("", Column(overflow="fold"), show_header=False, min_width=60)
    table.add_row("feed queue", target.feed_queue_url)
    table.add_row("review API", target.review_url)
    if target.running:
        for ehr, url in target.running.ehrs.items():
            table.add_row(f"{ehr} (simulated)", url)
    table.add_section()
    for state in MessageState:
        table.add_row(f"messages {state.value}", str(len(target.app.inbox.list(state, limit=10_000))))
    for proposal_state in ProposalState:
        count = len(target.app.proposals.list(proposal_state, limit=10_000))
        if count:
            table.add_row(f"write-backs {proposal_state.value}", str(count))
    print_tables(table)
    if target.running:
        _print_latency(target.running.data / "logs")
