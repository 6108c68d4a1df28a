"""headwater coverage: how complete a feed is, by the elements that US Core 6.1 (USCDI v3) asks for."""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError
from headwater.fhir.merged import is_replaced
from headwater.model import Resource
from local.analyst.coverage import Share, coverage, outside, percent
from local.analyst.mappings import Mappings, content_type, format_of
from local.cli.options import add_mappings
from local.cli.printing import print_error
from local.cli.send import files_of


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "coverage",
        help="how complete a feed is, by US Core 6.1 (USCDI v3)",
        description="Convert messages, and count for every element of the US Core profiles how many of the resources "
        "have it. A resource that several messages tell of counts once, as it is after the last.",
        epilog="exit codes: 0 also if something is missing or was not converted; 2 the command itself is wrong",
    )
    command.add_argument("path", nargs="+", type=Path, metavar="FILE|DIR", help="messages")
    command.add_argument("--ehr", default="", help="who sends: a folder under mappings/ehrs")
    command.add_argument("--missing", action="store_true", help="only what some resource lacks")
    command.add_argument("--csv", action="store_true", help="for a spreadsheet")
    add_mappings(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    files = [file for path in options.path for file in files_of(path)]
    if not files:
        print(f"headwater: no message under {', '.join(map(str, options.path))}", file=sys.stderr)
        return 2
    try:
        resources, messages, failed = _converted(files, Mappings(options.mappings), options.ehr)
    except HeadwaterError as error:
        print_error(error)
        return 2
    found = list(coverage(resources))
    shown = [one for one in found if one.have < one.of] if options.missing else found
    (_print_csv if options.csv else _print_tables)(shown)
    _print_summary(found, resources, messages, failed)
    return 0


def _converted(files: Sequence[Path], mappings: Mappings, name: str) -> tuple[list[Resource], int, Counter[str]]:
    """The resources of all messages, each once, without Patients that were merged into others; how many messages there
    were; why some failed, by code."""
    ehr = mappings.ehr(name)
    latest: dict[str, Resource] = {}
    messages, failed = 0, Counter[str]()
    for file in files:
        for message, kind in _messages(file, mappings, ehr):
            messages += 1
            try:
                made = mappings.convert(message, ehr, kind).resources
            except HeadwaterError as error:
                failed[error.code] += 1
            else:
                latest.update((f"{one['resourceType']}/{one.get('id')}", one) for one in made)
    return [one for one in latest.values() if not is_replaced(one)], messages, failed


def _messages(file: Path, mappings: Mappings, ehr: Ehr) -> Iterator[tuple[bytes, str]]:
    """A file's messages with their content type; a file that cannot be cut is one, which fails when it is converted."""
    body = file.read_bytes()
    kind = content_type(format_of(file, body), ehr)
    try:
        bodies = mappings.split(body, ehr, kind)
    except HeadwaterError:
        bodies = [body]
    return ((one, kind) for one in bodies)


def _print_tables(shares: Sequence[Share]) -> None:
    table = Table("profile", "element", "", "have", "of", "%")
    for number, one in enumerate(shares):
        first = number == 0 or shares[number - 1].profile != one.profile
        if first and number:
            table.add_section()
        colour = "green" if one.have == one.of else "red" if one.element.required else "yellow" if one.have else "dim"
        need = "required" if one.element.required else ""
        counts = str(one.have), str(one.of), f"[{colour}]{one.percent}[/]"
        table.add_row(
            one.profile.name.removeprefix("us-core-") if first else "",
            one.element.name.replace("[", "\\["),
            need,
            *counts,
        )
    Console().print(table)


def _print_csv(shares: Sequence[Share]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("profile", "element", "need", "have", "of", "percent"))
    for one in shares:
        need = "required" if one.element.required else "must support"
        writer.writerow((one.profile.name, one.element.name, need, one.have, one.of, one.percent))


def _print_summary(shares: Sequence[Share], resources: Sequence[Resource], messages: int, failed: Counter[str]) -> None:
    def say(text: str) -> None:
        print(text, file=sys.stderr)

    met = {one.profile.name for one in shares}
    required, supported = percent(shares, required=True), percent(shares, required=False)
    say(f"{messages} messages, {len(resources)} resources, {len(met)} profiles of US Core 6.1.0")
    say(f"required {_percent(required)}, must support {_percent(supported)}")
    others = Counter(str(one["resourceType"]) for one in outside(resources))
    if others:
        say("no profile here: " + ", ".join(f"{count} {kind}" for kind, count in others.most_common()))
    if failed:
        say("not converted: " + ", ".join(f"{count} {code}" for code, count in failed.most_common()))


def _percent(share: int | None) -> str:
    return "-" if share is None else f"{share} %"
