"""headwater empi: who is one person. Measure and train the match; look for persons; answer what a steward must."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headwater.persons.policy import WEIGHTS, load_policy
from local.cli import empi_bench, empi_load, empi_match, empi_relink, empi_steward
from local.cli.bar import Bar
from local.cli.empi_bench import EXTRA, one_set
from local.cli.options import add_mappings
from local.empi import train
from local.empi.patients import write_people
from local.empi.population import Population
from local.empi.rough import roughened
from local.empi.truth import Known


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "empi",
        help="who is one person: queue, show, find, link, merge, history …; match, load, bench, people, train",
        description="The person match. A steward answers held messages; bench and train work on records with known "
        "truth, without a stack.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    empi_steward.add(actions)
    empi_relink.add(actions)
    empi_bench.add(actions)
    empi_match.add(actions)
    empi_load.add(actions)
    making = actions.add_parser("people", help="write made-up people as a folder that bench and match read")
    making.add_argument("--seed", type=int, required=True, help="another number, other people")
    making.add_argument("--people", type=int, default=20000, help="how many (%(default)s)")
    making.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder that is made")
    making.set_defaults(run=people_)
    training = actions.add_parser("train", help="weights from records whose truth is known (needs numpy)")
    for name, what in (("fit", "the weights are fitted on"), ("calibrate", "their confidence is measured on")):
        training.add_argument(f"--{name}", action="append", required=True, metavar="DIR|SEED", help=f"what {what}")
    training.add_argument("--rough", action="append", default=[], nargs=3, metavar=("DIR|SEED", "SHARE", "SEED"),
                          help="fitted on too: made sparser and worse, this share of values wrong")  # fmt: skip
    training.add_argument("--people", type=int, default=20000, help="how many, where a seed is given (%(default)s)")
    training.add_argument("--out", type=Path, required=True, metavar="DIR", help="where matching-weights.json goes")
    training.set_defaults(run=train_)
    for action in (making, training):
        add_mappings(action)


def people_(options: argparse.Namespace) -> int:
    made, bar = Population(options.seed, options.people, load_policy(options.mappings)), Bar()
    told = made.records(lambda done: bar("people", done, options.people))
    records, updates = write_people(options.out, told, made.updates())
    print(f"\n{records} records and {updates} updates in {options.out}")
    return 0


def train_(options: argparse.Namespace) -> int:
    policy = load_policy(options.mappings)

    def read(names: list[str]) -> list[Sequence[Known]]:
        return [one_set(name, options.people, policy)[0] for name in names]

    rough = [
        roughened(one_set(name, options.people, policy)[0], int(seed), policy, other=float(share))
        for name, share, seed in options.rough
    ]
    try:
        weighed = train.train([*read(options.fit), *rough], read(options.calibrate), policy)
    except ModuleNotFoundError:
        print(f"headwater: empi train needs numpy: {EXTRA}", file=sys.stderr)
        return 2
    train.write(weighed, options.out)
    print(f"{sum(map(len, weighed['weights'].values()))} weights in {options.out / WEIGHTS}")
    print("Measure them on other records before they are used: headwater empi bench --mappings DIR --data …")
    return 0
