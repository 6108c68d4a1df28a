"""headwater empi match: whole sources at once, as an initial load or a re-match; a table says who is one person."""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwater.persons.policy import load_policy
from local.cli.options import MAPPINGS
from local.empi.batch import Matches, match_all


def add(actions: Any) -> None:
    command = actions.add_parser(
        "match",
        help="match whole sources at once",
        description="Reads FHIR Patients (NDJSON), decides on each as the gate would, in their order, and writes a "
        "table: record_id, person_id (the id of its person's first record; empty when a steward must look), state "
        "(new, linked, held).",
    )
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder of *.ndjson")
    command.add_argument("--out", type=Path, required=True, metavar="CSV")
    command.add_argument("--work", type=Path, metavar="DIR", help="where some 2 KB a record may lie meanwhile")
    command.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    command.add_argument("--mappings", type=Path, default=MAPPINGS, metavar="DIR", help="(%(default)s)")
    command.set_defaults(run=match_)


def match_(options: argparse.Namespace) -> int:
    policy = load_policy(options.mappings)
    files = sorted(path for path in options.data.glob("*.ndjson") if not path.name.startswith("updates"))
    if not files:
        print(f"headwater: no *.ndjson in {options.data}", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        found = match_all(_lines(files), policy, Path(work), options.processes, _Bar())
    _write(found, options.out)
    counts = Counter(found.state)
    print(f"\n{len(found.ids)} records: {counts['new']} persons, {counts['linked']} linked, {counts['held']} held")
    took = f"{time.monotonic() - started:.0f} s, {_cpu():.0f} s of CPU, {_memory():.1f} GB at most"
    print(f"{found.pairs} pairs compared; {took}")
    return 0


class _Bar:
    """One line on the terminal, rewritten; on anything else a line every tenth."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        filled = f"[{'#' * (30 * done // of):30}] {done / of:4.0%}" if of else f"{done}"
        if sys.stderr.isatty():
            print(f"\r{what:26} {filled:50}", end="", file=sys.stderr, flush=True)
        elif (tenth := f"{what} {10 * done // of if of else done // 100_000}") != self._said:
            self._said = tenth
            print(f"{what:26} {filled}", file=sys.stderr, flush=True)


def _lines(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as lines:
            yield from (line for line in lines if line.strip())


def _write(found: Matches, out: Path) -> None:
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("record_id", "person_id", "state"))
        for record, person, state in zip(found.ids, found.person, found.state, strict=True):
            table.writerow((record, found.ids[person] if person >= 0 else "", state))


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _memory() -> float:
    """The most that this process and one of the others held, in GB."""
    both = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(both) / 1e6
