"""A folder of messages to one file of JSON lines, on all cores, in as much memory as a few files take.

The output is also the memory of what is done: a second run keeps the lines of whole files, drops what a break left
half written, and goes on from there. A file's lines stand together, in the order in which files were finished.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import orjson

from local.analyst.lines import Order, Worker

_FILES_AT_ONCE = 8  # files a task: enough to make the way to another process cheap
_MESSAGE = re.compile(r"#\d+\Z")  # behind a file's name, if it has several messages
_TASKS_AHEAD = 3  # tasks a process that may wait, so that memory does not grow with the folder


@dataclass
class Summary:
    """What a run did. `errors` counts codes; `places` keeps the place and hint that came most for each."""

    files: int = 0
    skipped: int = 0
    messages: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    places: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, line: bytes) -> None:
        self.messages += 1
        if b'"error":{' not in line[-4096:]:
            return
        error = orjson.loads(line).get("error")
        if error:
            self.errors[error["code"]] += 1
            self.places.setdefault(error["code"], Counter())[f"{error['place']}: {error['hint']}"] += 1


def files_of(folder: Path) -> Iterator[str]:
    """The folder's files by their paths in it, hidden ones left out, one after the other and never all at once."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
        for entry in found:
            if entry.is_file():
                yield Path(entry.path).relative_to(folder).as_posix()
        pending.extend(Path(entry.path) for entry in reversed(found) if entry.is_dir())


def done(out: Path, *, retry_errors: bool = False) -> set[str]:
    """The files whose lines `out` holds whole. What is half written is cut off: a last line without its end, and if
    the last file has several messages, of which more may be missing, all of its lines. With `retry_errors`, files with
    an error are taken out too."""
    if not out.exists():
        return set()
    files, faulty, last = dict[str, None](), set[str](), ""
    for line in _whole_lines(out):
        told = orjson.loads(line)
        last = str(told["id"])
        files[_file_of(last)] = None
        if "error" in told:
            faulty.add(_file_of(last))
    dropped = ({_file_of(last)} if _MESSAGE.search(last) else set()) | (faulty if retry_errors else set())
    kept = out.with_name(f"{out.name}.kept")
    with kept.open("wb") as file:
        for line in _whole_lines(out):
            if _file_of(str(orjson.loads(line)["id"])) not in dropped:
                file.write(line)
    kept.replace(out)
    return set(files) - dropped


def _file_of(name: str) -> str:
    return _MESSAGE.sub("", name)


def _whole_lines(out: Path) -> Iterator[bytes]:
    with out.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def convert_folder(
    folder: Path,
    out: Path,
    order: Order,
    *,
    jobs: int,
    retry_errors: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Convert what is not done yet; `progress` is told of each number of files that are finished or skipped."""
    summary = Summary()
    ready = done(out, retry_errors=retry_errors)
    own = out.resolve()
    todo: list[str] | Iterator[str]
    todo = (name for name in files_of(folder) if name not in ready and (folder / name).resolve() != own)
    summary.skipped = len(ready)
    progress = progress or (lambda _: None)
    progress(len(ready))
    with out.open("ab") as written:
        for count, lines in _converted(folder, todo, order, jobs):
            written.write(b"".join(lines))
            summary.files += count
            for line in lines:
                summary.add(line)
            progress(count)
    return summary


def _converted(folder: Path, names: Iterator[str], order: Order, jobs: int) -> Iterator[tuple[int, list[bytes]]]:
    """Lines as they come, with the number of files that they are of."""
    if jobs == 1:
        worker = Worker(order)
        for name in names:
            yield 1, worker.file(folder / name, name)
        return
    tasks = iter(lambda: tuple(islice(names, _FILES_AT_ONCE)), ())
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (order,)) as pool:
        running: set[Future[tuple[int, list[bytes]]]] = set()
        while True:
            for task in islice(tasks, jobs * _TASKS_AHEAD - len(running)):
                running.add(pool.submit(_task, folder, task))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


_worker: Worker | None = None  # one a process of the pool


def _begin(order: Order) -> None:
    global _worker
    _worker = Worker(order)


def _task(folder: Path, names: tuple[str, ...]) -> tuple[int, list[bytes]]:
    assert _worker is not None
    return len(names), [line for name in names for line in _worker.file(folder / name, name)]
