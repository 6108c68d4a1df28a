"""headwater ehrs: what may be read and written at which EHR, why not, and what to look at before one goes live."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headwater.ehrs import Confidence, Ehr, Ehrs, Published, load
from headwater.ehrs.engines import engine_for
from headwater.errors import HeadwaterError
from local.cli import ehr_keys
from local.cli.options import add_mappings
from local.registry.sent import sent
from local.registry.standing import slips, to_check, why_not_read, why_not_written, writes

_COLOURS = {Confidence.HIGH: "green", Confidence.MEDIUM: "yellow", Confidence.LOW: "red", Confidence.UNKNOWN: "red"}


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "ehrs",
        help="the EHRs that are known: list, show, check, sent, keys",
        description="What may be read and written at which EHR, and why not. Each is a folder in mappings/ehrs.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line an EHR: what may be written, or why nothing may")
    listing.add_argument("words", nargs="*", metavar="WORD", help="only EHRs whose name, product or developer has it")
    listing.add_argument("--writable", action="store_true", help="only those that can be written to")
    listing.add_argument("--family", help="only this dialect")
    listing.add_argument("--all", action="store_true", help="also the certified products without a published address")
    listing.set_defaults(run=list_)
    showing = actions.add_parser("show", help="one EHR: every fact with its confidence and source")
    showing.add_argument("ehr", metavar="EHR", help="a folder in mappings/ehrs")
    showing.set_defaults(run=show)
    checking = actions.add_parser("check", help="whether the files are sound, and what a person must still look at")
    checking.add_argument("ehrs", nargs="*", metavar="EHR", help="folders in mappings/ehrs; all, if none is named")
    checking.set_defaults(run=check)
    sending = actions.add_parser("sent", help="what an EHR would be sent for the example facts, byte for byte")
    sending.add_argument("ehr", metavar="EHR", help="a folder in mappings/ehrs")
    sending.add_argument(
        "--accept", action="store_true", help="keep it as the golden files in the folder's examples/sent"
    )
    sending.set_defaults(run=sent_)
    ehr_keys.add(actions)
    for action in (listing, showing, checking, sending):
        add_mappings(action)


# ------------------------------------------------------------------------------------------------------------- list


def list_(options: argparse.Namespace) -> int:
    try:
        wanted = {name: ehr for name, ehr in load(options.mappings).items() if _is_wanted(name, ehr, options)}
    except HeadwaterError as slip:
        return _unsound(slip)
    table = Table(expand=True)
    for heading, width in (("ehr", 30), ("product", 36), ("family", 16), ("write", 18)):
        table.add_column(heading, max_width=width)
    table.add_column("why not", no_wrap=True, ratio=1, min_width=24)  # the whole of it: headwater ehrs show
    for name, ehr in wanted.items():
        why_not = why_not_written(ehr)
        can = "" if why_not else _allowed(ehr)
        family = "" if ehr.family == name else ehr.family
        table.add_row(name, escape(ehr.title), family, f"[green]{can}[/]", f"[dim]{escape(why_not)}[/]")
    table.title = f"{len(wanted)} EHRs"
    Console().print(table)
    if options.all:
        Console().print(_catalogue(options.mappings / "ehr-catalogue.csv", options))
    return 0


def _allowed(ehr: Ehr) -> str:
    """`Observation create update, Condition create`."""
    by_type: dict[str, list[str]] = {}
    for one in writes(ehr):
        if one.allowed:
            by_type.setdefault(one.resource_type, []).append(one.operation)
    return ", ".join(f"{name} {' '.join(operations)}" for name, operations in by_type.items())


def _is_wanted(name: str, ehr: Ehr, options: argparse.Namespace) -> bool:
    if (options.writable and why_not_written(ehr)) or (options.family and ehr.family != options.family):
        return False
    said = ehr.published
    return _has(options.words, name, ehr.title, *((said.developer, *said.products) if said else ()))


def _has(words: list[str], *texts: str) -> bool:
    text = " ".join(texts).lower()
    return all(word.lower() in text for word in words)


def _catalogue(file: Path, options: argparse.Namespace) -> Table:
    """Products that are certified and published no address: to connect one is to make a folder for it."""
    with file.open(encoding="utf-8", newline="") as rows:
        found: list[Mapping[str, str]] = [
            row for row in csv.DictReader(rows) if _has(options.words, row["product"], row["developer"])
        ]
    table = Table("product", "developer", "certification", "list of endpoints", expand=True)
    table.title = f"{len(found)} certified products without a published address: read only, write unknown, refused"
    for row in found:
        table.add_row(*(escape(row[key]) for key in ("product", "developer", "certification", "endpoint_list")))
    return table


# ------------------------------------------------------------------------------------------------------------- show


def show(options: argparse.Namespace) -> int:
    ehrs = load(options.mappings)
    if options.ehr not in ehrs:
        return _unknown(options.ehr, ehrs)
    try:
        ehr = ehrs[options.ehr]
    except HeadwaterError as slip:
        return _unsound(slip)
    out = Console()
    like = f", like {' and '.join(ehr.folders[1:])}" if ehr.folders[1:] else ""
    out.print(f"[bold]{escape(ehr.title)}[/]  ({ehr.name}, family {ehr.family}{like})\n")
    out.print(f"read   {escape(why_not_read(ehr)) or 'HL7 v2 feed, ids of ' + ', '.join(ehr.feed.authorities)}")
    out.print(f"write  {escape(why_not_written(ehr)) or 'some, see below'}\n")
    out.print(_writes(ehr))
    if ehr.published:
        _print_published(out, ehr.published)
    return 0


def _writes(ehr: Ehr) -> Table:
    table = Table("resource", "operation", "", "because", title="Writing: what is not allowed here is refused")
    for one in writes(ehr):
        mark = "[green]allowed[/]" if one.allowed else "[red]refused[/]"
        table.add_row(one.resource_type, one.operation, mark, escape(one.why))
    if not table.rows:
        table.add_row("any", "any", "[red]refused[/]", escape(why_not_written(ehr)))
    return table


def _print_published(out: Console, said: Published) -> None:
    table = Table("about", "says", "confidence", title=f"Published, by {escape(said.developer)} and others")
    sure = {level: f"[{colour}]{level}[/]" for level, colour in _COLOURS.items()}
    table.add_row("write", escape(f"{said.write}: {said.why}"), sure.get(said.confidence, str(said.confidence)))
    for address in said.base_urls:
        table.add_row("base_url", escape(address), ", ".join(said.flags))
    for fact in said.facts:
        table.add_row(fact.about, escape(fact.says), sure.get(fact.confidence, f"[dim]{fact.confidence}[/]"))
    out.print(table)
    if said.flags and not said.base_urls:
        out.print(f"addresses: {', '.join(said.flags)}")
    if said.products:
        out.print(f"products: {escape('; '.join(said.products))}")
    out.print("sources:")
    for source in said.sources:
        out.print(f"  {escape(source)}")


# ------------------------------------------------------------------------------------------------------------- sent


def sent_(options: argparse.Namespace) -> int:
    ehrs = load(options.mappings)
    if options.ehr not in ehrs:
        return _unknown(options.ehr, ehrs)
    ehr = ehrs[options.ehr]
    for one in sent(ehr, engine_for(options.mappings)(ehr), options.mappings):
        where = one.operation.path or one.fact["resourceType"]
        print(f"{one.operation.method} {where}  ({one.name}){''.join(f' UNMET {path}' for path in one.unmet)}")
        print(one.text)
        if options.accept:
            one.golden.parent.mkdir(parents=True, exist_ok=True)
            one.golden.write_text(one.text, encoding="utf-8")
    return 0


# ------------------------------------------------------------------------------------------------------------ check


def check(options: argparse.Namespace) -> int:
    ehrs = load(options.mappings)
    out = Console(soft_wrap=True)
    for name in options.ehrs:
        if name not in ehrs:
            return _unknown(name, ehrs)
    names = options.ehrs or list(ehrs)
    unsound = {name: found for name in names if (found := slips(options.mappings, name))}
    for name in options.ehrs:
        if name not in unsound:
            out.print(f"[bold]{name}[/]: the files are sound. Before a site goes live, look at")
            for line in to_check(ehrs[name]):
                out.print(f"  · {escape(line)}")
    for found in unsound.values():
        for line in found:
            out.print(f"[red]✗[/] {escape(line)}")
    out.print(f"{len(names) - len(unsound)} of {len(names)} folders are sound")
    return 1 if unsound else 0


def _unknown(name: str, ehrs: Ehrs) -> int:
    near = [known for known in ehrs if name.lower() in known or known in name.lower()]
    hint = f"; did you mean {', '.join(near)}?" if near else ": see headwater ehrs list"
    print(f"headwater: no folder mappings/ehrs/{name}{hint}", file=sys.stderr)
    return 2


def _unsound(slip: HeadwaterError) -> int:
    print(f"headwater: {slip.place}: {slip.hint} ({slip.code}); see headwater ehrs check", file=sys.stderr)
    return 1
