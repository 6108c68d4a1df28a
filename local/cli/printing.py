"""How commands print: results to standard output, errors beside it."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.markup import escape

from headwater.errors import HeadwaterError
from local.analyst.collection import printed


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
