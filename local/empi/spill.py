"""What is too much for memory lies on disk by what it has in common: written entry by entry, read part by part."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

PARTS = 64


class Spill:
    """Entries by part, on disk: `put` while it is open, `part` afterwards."""

    def __init__(self, folder: Path, name: str, parts: int = PARTS) -> None:
        self._paths = [folder / f"{name}-{number}" for number in range(parts)]
        self._stack = ExitStack()
        self._files: list[BinaryIO] = [self._stack.enter_context(path.open("wb")) for path in self._paths]

    def __len__(self) -> int:
        return len(self._paths)

    def put(self, by: str, entry: Any) -> None:
        """Entries that have `by` in common lie in one part, in the order in which they came."""
        pickle.dump(entry, self._files[zlib.crc32(by.encode()) % len(self._files)], pickle.HIGHEST_PROTOCOL)

    def close(self) -> None:
        self._stack.close()

    def part(self, number: int) -> Iterator[Any]:
        with self._paths[number].open("rb") as file:
            end = self._paths[number].stat().st_size
            while file.tell() < end:
                yield pickle.load(file)
