"""How far a long command is, told beside its results."""

from __future__ import annotations

import sys


class Bar:
    """One line on the terminal, rewritten when it changes; on anything else a line every tenth."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        terminal = sys.stderr.isatty()
        said = f"{what} {(100 if terminal else 10) * done // of}"
        if said == self._said:
            return
        self._said = said
        line = f"{what:26} [{'#' * (30 * done // of):30}] {done / of:4.0%}"
        print(f"\r{line:70}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
