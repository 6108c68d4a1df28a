"""What one render may use. Templates come from many hands: whatever they say, a render ends, and ends small.

Every limit is enforced while rendering, before the memory is taken: loops and partials are counted as they turn,
strings that filters make are measured, and text is added up as it is written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from headwater.model import LARGE
from headwater.templates.errors import LimitReached

CHECK_EVERY = 64  # loop turns and partial calls between two looks at the clock
TURN = 256  # what built code pays for a turn or partial at least, in characters of its own source
SLICE = 4 * CHECK_EVERY * TURN
# Strings that are LARGE are charged one by one; shorter ones are bounded by turns x source size.
_LISTS = 100  # written to at the same time: the output, captures, partials


@dataclass(frozen=True, slots=True)
class Limits:
    """Per render: wall-clock `seconds`, `turns` of all loops and partials together, `depth` of partials in partials,
    `output` in characters, `string` for one string made by a filter, `work` for all large strings together.
    Per template: `source` in characters; how deep blocks nest is the parser's own limit."""

    seconds: float = 10.0
    turns: int = 500_000
    depth: int = 100
    output: int = 32_000_000
    string: int = 8_000_000
    work: int = 256_000_000
    items: int = 100_000
    source: int = 1_000_000


class Meter:
    """One render's use of its limits. `tick` is called once per loop turn and partial call, so it must be cheap."""

    __slots__ = (
        *("_budget", "_ends", "_pieces", "_seen", "_turns_left", "_until_check"),
        *("depth", "left", "limits", "work_left"),
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.depth = 0
        self.work_left = limits.work
        self._ends = time.monotonic() + limits.seconds
        self._turns_left = limits.turns
        self._until_check = CHECK_EVERY
        self._pieces = 0
        self.left = SLICE
        self._budget = min(4 * limits.output, TURN * limits.turns)
        self._seen: dict[int, tuple[int, int]] = {}  # lists written to: how many pieces were measured, and their length

    def tick(self, out: list[str]) -> None:
        self._until_check -= 1
        if self._until_check < 0 or len(out) - self._pieces > 8192:
            self.check(out)

    def check(self, out: list[str]) -> None:
        """Look at the clock, the turns and the text written since the last look."""
        self._turns_left -= CHECK_EVERY - self._until_check
        self._until_check = CHECK_EVERY
        if self._turns_left < 0:
            raise LimitReached(f"more than {self.limits.turns} loop turns and partials")
        if time.monotonic() > self._ends:
            raise LimitReached(f"took more than {self.limits.seconds:g} s")
        pieces, characters = self._seen.get(id(out), (0, 0))
        if pieces > len(out):  # another list, at the same address as one before
            pieces = characters = 0
        characters += sum(map(len, out[pieces:]))
        if len(self._seen) > _LISTS:
            self._seen.clear()
        self._seen[id(out)] = len(out), characters
        self._pieces = len(out)
        if characters > self.limits.output:
            raise LimitReached(f"output is longer than {self.limits.output} characters")

    def pay(self) -> None:
        """Built code takes what it may write, and `TURN` for each turn at least, from `left`; this fills it again."""
        self._budget -= SLICE - self.left
        self.left = SLICE
        if self._budget < 0:
            raise LimitReached(f"output, loop turns or partials above {self.limits.output} and {self.limits.turns}")
        if time.monotonic() > self._ends:
            raise LimitReached(f"took more than {self.limits.seconds:g} s")

    def join(self, out: list[str]) -> str:
        """The text written, if it is not too long; measured before it is joined."""
        if sum(map(len, out)) > self.limits.output:
            raise LimitReached(f"output is longer than {self.limits.output} characters")
        return "".join(out)

    def charge(self, size: int) -> None:
        """Pay for a string of `size` characters before it is made."""
        if size < LARGE:
            return
        if size > self.limits.string:
            raise LimitReached(f"a string is longer than {self.limits.string} characters")
        self.work_left -= size
        if self.work_left < 0:
            raise LimitReached(f"strings of more than {self.limits.work} characters in all")
        if time.monotonic() > self._ends:
            raise LimitReached(f"took more than {self.limits.seconds:g} s")

    def enter(self, out: list[str]) -> None:
        """Called at the beginning of every partial; it counts as a turn."""
        self.deeper()
        self._until_check -= 1
        if self._until_check < 0 or len(out) - self._pieces > 8192:
            self.check(out)

    def deeper(self) -> None:
        """Called at the beginning of what may call itself; the end gives it back."""
        self.depth += 1
        if self.depth > self.limits.depth:
            raise LimitReached(f"partials are nested deeper than {self.limits.depth}")
