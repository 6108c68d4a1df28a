"""headwater try: the examples of a mapping folder, as they are converted now, against what they are to become."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from headwater.errors import HeadwaterError
from local.analyst.differences import MISSING
from local.analyst.examples import Tried, examples, try_out
from local.analyst.mappings import Mappings
from local.cli.options import add_mappings
from local.cli.printing import print_error

_MOST_DIFFERENCES = 40
_LOOK_EVERY_S = 0.5
_WATCHED = (".liquid", ".csv", ".toml", ".hl7", ".xml", ".json")


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "try",
        help="render a mapping folder's examples and show what is different",
        description="Convert every examples/<name>.hl7 under a folder and compare with the <name>.json beside it: "
        "- is what was expected, + what is made now. Exit code 0 if nothing differs.",
    )
    command.add_argument(
        "folder", type=Path, nargs="*", metavar="DIR", help="mappings/ehrs/X or mappings/base (default: all)"
    )
    command.add_argument("--accept", action="store_true", help="what is made now becomes what is expected")
    command.add_argument("--watch", action="store_true", help="again after every change, until Ctrl-C")
    add_mappings(command)
    command.add_argument("--all", action="store_true", help="show every difference, however many there are")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    folders: Sequence[Path] = options.folder or [options.mappings]
    console = Console(highlight=False)
    code = _once(options, folders, console)
    while options.watch:
        _wait(options.mappings)
        console.rule(time.strftime("%H:%M:%S"))
        code = _once(options, folders, console)
    return code


def _once(options: argparse.Namespace, folders: Sequence[Path], console: Console) -> int:
    mappings = Mappings(options.mappings)
    started = time.perf_counter()
    try:
        found = [example for folder in folders for example in examples(options.mappings, folder)]
    except HeadwaterError as error:
        print_error(error)
        return 2
    failed = 0
    for example in found:
        tried = try_out(example, mappings)
        if options.accept and tried.made is not None and not tried.passes:
            _show(tried, console, options.all)
            tried.accept()
            console.print(f"  [yellow]accepted[/] {escape(example.expected.name)}")
        else:
            _show(tried, console, options.all)
            failed += not tried.passes
    if not found:
        print(f"headwater: no examples under {', '.join(map(str, folders))}", file=sys.stderr)
        return 2
    milliseconds = 1000 * (time.perf_counter() - started)
    colour = "red" if failed else "green"
    console.print(f"[{colour}]{len(found) - failed} of {len(found)} examples as expected[/], {milliseconds:.0f} ms")
    return 1 if failed else 0


def _show(tried: Tried, console: Console, everything: bool) -> None:
    name = escape(str(tried.example))
    if tried.error is not None:
        console.print(f"[red]✗[/] {name}")
        said = f"{tried.error['code']} at {tried.error['place']}: {tried.error['hint']}"
        console.print(f"    [red]{escape(said)}[/]", soft_wrap=True)
        return
    if tried.passes:
        console.print(f"[green]✓[/] {name}")
        return
    found = tried.differences
    new = "" if tried.expected is not None else ", nothing was expected yet: --accept it"
    console.print(f"[red]✗[/] {name}: {len(found)} difference{'s' if len(found) > 1 else ''}{new}", soft_wrap=True)
    shown = found if everything else found[:_MOST_DIFFERENCES]
    for each in shown:
        console.print(f"    [bold]{escape(each.place)}[/]", soft_wrap=True)
        for sign, colour, value in (("-", "red", each.before), ("+", "green", each.after)):
            if value is not MISSING:
                console.print(f"      [{colour}]{sign} {escape(_short(value, everything))}[/]", soft_wrap=True)
    if len(found) > len(shown):
        console.print(f"    … and {len(found) - len(shown)} more: --all")


def _short(value: Any, everything: bool) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if everything or len(text) <= 300 else f"{text[:300]}…"


def _wait(folder: Path) -> None:
    """Until a file under the folder is another, or new, or gone."""
    before = _state(folder)
    while _state(folder) == before:
        time.sleep(_LOOK_EVERY_S)


def _state(folder: Path) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for top, _, files in os.walk(folder):
        for path in (Path(top) / name for name in files if name.endswith(_WATCHED)):
            with contextlib.suppress(OSError):  # gone in between
                found[path] = path.stat().st_mtime_ns
    return found
