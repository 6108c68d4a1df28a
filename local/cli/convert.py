"""headwater convert: messages to FHIR, here and now: a file to look at, lines for other tools, a folder in bulk."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError
from headwater.model import Unmapped
from local.analyst.collection import Collection, resources_of
from local.analyst.faults import faults
from local.analyst.mappings import CONTENT_TYPES, Made, Mappings, content_type, format_of
from local.cli import convert_many
from local.cli.explain import show_explanations
from local.cli.options import add_mappings
from local.cli.printing import print_error, print_json

_MOST_FAULTS = 50
_BUILT_AFTER = 2  # more messages: the engine builds a root template for the second that needs it
_OWN_SYSTEM = {
    "feed.authorities": re.compile(r'"system": "urn:headwater:[^:"]+:authority:([^"]+)"'),
    "codes/coding-systems.csv": re.compile(r'"system": "urn:headwater:[^:"]+:codes:([^"]+)"'),
}
_EPILOG = """\
exit codes:
  0  everything converted, and is valid
  1  something was not converted, or is not valid
  2  the command itself is wrong, or the file cannot be read

examples:
  headwater convert a.hl7 --ehr epic                     the Bundle; times, faults and unread input below it
  headwater convert a.hl7 --explain Patient.birthDate    which template line wrote it, of which field
  headwater convert a.hl7 --templates Hl7v2 --root ADT_A01   a Microsoft collection, run where it lies
  headwater convert --batch < lines.jsonl                {"id", "hl7"} in, {"id", "bundle" | "error"} out
  headwater convert archive/ --ehr epic --out all.ndjson     a folder, on all cores; the same again goes on
"""


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="messages to FHIR: a file, JSON lines, or a folder",
        description="Convert with the mappings of this repository, or with a foreign collection of templates. "
        "Without --ehr only what the standards say counts: mappings/base.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path", nargs="?", metavar="FILE|DIR", help="a file (- is standard input), or a folder")
    command.add_argument("--ehr", default="", help="who sends: a folder under mappings/ehrs")
    formats = ", ".join(CONTENT_TYPES)
    command.add_argument(
        "--format", default="", help=f"{formats}, or a content type (default: what the file looks like)"
    )
    command.add_argument("--template", default="", metavar="NAME", help="read every message by this one, e.g. ADT_A01")
    add_mappings(command)
    command.add_argument("--cache", type=Path, metavar="DIR", help="keep compiled templates there")
    command.add_argument("--raw", action="store_true", help="the result alone, a line a message")
    command.add_argument("--explain", metavar="JSONPATH", help="where an element is from: Patient.name[0].family")
    foreign = command.add_argument_group("a foreign collection")
    foreign.add_argument("--templates", type=Path, metavar="DIR", help="templates in Microsoft's layout and dialect")
    foreign.add_argument("--root", default="", metavar="NAME", help="the template to begin with")
    many = command.add_argument_group("many messages")
    many.add_argument("--batch", action="store_true", help="JSON lines on standard input and output")
    many.add_argument("--out", type=Path, metavar="NDJSON", help="a folder's messages go there; goes on where it was")
    many.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (%(default)s)")
    many.add_argument("--retry-errors", action="store_true", help="with --out: what failed before, again")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        return _run(options)
    except HeadwaterError as error:
        print_error(error)
        return 2 if error.code.startswith("analyst.") or error.code == "ehrs.unknown" else 1


def _run(options: argparse.Namespace) -> int:
    if options.batch:
        return convert_many.batch(options)
    if options.path is None:
        return _wrong("name a file, a folder with --out, or say --batch")
    path = Path(options.path)
    if path.is_dir():
        return (
            convert_many.folder(options, path)
            if options.out
            else _wrong("a folder's messages go to a file: say --out NDJSON")
        )
    if options.out:
        return _wrong("--out is for a folder's messages: leave it out, and send the Bundle where you want with >")
    try:
        body = sys.stdin.buffer.read() if options.path == "-" else path.read_bytes()
    except OSError as error:
        return _wrong(f"{path}: {error.strerror}")
    if options.templates:
        return _foreign(options, body)
    return _file(options, path, body)


# -------------------------------------------------------------------------------------------------------- one file


def _file(options: argparse.Namespace, path: Path, body: bytes) -> int:
    mappings = Mappings(options.mappings, options.cache)
    ehr = mappings.ehr(options.ehr, options.template)
    kind = content_type(options.format or format_of(path, body), ehr)
    if options.explain:
        return show_explanations(options.explain, mappings, ehr, kind, body, raw=options.raw)
    worst = 0
    for number, message in enumerate(bodies := mappings.split(body, ehr, kind), 1):
        try:
            made = mappings.make(message, ehr, kind)
        except HeadwaterError as error:
            print_error(error, f"message {number}: " if len(bodies) > 1 else "")
            worst = 1
            continue
        print_json(made.bundle, raw=options.raw)
        if not options.raw:
            built = [mappings.make(message, ehr, kind).seconds for _ in range(_BUILT_AFTER)][-1]
            _report(made, built, f"{ehr.title}; message {number} of {len(bodies)}")
            _show_faults(message, ehr, kind, mappings, made)
        elif made.fault:
            print_error(made.fault)
        worst = max(worst, int(made.fault is not None))
    return worst


def _report(made: Made, built: float, title: str) -> None:
    """What is worth knowing beside the result, on standard error so that the result can be piped."""
    console = Console(stderr=True, highlight=False)
    converted = made.converted
    told = {
        "message": f"{converted.kind}, {converted.event_time.isoformat()}; {title}",
        "made": f"{len(converted.resources)} resources: {_counted(converted.resources)}",
        "time": f"{1000 * made.seconds:.1f} ms the first time, {1000 * built:.1f} ms once its templates are built",
        "not read": ", ".join(converted.unread) or "nothing: every field was looked at",
        "no system": _without_system(converted.resources),
        "unmapped": ", ".join(map(_unmapped, converted.unmapped)),
    }
    for name, text in told.items():
        if text:
            console.print(f"[dim]{name:9}[/] {escape(text)}", soft_wrap=True)
    console.print(f"[dim]{'valid':9}[/] {'[red]no[/]' if made.fault else '[green]yes[/], FHIR R4 4.0.1'}")


def _without_system(resources: Sequence[Any]) -> str:
    """The names of the sender's that stand for a system URI until somebody gives one, and where it is given."""
    text = json.dumps(resources)
    found = {place: dict.fromkeys(_OWN_SYSTEM[place].findall(text)) for place in _OWN_SYSTEM}
    return "; ".join(f"{', '.join(names)} (give one in {place})" for place, names in found.items() if names)


