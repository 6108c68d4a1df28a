"""headwater templates: foreign collections of templates, looked at and brought in."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from headwater.errors import HeadwaterError
from local.analyst.collection import Collection
from local.analyst.imports import Report, bring_in, inspect, plain
from local.cli.options import add_mappings
from local.cli.printing import print_error

_MOST = 8


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "templates",
        help="bring a Microsoft template collection into an EHR's folder",
        description="Collections in the layout and dialect of Microsoft's FHIR-Converter.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    command = actions.add_parser(
        "import",
        help="report what a collection uses; with --ehr bring it in",
        description="Reads every template, compiles it, and reports filters, tags, roots, sizes and faults. With --ehr "
        "the collection is copied, as it is, to mappings/ehrs/<ehr>/microsoft/<format>.",
        epilog="exit codes: 0 every template compiles, 1 some do not, 2 no such folder",
    )
    command.add_argument("folder", type=Path, metavar="DIR", help="the folder with the root templates")
    command.add_argument("--ehr", help="a folder under mappings/ehrs")
    command.add_argument("--format", default="", help="Hl7v2, Ccda, Json, Stu3ToR4, FhirToHl7v2 (default: DIR's name)")
    command.add_argument("--replace", action="store_true", help="in the place of the one that is there")
    command.add_argument("--json", action="store_true", help="the report as JSON, with every place")
    add_mappings(command)
    command.set_defaults(run=import_)


def import_(options: argparse.Namespace) -> int:
    try:
        collection = Collection(options.folder, options.format)
        report = inspect(collection)
        _show(report, as_json=options.json)
        if options.ehr:
            own = options.mappings / "ehrs" / options.ehr
            target = bring_in(collection, options.folder, own, replace=options.replace)
            said = f"brought in: {target}\nrun it:     headwater convert FILE --templates {target} --root NAME"
            Console(stderr=True, highlight=False).print(escape(said), soft_wrap=True)
    except HeadwaterError as error:
        print_error(error)
        return 2
    return 1 if report.faults else 0


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(plain(report))
        return
    name, size = report.largest
    told = {
        "format": report.format,
        "templates": f"{report.templates}, {report.bytes / 1000:.0f} kB; the largest is {name}, {size / 1000:.0f} kB",
        "roots": f"{len(report.roots)}: {_first(report.roots, 12)}",
        "code maps": str(report.code_maps),
        "tags": _counted(report.tags),
        "filters": _counted(report.filters),
        "unknown": _placed(report.unknown) or "none: every filter is known",
        "missing": _placed(report.missing) or "none: every template that is named is there",
    }
    console = Console(highlight=False)
    for key, text in told.items():
        console.print(f"[dim]{key:10}[/]{escape(text)}", soft_wrap=True)
    for error in report.faults:
        console.print(f"[red]{escape(error.place)}[/]: {escape(error.hint)} [dim]\\[{error.code}][/]", soft_wrap=True)
    console.print(f"{report.templates - len(report.faults)} of {report.templates} templates compile")


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _first(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def _placed(places: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name} at {_first(where, 2)}" for name, where in list(places.items())[:_MOST])
