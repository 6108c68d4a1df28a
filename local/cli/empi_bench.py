"""headwater empi bench: how good and how fast the match is, on records whose truth is known, beside other engines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.persons.policy import MatchingPolicy, load_policy, reweighed
from local.cli.options import add_mappings
from local.empi import bench, febrl, report, train
from local.empi.population import population
from local.empi.rules_engine import score_by_rules
from local.empi.splink_engine import score_by_splink
from local.empi.truth import Known, Update, read_records, read_updates

EXTRA = ".venv/bin/python -m pip install --require-hashes -r requirements/empi.txt"
_USUAL_SEED = "902"


def add(actions: Any) -> None:
    command = actions.add_parser(
        "bench",
        help="how good the match is, on records whose truth is known",
        description="Measures the match pair by pair, as the gate in order of arrival and on overlays, and a plain "
        f"rules engine, Splink and the Febrl sets beside it. The last two need: {EXTRA}",
    )
    command.add_argument("--data", type=Path, action="append", default=[], metavar="DIR",
                         help="a folder of NDJSON by source, truth.csv, updates.ndjson; may be repeated")  # fmt: skip
    command.add_argument("--seed", type=int, action="append", default=[], help="of made-up people; may be repeated")
    command.add_argument("--people", type=int, default=5000, help="how many of them (%(default)s)")
    command.add_argument("--no-pairs", action="store_true", help="only the gate and the overlays")
    command.add_argument("--no-others", action="store_true", help="neither other engines nor the Febrl sets")
    command.add_argument("--speed", action="store_true",
                         help="what one patient costs against an index of the people, instead")  # fmt: skip
    command.add_argument("--plot", type=Path, metavar="PNG", help="the reliability of all sets as a picture")
    add_mappings(command)
    command.set_defaults(run=bench_)


def bench_(options: argparse.Namespace) -> int:
    policy = load_policy(options.mappings)
    gates: list[bench.Gate] = []
    overlays: list[bench.Overlays] = []
    pairs: list[bench.Pairs] = []
    try:
        for records, updates in sets(options, policy):
            if options.speed:
                _speed(records, policy)
                continue
            gates.append(bench.measure_gate(records, policy))
            report.show_gate(gates[-1])
            if updates:
                overlays.append(bench.measure_overlays(updates, policy))
                report.show_overlays(overlays[-1])
            if not options.no_pairs:
                pairs.append(bench.measure_pairs(records, policy))
                report.show_pairs(pairs[-1])
            if not options.no_others:
                _others(records, gates[-1], pairs[-1] if pairs else None)
    except (OSError, KeyError, ValueError) as error:
        print(f"headwater: not a set of records with truth ({type(error).__name__}: {error})", file=sys.stderr)
        return 2
    if not (options.no_others or options.speed):
        _febrl(policy)
    if len(gates) > 1:
        report.show_together(gates, overlays, pairs)
    return _plot(pairs, options.plot) if options.plot else 0


def sets(options: argparse.Namespace, policy: MatchingPolicy) -> Iterator[tuple[Sequence[Known], Sequence[Update]]]:
    """Each set that was asked for, announced."""
    seeds = list(map(str, options.seed or ([] if options.data else [_USUAL_SEED])))
    for name in [*map(str, options.data), *seeds]:
        records, updates = one_set(name, options.people, policy)
        title = f"seed {name}" if name.isdigit() else name
        print(f"\n{title}: {len(records)} records, weights version {policy.version}")
        yield records, updates


def one_set(name: str, people: int, policy: MatchingPolicy) -> tuple[Sequence[Known], Sequence[Update]]:
    """Records and updates of a folder, or of made-up people where the name is a number."""
    if name.isdigit():
        return population(int(name), people, policy)
    return read_records(Path(name), policy), list(read_updates(Path(name)))


def _others(records: Sequence[Known], gate: bench.Gate, pairs: bench.Pairs | None, *, one_to_one: bool = False) -> None:
    report.show_engines(records, [score_by_rules(records)], ours=(gate, pairs), one_to_one=one_to_one)
    try:
        report.show_engines(records, [score_by_splink(records)], one_to_one=one_to_one)
    except ModuleNotFoundError as missing:
        print(f"  {'Splink':10} not measured: no {missing.name}; {EXTRA}")


def _febrl(policy: MatchingPolicy) -> None:
    """By the shipped weights, and by weights fitted on the other sets, for none of them holds people of the US."""
    try:
        known = {name: febrl.read_febrl(name, policy) for name in febrl.SETS}
    except ModuleNotFoundError as missing:
        print(f"\nFebrl 3 and 4: not measured: no {missing.name}; {EXTRA}")
        return
    for name in febrl.MEASURED:
        records, others = known[name], [of for other, of in known.items() if other != name]
        print(f"\n{name}: {len(records)} records")
        measured = bench.measure_gate(records, policy), bench.measure_pairs(records, policy)
        _others(records, *measured, one_to_one=len(febrl.SETS[name]) > 1)
        refitted = reweighed(policy, train.train(others, others, policy, pairing=febrl.alike_in_anything))
        refitted = replace(refitted, population=len(records))
        found = bench.measure_pairs(records, refitted, pairs=febrl.alike_in_anything(records, policy))
        report.show_recall("weights fitted on the other Febrl sets, pairs alike in anything", found)


def _speed(records: Sequence[Known], policy: MatchingPolicy) -> None:
    from local.empi.speed import measure_speed  # botocore, which nothing else here needs

    report.show_speed(measure_speed(records, policy))


def _plot(pairs: Sequence[bench.Pairs], picture: Path) -> int:
    from local.empi.reliability import draw

    try:
        draw(pairs, picture)
    except ModuleNotFoundError as missing:
        print(f"headwater: no picture: no {missing.name}; {EXTRA}", file=sys.stderr)
        return 2
    print(f"\n{picture}")
    return 0
