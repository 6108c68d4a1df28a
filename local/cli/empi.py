"""headwater empi: who is one person. Measure and train the match; look for persons; answer what a steward must."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headwater.persons.policy import WEIGHTS, MatchingPolicy, load_policy
from local.cli import empi_relink, empi_steward
from local.cli.options import MAPPINGS
from local.empi import bench, report, train
from local.empi.population import population
from local.empi.truth import Known, Update, read_records, read_updates


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "empi",
        help="who is one person: queue, show, find, link, merge, history …; bench, train",
        description="The person match. A steward answers held messages; bench and train work on records with known "
        "truth, without a stack.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    empi_steward.add(actions)
    empi_relink.add(actions)
    benching = actions.add_parser("bench", help="how good the match is, on records whose truth is known")
    benching.add_argument("--data", type=Path, action="append", default=[], metavar="DIR",
                          help="a folder of NDJSON by source, truth.csv, updates.ndjson; may be repeated")  # fmt: skip
    benching.add_argument("--seed", type=int, action="append", default=[], help="of made-up people; may be repeated")
    benching.add_argument("--people", type=int, default=5000, help="how many of them (%(default)s)")
    benching.add_argument("--no-pairs", action="store_true", help="only the gate and the overlays")
    benching.set_defaults(run=bench_)
    training = actions.add_parser("train", help="weights from records whose truth is known (needs numpy)")
    for name, what in (("fit", "the weights are fitted on"), ("calibrate", "their confidence is measured on")):
        training.add_argument(f"--{name}", action="append", required=True, metavar="DIR|SEED", help=f"what {what}")
    training.add_argument("--people", type=int, default=20000, help="how many, where a seed is given (%(default)s)")
    training.add_argument("--out", type=Path, required=True, metavar="DIR", help="where matching-weights.json goes")
    training.set_defaults(run=train_)
    for action in (benching, training):
        action.add_argument("--mappings", type=Path, default=MAPPINGS, metavar="DIR", help="(%(default)s)")


def bench_(options: argparse.Namespace) -> int:
    policy = load_policy(options.mappings)
    gates = []
    for name in [*map(str, options.data), *map(str, options.seed or ([] if options.data else [1]))]:
        try:
            records, updates = _set(name, options.people, policy)
        except (OSError, KeyError, ValueError) as error:
            print(f"headwater: {name}: not a set of records with truth ({type(error).__name__})", file=sys.stderr)
            return 2
        print(
            f"\n{f'seed {name}' if name.isdigit() else name}: {len(records)} records, weights version {policy.version}"
        )
        gates.append(bench.measure_gate(records, policy))
        report.show_gate(gates[-1])
        if updates:
            report.show_overlays(bench.measure_overlays(updates, policy))
        if not options.no_pairs:
            report.show_pairs(bench.measure_pairs(records, policy))
    if len(gates) > 1:
        report.show_together(gates)
    return 0


def train_(options: argparse.Namespace) -> int:
    policy = load_policy(options.mappings)

    def read(names: list[str]) -> list[Sequence[Known]]:
        return [_set(name, options.people, policy)[0] for name in names]

    try:
        weighed = train.train(read(options.fit), read(options.calibrate), policy)
    except ModuleNotFoundError:
        print("headwater: empi train needs numpy: pip install 'headwater[empi]'", file=sys.stderr)
        return 2
    train.write(weighed, options.out)
    print(f"{sum(map(len, weighed['weights'].values()))} weights in {options.out / WEIGHTS}")
    print("Measure them on other records before they are used: headwater empi bench --mappings DIR --data …")
    return 0


def _set(name: str, people: int, policy: MatchingPolicy) -> tuple[Sequence[Known], Sequence[Update]]:
    """Records and updates of a folder, or of made-up people where the name is a number."""
    if name.isdigit():
        return population(int(name), people, policy)
    return read_records(Path(name), policy), list(read_updates(Path(name)))
