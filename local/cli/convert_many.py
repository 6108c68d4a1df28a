"""headwater convert for many messages: --batch, JSON lines as they come; --out, a folder with a progress bar."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from headwater.errors import HeadwaterError
from local.analyst import bulk, lines
from local.analyst.collection import Collection
from local.analyst.mappings import Mappings


def _order(options: argparse.Namespace) -> lines.Order:
    """Raises HeadwaterError for an EHR or a collection that is not there, before any message is read."""
    if options.templates:
        Collection(options.templates, options.format)
        if not options.root and not options.batch:
            raise HeadwaterError("analyst.root", hint="say --root, the template to begin with")
    else:
        Mappings(options.mappings).ehr(options.ehr)
    template = options.root if options.templates else options.template
    return lines.Order(options.mappings, options.cache, options.ehr, options.format, template, options.templates)


def batch(options: argparse.Namespace) -> int:
    """Each line is answered before the next is read, so that a program can talk with it."""
    for line in lines.batch(sys.stdin.buffer, _order(options)):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return 0


def folder(options: argparse.Namespace, path: Path) -> int:
    """Exit code 1 if a message of this run failed."""
    order = _order(options)
    started = time.perf_counter()
    total = sum(1 for _ in bulk.files_of(path))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("files", total=total)
        summary = bulk.convert_folder(
            path,
            options.out,
            order,
            jobs=max(options.jobs, 1),
            retry_errors=options.retry_errors,
            progress=lambda files: bar.advance(task, files),
        )
    seconds = time.perf_counter() - started
    _show_summary(summary, seconds, options.out)
    return 1 if summary.errors else 0


def _show_summary(summary: bulk.Summary, seconds: float, out: Path) -> None:
    console = Console(stderr=True, highlight=False)
    failed = summary.errors.total()
    console.print(
        f"{summary.files} files, {summary.messages} messages in {seconds:.1f} s ({summary.messages / seconds:.0f}/s); "
        f"{summary.skipped} files were done before; {failed} messages failed → {out}",
        soft_wrap=True,
    )
    if failed:
        table = Table("error", "messages", "most often at")
        for code, count in summary.errors.most_common():
            table.add_row(code, str(count), escape(summary.places[code].most_common(1)[0][0]))
        console.print(table)
