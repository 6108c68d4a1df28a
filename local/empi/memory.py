"""What a batch holds in memory, all its processes together, while it runs.

Counted is the proportional set size (Linux, Documentation/filesystems/proc.rst: a page that several processes map is
divided among them), because resident sizes would count a file that all of them map once for each.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

_EVERY = 0.25  # seconds between two looks, and
_SHARE = 0.01  # the most of the time that looking may take: to count a GB takes some 20 ms


class MemoryWatch:
    """`peak` in bytes, of this process and its children, since the watch began. Where there is no /proc, `peak` is what
    getrusage knows: the most of this process and of the largest child that has ended."""

    def __init__(self) -> None:
        self.peak = 0
        self._end = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        took = self._look()
        while not self._end.wait(max(_EVERY, took / _SHARE)):
            took = self._look()

    def _look(self) -> float:
        started = time.thread_time()
        self.peak = max(self.peak, held() or _at_most())
        return time.thread_time() - started


def held() -> int:
    """Bytes that this process and its children hold now; 0 where that cannot be known."""
    return sum(_proportional(process) for process in (os.getpid(), *_children()))


def _children() -> Iterator[int]:
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            yield from map(int, path.read_text().split())
        except OSError:  # a thread that has just ended
            continue


def _proportional(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # a process that has just ended, or no Linux
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _at_most() -> int:
    both = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(both) * 1024  # Linux counts in KB; so does this, at most, on a system that counts in bytes
