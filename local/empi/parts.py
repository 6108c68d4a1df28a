"""Files of a batch, each cut into numbered parts that are read one at a time, so that no process holds a whole one.

A file is there whole or not at all: what is there was finished, and an interrupted batch goes on behind it.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """The parts one behind the other, after 64-bit numbers: how many parts there are, and where each ends."""
    bodies = list(parts)
    ends = array("Q", (len(bodies), *accumulate(map(len, bodies))))
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        ends.tofile(file)
        file.writelines(bodies)
    unfinished.replace(path)


class Parts:
    """The parts of one file, mapped: several processes share the memory, and it is given back when it is short."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        count = self._bytes[:8].cast("Q")[0]
        self._start = 8 * (1 + count)
        self._ends = self._bytes[8 : self._start].cast("Q")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, part: int) -> memoryview:
        begin = self._ends[part - 1] if part else 0
        return self._bytes[self._start + begin : self._start + self._ends[part]]


def numbers(kind: str, part: memoryview | bytes) -> array[int]:
    """A part that holds numbers of one kind (`array` type code)."""
    found = array(kind)
    found.frombytes(part)
    return found
