"""headwater codes: code maps, what still waits for a mapping, and maps brought in from elsewhere."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from headwater.errors import HeadwaterError
from headwater.formats.codes import COLUMNS, CodeMaps
from headwater.model import Wanted
from local.analyst.code_maps import Lines, from_concept_map, from_csv, write
from local.cli.options import add_mappings, add_target, target_of
from local.cli.printing import print_error, print_tables, table_of

_BASE = "base"


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "codes",
        help="code maps: wanted, list, find, import",
        description="An EHR's codes to standard ones. A code without a mapping stays as it came, and waits here.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    wanting = actions.add_parser("wanted", help="codes of the feeds that wait for a mapping, the most frequent first")
    wanting.add_argument("--ehr", help="of this EHR only")
    wanting.add_argument("--limit", type=int, default=1000, help="at most so many (%(default)s)")
    wanting.add_argument("--csv", action="store_true", help="as a code map to be filled in and imported")
    add_target(wanting)
    wanting.set_defaults(run=wanted)
    listing = actions.add_parser("list", help="the maps there are, with the number of their lines")
    listing.set_defaults(run=list_)
    finding = actions.add_parser("find", help="what a code becomes")
    finding.add_argument("map", metavar="MAP", help="the map's name, as templates name it")
    finding.add_argument("code", metavar="CODE", help="as the sender writes it")
    finding.add_argument("--system", default="", help="the code's own system URI")
    finding.set_defaults(run=find)
    importing = actions.add_parser("import", help="bring in a FHIR ConceptMap (JSON) or a CSV of seven columns")
    importing.add_argument(
        "file", type=Path, metavar="FILE", help="system,code,display,to_system,to_code,to_display,equivalence; or JSON"
    )
    importing.add_argument("--as", dest="map", required=True, metavar="MAP", help="the map's name")
    importing.set_defaults(run=import_)
    for action in (listing, finding, importing):
        add_mappings(action)
        action.add_argument("--ehr", default=_BASE, help="a folder of mappings/ehrs (default: the base)")


def wanted(options: argparse.Namespace) -> int:
    found = target_of(options).app.work_list.list(limit=options.limit)
    found = [one for one in found if options.ehr in (None, one.ehr)]
    if options.csv:
        _as_map(found, sys.stdout)
        return 0
    heads = ("ehr", "map", "code", "display", "system", "times", "since", "for example")
    table = table_of(*heads, whole=("map", "code", "times"), title=f"{len(found)} codes wait for a mapping")
    for one in found:
        code = one.unmapped
        told = (
            one.ehr,
            code.map,
            code.code,
            code.display,
            code.system,
            str(one.count),
            one.first_seen[:16],
            one.example,
        )
        table.add_row(*told)
    print_tables(table)
    return 0


def _as_map(found: Iterable[Wanted], out: TextIO) -> None:
    """The columns of a code map, the target's empty, with the map's name and the count in front."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("ehr", "map", "times", *COLUMNS))
    for one in found:
        code = one.unmapped
        writer.writerow((one.ehr, code.map, one.count, code.system, code.code, code.display, "", "", "", ""))


def list_(options: argparse.Namespace) -> int:
    table = table_of("map", "lines", "file")
    for folder in _folders(options):
        for file in sorted((*folder.glob("*.csv"), *folder.glob("*.sqlite"))):
            lines = len(Lines.of(file))
            table.add_row(file.stem, f"{lines:,}", file.relative_to(options.mappings).as_posix())
    print_tables(table)
    return 0


def find(options: argparse.Namespace) -> int:
    try:
        found = CodeMaps(_folders(options))[options.map].find(options.code, options.system)
    except HeadwaterError as error:
        print_error(error)
        return 2
    if found is None:
        print(f"{options.map} has no target for {options.code}" + ("" if options.system else " without a --system"))
        return 1
    print(" ".join(filter(None, (found.get("system"), found["code"], found.get("display")))))
    return 0


def import_(options: argparse.Namespace) -> int:
    """Into the EHR's folder; lines that are there for the same code are replaced."""
    folder = _folders(options)[0]
    try:
        read = from_concept_map if options.file.suffix == ".json" else from_csv
        file, replaced, total = write(read(options.file), folder, options.map)
    except (OSError, ValueError) as error:
        print(f"headwater: {options.file}: {error}", file=sys.stderr)
        return 2
    name = file.relative_to(options.mappings).as_posix()
    print(f"{name}: {total:,} lines, {replaced:,} of them in the place of older ones")
    return 0


def _folders(options: argparse.Namespace) -> Sequence[Path]:
    base = options.mappings / _BASE / "codes"
    own = options.mappings / "ehrs" / options.ehr
    if options.ehr == _BASE:
        return (base,)
    if not own.is_dir():
        raise HeadwaterError("ehrs.unknown", place=f"ehrs/{options.ehr}", hint="see headwater ehrs list")
    return own / "codes", base
