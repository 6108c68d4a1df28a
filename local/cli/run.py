"""headwater run: the main job once, end to end, on this laptop, and an account of it.

It starts the local stack, plays the producer, the watcher and, with --auto, a clinician, and asks at the end the
question that counts: is every message accounted for, and is what the ledger says in the charts, once?
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from local.cli.options import MAPPINGS
from local.cli.send import files_of
from local.demo.account import Account, Progress
from local.demo.clinician import Clinician
from local.demo.feed import Demo, from_files, make
from local.demo.producer import Producer
from local.demo.seed import patients
from local.stack import Stack
from local.target import DATA, Target

LOOK_EVERY = 1.0  # seconds; looking costs the laptop what it could do


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="the main job, end to end, once",
        description="Start the local stack, send a feed through it, and end with an account of every message. "
        "Exit code 1 if anything was lost or doubled.",
    )
    command.add_argument("--feed", type=Path, metavar="PATH", help="a file or folder of HL7 v2 (default: a demo feed)")
    command.add_argument("--ehr", default="epic", help="who sends PATH: a folder under mappings/ehrs (%(default)s)")
    command.add_argument("--people", type=int, default=36, help="size of the demo feed (%(default)s people)")
    command.add_argument("--seed", type=int, default=7, help="another number, other people (%(default)s)")
    command.add_argument("--auto", action="store_true", help="a scripted clinician decides; else you do, by `review`")
    command.add_argument("--timeout", type=int, default=300, help="give up after so many seconds (%(default)s)")
    command.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="the local stack's folder (%(default)s)"
    )
    command.add_argument("--fresh", action="store_true", help="forget what earlier runs left in DIR")
    command.add_argument("--keep", action="store_true", help="leave the stack running afterwards, until Ctrl-C")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    console = Console()
    feed = _feed(options)
    if not feed.sendings:
        print(f"headwater: no message at {options.feed}", file=sys.stderr)
        return 2
    console.print(f"[bold]Headwater[/] {len(feed.sendings)} messages; the local stack starts in {options.data} …")
    with Stack(options.data, fresh=options.fresh) as stack:
        target = Target.local(options.data)
        for ehr, known in patients(feed.charts, target.app.ehrs).items():
            stack.file_patients(ehr, known)
        account = _play(options, console, target, feed, stack)
        console.print(account.table())
        if options.keep:
            console.print("The stack is still up; Ctrl-C stops it. Try: headwater review list")
            threading.Event().wait()
    return 0 if account.sound else 1


def _feed(options: argparse.Namespace) -> Demo:
    if options.feed:
        return from_files(files_of(options.feed), options.ehr)
    return make(MAPPINGS, people=options.people, seed=options.seed)


def _play(options: argparse.Namespace, console: Console, target: Target, feed: Demo, stack: Stack) -> Account:
    """Send while watching, decide while watching, until nothing moves any more."""
    progress = Progress(target, feed, auto=options.auto, timeout=options.timeout)
    producer = Producer(target)
    clinician = Clinician(target) if options.auto else None
    sending = threading.Thread(target=producer.send, args=(feed.sendings,), daemon=True, name="producer")
    sending.start()
    with Live(progress.table(), console=console, refresh_per_second=4) as live:
        while not progress.done(sent=not sending.is_alive()):
            if clinician:
                clinician.work()
            progress.look(producer.sent)
            live.update(progress.table())
            time.sleep(LOOK_EVERY)
    if not console.is_terminal:
        console.line()  # Live leaves the last line of a file open
    return Account.of(target, feed, stack.charts(), stack.aws_calls(), progress)
