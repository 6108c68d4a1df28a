"""The chart: every version of every resource, and every write that ever arrived, in SQLite.

A row is committed to disk before the EHR answers, so that a killed simulation remembers what it said. Three times rule
who sees a row: when it was committed, when searches find it, and when it is silently thrown away.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

from headwater.model import Resource

_SCHEMA = """
CREATE TABLE IF NOT EXISTS version (
  type TEXT, id TEXT, version INTEGER, body TEXT, payload_hash TEXT,
  committed_at REAL, found_from REAL, gone_from REAL, PRIMARY KEY (type, id, version));
CREATE TABLE IF NOT EXISTS arrival (
  number INTEGER PRIMARY KEY, at REAL, request TEXT, payload_hash TEXT, client TEXT, outcome TEXT, reference TEXT);
CREATE TABLE IF NOT EXISTS held (
  number INTEGER PRIMARY KEY, at REAL, body TEXT, payload TEXT, gone_from REAL);
CREATE TABLE IF NOT EXISTS number (next INTEGER);
CREATE TABLE IF NOT EXISTS client (id TEXT, kid TEXT, public_key TEXT, secret_hash TEXT, scope TEXT,
  PRIMARY KEY (id, kid));
CREATE TABLE IF NOT EXISTS token (hash TEXT PRIMARY KEY, client TEXT, scope TEXT, ends_at REAL);
CREATE TABLE IF NOT EXISTS jti (value TEXT PRIMARY KEY);
"""
_FIRST_NUMBER = 12_000_001


class Clock(Protocol):
    """Seconds since the epoch, and how to move on."""

    def __call__(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


class WallClock:
    """The real time, and what it was moved ahead by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass(frozen=True, slots=True)
class Row:
    """The current version of one resource."""

    reference: str
    version: int
    resource: Resource
    payload_hash: str
    committed_at: float
    found_from: float


