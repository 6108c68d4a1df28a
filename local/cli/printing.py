"""How commands print: results to standard output, errors beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.table import Column, Table

from headwater.errors import HeadwaterError
from local.analyst.collection import printed

_WIDE = 160  # where no terminal says how wide it is: a file, a pipe


def table_of(*heads: str, whole: Collection[str] = (), title: str = "") -> Table:
    """A table of which nothing is cut off, so that what it shows can be copied: what is too wide goes on in the next
    line, and the columns `whole` (ids) not even that."""
    columns = (Column(head, overflow="fold", no_wrap=head in whole) for head in heads)
    return Table(*columns, title=title, expand=True)


def print_tables(*tables: Table) -> None:
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=_WIDE)
    console.print(*tables)


def print_json(value: Any, *, raw: bool) -> None:
    text = printed(value, indent=None if raw else 2)
    if raw or isinstance(value, str) or not sys.stdout.isatty():
        print(text)
    else:
        Console().print(JSON(text))


def print_error(error: HeadwaterError, before: str = "") -> None:
    """`code`, place, and what to do; never a value."""
    console = Console(stderr=True, highlight=False)
    console.print(f"[red bold]{before}{escape(error.code)}[/]", soft_wrap=True)
    if error.place:
        console.print(f"  at    {escape(error.place)}", soft_wrap=True)
    if error.hint:
        console.print(f"  hint  {escape(error.hint)}", soft_wrap=True)