def _unmapped(code: Unmapped) -> str:
    return f"{code.map}: {code.code} ({code.display})" if code.display else f"{code.map}: {code.code}"


def _show_faults(body: bytes, ehr: Ehr, content_type: str, mappings: Mappings, made: Made) -> None:
    """Why it would be set aside, and everything that is invalid, with the template lines that wrote it."""
    if made.fault is None:
        return
    print_error(made.fault, "set aside: ")
    console = Console(stderr=True, highlight=False)
    for fault in faults(body, ehr, content_type, mappings)[:_MOST_FAULTS]:
        console.print(f"  [red]{escape(fault.issue.path)}[/]: {escape(fault.issue.message)}", soft_wrap=True)
        console.print(f"      [dim]{fault.issue.code}[/]  {escape(fault.place)}", soft_wrap=True)


def _counted(resources: Sequence[Any]) -> str:
    counts: dict[str, int] = {}
    for resource in resources:
        counts[resource["resourceType"]] = counts.get(resource["resourceType"], 0) + 1
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())


# ------------------------------------------------------------------------------------------------ foreign templates


def _foreign(options: argparse.Namespace, body: bytes) -> int:
    from headwater.fhir.validate import validate

    collection = Collection(options.templates, options.format, options.cache)
    if not options.root:
        roots = ", ".join(collection.roots)
        return _wrong(f"say --root, the template to begin with; there are {roots}")
    if options.explain:
        from local.cli.explain import show_foreign_explanations

        return show_foreign_explanations(options.explain, collection, options.root, body, raw=options.raw)
    started = time.perf_counter()
    value, unread = collection.convert_and_report(body, options.root)
    first = time.perf_counter() - started
    print_json(value, raw=options.raw)
    issues = [issue for resource in resources_of(value) for issue in validate(resource)]
    if not options.raw:
        started = time.perf_counter()
        collection.convert(body, options.root)
        again = time.perf_counter() - started
        console = Console(stderr=True, highlight=False)
        times = f"{1000 * first:.1f} ms with its templates compiled, {1000 * again:.1f} ms the second time"
        console.print(f"[dim]time     [/] {times}", soft_wrap=True)
        console.print(f"[dim]not read [/] {escape(', '.join(unread)) or '-'}", soft_wrap=True)
        console.print(f"[dim]valid    [/] {f'[red]{len(issues)} faults[/]' if issues else '[green]yes[/]'}")
        for issue in issues[:_MOST_FAULTS]:
            console.print(f"  [red]{escape(issue.path)}[/]: {escape(issue.message)} [dim]({issue.code})[/]")
    return 1 if issues else 0


def _wrong(what: str) -> int:
    print(f"headwater: {what}", file=sys.stderr)
    return 2
