"""headwater empi match: whole sources at once, as an initial load or a re-match; a table says who is one person."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import headwater.persons
from headwater.persons.policy import load_policy
from local.cli.bar import Bar
from local.cli.empi_bench import EXTRA
from local.cli.options import add_mappings
from local.empi import batch, batch_gate
from local.empi.batch import match_all, profiles_in
from local.empi.batch_gate import Matches
from local.empi.batch_quality import measure_batch, read_truth
from local.empi.batch_report import Figures, show_batch, show_splink, summary
from local.empi.memory import MemoryWatch
from local.empi.splink_batch import match_by_splink


def add(actions: Any) -> None:
    command = actions.add_parser(
        "match",
        help="match whole sources at once",
        description="Reads FHIR Patients (NDJSON), decides on each as the gate would, in their order, and writes a "
        "table: record_id, person_id (the id of its person's first record; empty when a steward must look), state "
        "(new, linked, held); and its figures beside it, as JSON. A truth.csv in the folder is measured against.",
    )
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder of *.ndjson")
    command.add_argument(
        "--out", type=Path, required=True, metavar="CSV", help="the table; its figures go beside it, as .json"
    )
    command.add_argument("--work", type=Path, metavar="DIR",
                         help="where some 2 KB a record lie meanwhile; a stopped batch goes on from there")  # fmt: skip
    command.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    command.add_argument("--memory", type=float, default=8, metavar="GB", help="stop above (%(default)s)")
    command.add_argument("--beside", choices=("splink",), help=f"also Splink, on the same records; needs {EXTRA}")
    command.add_argument("--minutes", type=float, default=60, help="stop Splink after (%(default)s)")
    add_mappings(command)
    command.set_defaults(run=match_)


def match_(options: argparse.Namespace) -> int:
    files = sources_in(options.data)
    if not files:
        print(f"headwater: no *.ndjson in {options.data}", file=sys.stderr)
        return 2
    if options.beside and not find_spec(options.beside):
        print(f"headwater: no {options.beside}: {EXTRA}", file=sys.stderr)
        return 2
    try:
        with _work(options, files) as work:
            _batch(options, files, work)
    except (MemoryError, ValueError, KeyError) as error:
        print(f"\nheadwater: {error}", file=sys.stderr)
        return 2
    return 0


def sources_in(folder: Path) -> list[Path]:
    """The files of a folder that hold records, in the order in which they are matched."""
    return sorted(path for path in folder.glob("*.ndjson") if not path.name.startswith("updates"))


def _batch(options: argparse.Namespace, files: Sequence[Path], work: Path) -> None:
    bar, started = Bar(), time.monotonic()
    with MemoryWatch() as memory:

        def tell(what: str, done: int, of: int) -> None:
            bar(what, done, of)
            if memory.peak > options.memory * 1e9:
                raise MemoryError(f"stopped at {memory.peak / 1e9:.1f} GB: fewer --processes hold less")

        policy = load_policy(options.mappings)
        found = match_all(files, policy, work, options.processes, tell)
        _write(found, options.out)
    figures = Figures(found, time.monotonic() - started, _cpu(), memory.peak)
    truth = read_truth(options.data, found.ids)
    figures.quality = measure_batch(found, truth) if truth else None
    show_batch(figures)
    if options.beside:
        figures.splink = match_by_splink(
            profiles_in(work), truth, work,
            threads=options.processes, memory=options.memory, minutes=options.minutes, tell=bar,
        )  # fmt: skip
        show_splink(figures.splink)
    options.out.with_suffix(".json").write_text(json.dumps(summary(figures, policy), indent=2), encoding="utf-8")


@contextmanager
def _work(options: argparse.Namespace, files: Sequence[Path]) -> Iterator[Path]:
    """A folder of this batch's own: named, where it can be gone on with, by all that the answers depend on, and gone
    when they are there."""
    if not options.work:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    depends = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    code = (*Path(headwater.persons.__file__).parent.glob("*.py"), Path(batch.__file__), Path(batch_gate.__file__))
    depends += [path.read_text(encoding="utf-8") for path in sorted((*options.mappings.glob("*.*"), *code))]
    name = hashlib.sha256("\0".join(depends).encode()).hexdigest()[:16]
    work = options.work / f"headwater-match-{name}"
    work.mkdir(parents=True, exist_ok=True)
    yield work
    shutil.rmtree(work)


def _write(found: Matches, out: Path) -> None:
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("record_id", "person_id", "state"))
        for record, person, state in zip(found.ids, found.person, found.state, strict=True):
            table.writerow((record, found.ids[person] if person >= 0 else "", state))


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)
