"""headwater lint: what is wrong with mappings, before any message comes."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from headwater.errors import HeadwaterError
from local.analyst.lint import ERROR, lint
from local.cli.options import add_mappings
from local.cli.printing import print_error


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "lint",
        help="find faults in mappings: templates, code maps, ehr.toml, rules",
        description="Compiles every template that a message or a write can reach, in every way it is used, and checks "
        "code maps and TOML files. A line a finding: path:line:column: severity: hint [code].",
        epilog="exit codes: 0 nothing wrong (warnings may be), 1 errors, or with --strict warnings; 2 no such folder",
    )
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="mappings/ehrs/X or mappings/base (default: all)"
    )
    add_mappings(command)
    command.add_argument("--strict", action="store_true", help="warnings count as errors")
    command.add_argument("--quiet", action="store_true", help="errors only")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    console = Console(highlight=False)
    try:
        findings = lint(options.mappings, options.folder or options.mappings)
    except HeadwaterError as error:
        print_error(error)
        return 2
    for each in findings:
        if each.severity == ERROR or not options.quiet:
            colour = "red" if each.severity == ERROR else "yellow"
            text = f"{escape(each.place)}: [{colour}]{each.severity}[/]: {escape(each.hint)} [dim]\\[{each.code}][/]"
            console.print(text, soft_wrap=True)
    counts = Counter(each.severity for each in findings)
    console.print(f"{counts['error']} errors, {counts['warning']} warnings")
    return 1 if counts["error"] or (options.strict and findings) else 0
