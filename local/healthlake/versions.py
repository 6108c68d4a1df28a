"""Every version of every resource, in SQLite. The write-ahead log makes a committed write survive `kill -9`; one lock
makes a transaction whole and alone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from headwater.model import Resource

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    store TEXT, type TEXT, id TEXT, version INTEGER, at TEXT, body BLOB, PRIMARY KEY (store, type, id, version));
CREATE INDEX IF NOT EXISTS newest ON versions (store, type, at);
CREATE TABLE IF NOT EXISTS terms (store TEXT, type TEXT, id TEXT, version INTEGER, name TEXT, first TEXT, second TEXT);
CREATE INDEX IF NOT EXISTS term ON terms (store, type, id, version, name);
CREATE TABLE IF NOT EXISTS keys (store TEXT, key TEXT, location TEXT, PRIMARY KEY (store, key));
"""


@dataclass(frozen=True, slots=True)
class Term:
    """What a search looks for: `first` and `second` are a token's system and code, a reference's type and id, or the
    two ends of a time."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version; `resource` is None for a deletion. `at` is an instant in UTC with milliseconds."""

    type: str
    id: str
    number: int
    at: str
    resource: Resource | None

    @property
    def etag(self) -> str:
        return f'W/"{self.number}"'

    @property
    def location(self) -> str:
        return f"{self.type}/{self.id}/_history/{self.number}"


class Versions:
    """The versions of all datastores of one stand-in. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "healthlake.sqlite", check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody in between; an exception undoes it. One within another is part of the outer."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def newest(self, store: str, kind: str, identity: str) -> Version | None:
        found = self.history(store, kind, identity, limit=1)
        return found[0] if found else None

    def one(self, store: str, kind: str, identity: str, number: int) -> Version | None:
        found = self.rows(
            "SELECT type, id, version, at, body FROM versions WHERE store=? AND type=? AND id=? AND version=?",
            (store, kind, identity, number),
        )
        return found[0] if found else None

    def history(self, store: str, kind: str, identity: str, *, limit: int = 100) -> Sequence[Version]:
        """The newest first."""
        return self.rows(
            "SELECT type, id, version, at, body FROM versions WHERE store=? AND type=? AND id=?"
            " ORDER BY version DESC LIMIT ?",
            (store, kind, identity, limit),
        )

    def write(
        self, store: str, kind: str, identity: str, resource: Resource | None, terms: Sequence[Term] = ()
    ) -> Version:
        """Add the next version; only inside `transaction`. `resource` gets its meta, None marks it as deleted."""
        newest = self.newest(store, kind, identity)
        number = newest.number + 1 if newest else 1
        at = instant(datetime.now(UTC))
        if resource is not None:
            meta = {**resource.get("meta", {}), "versionId": str(number), "lastUpdated": at}
            resource = {**resource, "id": identity, "meta": meta}
        body = orjson.dumps(resource) if resource is not None else None
        self._db.execute("INSERT INTO versions VALUES (?,?,?,?,?,?)", (store, kind, identity, number, at, body))
        self._db.executemany(
            "INSERT INTO terms VALUES (?,?,?,?,?,?,?)",
            [(store, kind, identity, number, term.name, term.first, term.second) for term in terms],
        )
        return Version(kind, identity, number, at, resource)

    def remember(self, store: str, key: str, location: str) -> str:
        """Keep an idempotency key; gives the location it stood for already, else an empty string."""
        found = self._db.execute("SELECT location FROM keys WHERE store=? AND key=?", (store, key)).fetchone()
        if found:
            return str(found[0])
        self._db.execute("INSERT INTO keys VALUES (?,?,?)", (store, key, location))
        return ""

    def rows(self, sql: str, values: Sequence[object]) -> list[Version]:
        """Versions, from a SELECT of type, id, version, at, body."""
        with self._lock:
            found = self._db.execute(sql, values).fetchall()
        return [
            Version(kind, identity, number, at, orjson.loads(body) if body is not None else None)
            for kind, identity, number, at, body in found
        ]

    def counts(self) -> dict[str, dict[str, int]]:
        """Living resources by datastore and type."""
        with self._lock:
            found = self._db.execute(
                "SELECT store, type, COUNT(*) FROM versions AS v WHERE body IS NOT NULL AND version ="
                " (SELECT MAX(version) FROM versions WHERE store=v.store AND type=v.type AND id=v.id)"
                " GROUP BY store, type ORDER BY store, type"
            ).fetchall()
        counts: dict[str, dict[str, int]] = {}
        for store, kind, number in found:
            counts.setdefault(store, {})[kind] = number
        return counts


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