class Chart:
    """One EHR's database file. Safe for threads: one connection, one lock."""

    def __init__(self, path: Path, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._clock = clock
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Whole or not at all, one at a time."""
        with self._lock:
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield self._sql
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise
            self._sql.execute("COMMIT")

    # -------------------------------------------------------------------------------------------------- resources

    def file(
        self,
        resource: Resource,
        *,
        payload: bytes = b"",
        commit_in: float = 0.0,
        found_in: float = 0.0,
        gone_in: float | None = None,
    ) -> Row:
        """Write a new resource, under its own id if it has one; times are seconds from now."""
        with self.transaction() as sql:
            id_ = str(resource.get("id") or self._next_number(sql))
            at = self._clock() + commit_in
            gone = None if gone_in is None else self._clock() + gone_in
            stored = {**resource, "id": id_, "meta": _meta(1, at)}
            digest = hash_of(payload) if payload else ""
            sql.execute(
                "INSERT INTO version VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
                (resource["resourceType"], id_, json.dumps(stored), digest, at, at + found_in, gone),
            )
        return Row(f"{resource['resourceType']}/{id_}", 1, stored, digest, at, at + found_in)

    def revise(self, row: Row, resource: Resource, *, payload: bytes = b"") -> Row:
        """Write the next version of what `row` shows; raises sqlite3.IntegrityError if somebody was faster."""
        type_, _, id_ = row.reference.partition("/")
        at, version = self._clock(), row.version + 1
        stored = {**resource, "resourceType": type_, "id": id_, "meta": _meta(version, at)}
        digest = hash_of(payload) if payload else row.payload_hash
        with self.transaction() as sql:
            sql.execute(
                "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (type_, id_, version, json.dumps(stored), digest, at, at),
            )
        return Row(row.reference, version, stored, digest, at, at)

    def row(self, reference: str) -> Row | None:
        type_, _, id_ = reference.partition("/")
        return next(self._rows("type = ? AND id = ?", (type_, id_)), None)

    def rows(self, type_: str = "", *, searchable: bool = False) -> list[Row]:
        """Current rows, oldest first; with `searchable` only those that a search finds by now."""
        found = self._rows("type = ?", (type_,)) if type_ else self._rows("TRUE", ())
        return [row for row in found if not searchable or row.found_from <= self._clock()]

    def _rows(self, where: str, values: tuple[str, ...]) -> Iterator[Row]:
        now = self._clock()
        with self._lock:
            found = self._sql.execute(
                f"SELECT type, id, version, body, payload_hash, committed_at, found_from FROM version v WHERE {where}"
                " AND committed_at <= ? AND (gone_from IS NULL OR gone_from > ?) AND version = (SELECT MAX(version)"
                " FROM version w WHERE w.type = v.type AND w.id = v.id AND w.committed_at <= ?) ORDER BY rowid",
                (*values, now, now, now),
            ).fetchall()
        for type_, id_, version, body, digest, committed_at, found_from in found:
            yield Row(f"{type_}/{id_}", version, json.loads(body), digest, committed_at, found_from)

    def next_number(self) -> int:
        """An id that nothing has yet."""
        with self.transaction() as sql:
            return self._next_number(sql)

    @staticmethod
    def _next_number(sql: sqlite3.Connection) -> int:
        known = sql.execute("SELECT next FROM number").fetchone()
        number = known[0] if known else _FIRST_NUMBER
        sql.execute("UPDATE number SET next = ?" if known else "INSERT INTO number VALUES (?)", (number + 1,))
        return int(number)

    # ------------------------------------------------------------------------------------------------------- held

    def hold(self, resource: Resource, payload: bytes, *, gone_in: float | None = None) -> None:
        """Take something in for the EHR's own people: no row until `accept`, never one after `gone_in` seconds."""
        gone = None if gone_in is None else self._clock() + gone_in
        with self.transaction() as sql:
            values = (self._clock(), json.dumps(resource), payload.decode(), gone)
            sql.execute("INSERT INTO held (at, body, payload, gone_from) VALUES (?, ?, ?, ?)", values)

    def held(self) -> list[dict[str, Any]]:
        """What waits, the oldest first."""
        with self._lock:
            found = self._sql.execute(
                "SELECT number, at, body FROM held WHERE gone_from IS NULL OR gone_from > ? ORDER BY number",
                (self._clock(),),
            ).fetchall()
        return [{"number": number, "at": iso(at), "resource": json.loads(body)} for number, at, body in found]

    def decide(self, number: int, *, accept: bool) -> Row | None:
        """The EHR's own reviewer files what waits, or throws it away; raises ValueError if it does not wait."""
        with self.transaction() as sql:
            found = sql.execute(
                "DELETE FROM held WHERE number = ? AND (gone_from IS NULL OR gone_from > ?) RETURNING body, payload",
                (number, self._clock()),
            ).fetchone()
        if found is None:
            raise ValueError("nothing of that number waits")
        return self.file(json.loads(found[0]), payload=str(found[1]).encode()) if accept else None

    # --------------------------------------------------------------------------------------------------- arrivals

    def arrived(self, request: str, payload: bytes, client: str) -> int:
        """Note that a write reached the EHR, before anything else happens to it; gives its number."""
        with self.transaction() as sql:
            cursor = sql.execute(
                "INSERT INTO arrival (at, request, payload_hash, client, outcome, reference)"
                " VALUES (?, ?, ?, ?, 'no answer', '')",
                (self._clock(), request, hash_of(payload), client),
            )
            return int(cursor.lastrowid or 0)

    def settled(self, number: int, outcome: str, reference: str = "") -> None:
        with self.transaction() as sql:
            sql.execute("UPDATE arrival SET outcome = ?, reference = ? WHERE number = ?", (outcome, reference, number))

    def arrivals(self) -> list[dict[str, Any]]:
        names = ("number", "at", "request", "payload_hash", "client", "outcome", "reference")
        with self._lock:
            found = self._sql.execute(f"SELECT {', '.join(names)} FROM arrival ORDER BY number").fetchall()
        return [dict(zip(names, one, strict=True)) | {"at": iso(one[1])} for one in found]


def hash_of(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _meta(version: int, at: float) -> Resource:
    return {"versionId": str(version), "lastUpdated": iso(at)}
