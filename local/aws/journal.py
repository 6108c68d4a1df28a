"""What the local AWS remembers: an append-only file of every request that changed something, one JSON line each.

A line is written after the request was carried out and before it is acknowledged, so that nothing acknowledged is ever
lost when the process is killed; a line that was being written at that moment was not acknowledged and is dropped.
The file holds request bodies, and so whatever data is fed to the local stack.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOT_KEPT = frozenset({"user-agent", "accept-encoding", "connection", "expect", "amz-sdk-request", "x-amzn-trace-id"})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it came: `target` is path and query, still percent-encoded."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A remembered request: its number seeds moto's chance, its time is what the clock said (seconds since 1970)."""

    number: int
    at: float
    request: Request


class Journal:
    """The file. `last` is the number of the newest entry, 0 when there is none.

    Lines go to the operating system unbuffered, which survives SIGKILL of this process; there is no fsync, so a power
    cut may cost the last lines. That is a laptop's trade, made knowingly.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def append(self, request: Request, *, at: float) -> None:
        self.last += 1
        line = {
            "number": self.last,
            "at": at,
            "method": request.method,
            "target": request.target,
            "headers": [pair for pair in request.headers if pair[0].lower() not in _NOT_KEPT],
            "body": base64.b64encode(request.body).decode("ascii"),
        }
        data = memoryview(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        while data:  # a raw write may be short
            data = data[self._file.write(data) :]

    def replay(self) -> Iterator[Entry]:
        """All entries, oldest first. Cuts off a torn last line."""
        end = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                entry = _entry(line)
                end += len(line)
                self.last = entry.number
                yield entry
        os.truncate(self.path, end)

    def close(self) -> None:
        self._file.close()


def _entry(line: bytes) -> Entry:
    raw = json.loads(line)
    headers = tuple((name, value) for name, value in raw["headers"])
    body = base64.b64decode(raw["body"])
    return Entry(raw["number"], raw["at"], Request(raw["method"], raw["target"], headers, body))
