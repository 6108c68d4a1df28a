"""The ports in memory, for every test that is not about an adapter. They pass the same contract suites
(`tests/adapters/`) as the real ones, so what a step's test proves with them holds with AWS too.

Set `down` to an error and every call raises it: `archive.down = Retry("archive.unavailable")`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from headwater.adapters.audit import chain as audit_chain
from headwater.errors import Quarantine, Retry
from headwater.model import Brake, MessageRecord, MessageState, Proposal, ProposalState, Resource, Switch, Thread


class _Fake:
    down: Exception | None = None

    def _up(self) -> None:
        if self.down is not None:
            raise self.down


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeArchive(_Fake):
    """`objects` are the archive's own; `elsewhere` is what producers left at `s3://…` locations."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.elsewhere: dict[str, bytes] = {}

    def put(self, key: str, body: bytes, content_type: str) -> None:
        self._up()
        self.objects.setdefault(key, body)
        self.content_types.setdefault(key, content_type)

    def get(self, key: str) -> bytes:
        self._up()
        if key not in self.objects:
            raise Quarantine("archive.missing", place=key)
        return self.objects[key]

    def fetch(self, location: str) -> bytes:
        self._up()
        if location not in self.elsewhere:
            raise Quarantine("accept.pointer_unreadable", place="body")
        return self.elsewhere[location]


class FakeInbox(_Fake):
    def __init__(self) -> None:
        self.records: dict[str, MessageRecord] = {}
        self.threads: dict[str, datetime] = {}
        self.told: dict[str, frozenset[str]] = {}

    def open(self, record: MessageRecord) -> MessageRecord:
        self._up()
        return self.records.setdefault(record.key, record)

    def close(self, key: str, state: MessageState, *, at: str, code: str = "", place: str = "", hint: str = "") -> None:
        self._up()
        self.records[key] = replace(
            self.records[key], state=state, updated_at=at, error_code=code, error_place=place, error_hint=hint
        )

    def get(self, key: str) -> MessageRecord | None:
        self._up()
        return self.records.get(key)

    def list(self, state: MessageState, *, limit: int = 100) -> Sequence[MessageRecord]:
        self._up()
        found = [record for record in self.records.values() if record.state == state]
        return sorted(found, key=lambda record: record.updated_at, reverse=True)[:limit]

    def advance(self, thread: str, event_time: datetime, told: Collection[str] = ()) -> Thread | None:
        self._up()
        if event_time.tzinfo is None:
            raise ValueError("event_time must be aware")
        if thread in self.threads and self.threads[thread] > event_time:
            return None
        self.threads[thread] = event_time
        before = self.told.get(thread, frozenset())
        self.told[thread] = before | frozenset(told)
        return Thread(before)


class FakeQueue(_Fake):
    """`sent` holds (body, group, dedup), a repeated `dedup` once."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    @property
    def bodies(self) -> list[str]:
        return [body for body, _, _ in self.sent]

    def send(self, body: str, *, group: str, dedup: str) -> None:
        self._up()
        if all(dedup != known for _, _, known in self.sent):
            self.sent.append((body, group, dedup))


class FakeProposals(_Fake):
    def __init__(self) -> None:
        self.rows: dict[str, Proposal] = {}

    def add(self, proposal: Proposal) -> bool:
        self._up()
        return self.rows.setdefault(proposal.intent, proposal) is proposal

    def get(self, intent: str) -> Proposal | None:
        self._up()
        return self.rows.get(intent)

    def list(self, state: ProposalState, *, limit: int = 100) -> Sequence[Proposal]:
        self._up()
        found = [proposal for proposal in self.rows.values() if proposal.state == state]
        return sorted(found, key=lambda proposal: proposal.created_at)[:limit]

    def alike(self, fingerprint: str, *, limit: int = 20) -> Sequence[Proposal]:
        self._up()
        found = [proposal for proposal in self.rows.values() if fingerprint and proposal.fingerprint == fingerprint]
        return sorted(found, key=lambda proposal: proposal.created_at, reverse=True)[:limit]

    def move(self, proposal: Proposal, *, expected_version: int) -> None:
        self._up()
        if proposal.version != expected_version + 1:
            raise ValueError(f"a move raises the version by one: {expected_version} to {proposal.version}")
        known = self.rows.get(proposal.intent)
        if known is None or known.version != expected_version:
            raise Retry("ledger.conflict", place=proposal.intent)
        self.rows[proposal.intent] = proposal


class FakeBrakes(_Fake):
    def __init__(self) -> None:
        self.thrown: dict[str, Switch] = {}
        self.arrivals: dict[str, float] = {}
        self.closed: dict[str, datetime] = {}
        self.failures: dict[str, int] = {}

    def look(self, ehr: str, scopes: Sequence[str], now: datetime) -> Brake:
        self._up()
        thrown = tuple(self.thrown[scope] for scope in sorted(set(scopes)) if scope in self.thrown)
        names = (ehr, f"{ehr}/writes")
        closed = [max(0.0, (self.closed.get(name, now) - now).total_seconds()) for name in names]
        failures = [self.failures.get(name, 0) for name in names]
        return Brake(thrown, closed[0], failures[0], closed[1], failures[1])

    def take(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        self._up()
        at, step, depth = now.timestamp(), cost / per_s, burst / per_s
        arrival = self.arrivals.get(budget, at)
        if arrival > at and arrival > at + max(depth - step, 0):
            return arrival + step - depth - at
        self.arrivals[budget] = max(arrival, at) + step
        return 0.0

    def reserve(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        self._up()
        at, step, depth = now.timestamp(), cost / per_s, burst / per_s
        arrival = self.arrivals.get(budget, at)
        self.arrivals[budget] = max(arrival, at) + step
        return max(0.0, arrival + step - depth - at) if arrival > at else 0.0

    def close(self, ehr: str, until: datetime) -> None:
        self._up()
        self.closed[ehr] = max(until, self.closed.get(ehr, until))

    def failed(self, ehr: str) -> int:
        self._up()
        self.failures[ehr] = self.failures.get(ehr, 0) + 1
        return self.failures[ehr]

    def worked(self, ehr: str) -> None:
        self._up()
        self.failures[ehr] = 0

    def throw(self, switch: Switch) -> None:
        self._up()
        self.thrown.setdefault(switch.scope, switch)

    def release(self, switch: Switch) -> None:
        self._up()
        self.thrown.pop(switch.scope, None)

    def switches(self) -> Sequence[Switch]:
        self._up()
        return sorted(self.thrown.values(), key=lambda switch: switch.at)


class FakeNotices(_Fake):
    """`told` holds (recipient, subject, lines)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, tuple[str, ...]]] = []

    def tell(self, recipient: str, subject: str, lines: Sequence[str]) -> None:
        self._up()
        self.told.append((recipient, subject, tuple(lines)))


class FakeAuditLog(_Fake):
    def __init__(self) -> None:
        self.chains: dict[str, list[dict[str, object]]] = {}

    def append(self, chain: str, entry: Mapping[str, object]) -> None:
        self._up()
        entries = self.chains.setdefault(chain, [])
        sealed = audit_chain.seal(entry, entries[-1] if entries else None)
        entries.append(json.loads(audit_chain.encode(sealed)))

    def read(self, chain: str) -> Sequence[Mapping[str, object]]:
        self._up()
        entries = self.chains.get(chain, [])
        audit_chain.verify(chain, entries)
        return copy.deepcopy(entries)


class FakeFhirStore(_Fake):
    """`history` holds every version of every resource by its reference, the newest last.

    `transactions` counts. A resource without id or type is refused whole, as the store would.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Resource]] = {}
        self.transactions = 0

    @property
    def resources(self) -> dict[str, Resource]:
        """The newest version of each, by reference."""
        return {reference: versions[-1] for reference, versions in self.history.items()}

    def transact(self, resources: Sequence[Resource]) -> Sequence[str]:
        self._up()
        for index, resource in enumerate(resources):
            if not resource.get("resourceType") or not resource.get("id"):
                raise Quarantine("store.invalid", place=f"Bundle.entry[{index}].resource")
        self.transactions += 1
        return [self._put(copy.deepcopy(resource)) for resource in resources]

    def read(self, reference: str) -> Resource | None:
        self._up()
        versions = self.history.get(reference)
        return copy.deepcopy(versions[-1]) if versions else None

    def search(self, kind: str, tags: Sequence[str]) -> Iterator[Resource]:
        self._up()
        for resource in list(self.resources.values()):
            own = {f"{tag.get('system', '')}|{tag['code']}" for tag in resource["meta"].get("tag", ())}
            if resource["resourceType"] == kind and own & set(tags):
                yield copy.deepcopy(resource)

    def update(self, resource: Resource) -> bool:
        self._up()
        known = self.history.get(f"{resource['resourceType']}/{resource['id']}")
        if known is None or known[-1]["meta"]["versionId"] != resource["meta"]["versionId"]:
            return False
        self._put(copy.deepcopy(resource))
        return True

    def _put(self, resource: Resource) -> str:
        reference = f"{resource['resourceType']}/{resource['id']}"
        versions = self.history.setdefault(reference, [])
        version = str(len(versions) + 1)
        versions.append({**resource, "meta": {**resource.get("meta", {}), "versionId": version}})
        return f"{reference}/_history/{version}"


class FakeWatch(_Fake):
    """`notes` holds (step, outcome, ids), `timed` (step, outcome, milliseconds)."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, dict[str, str | int | float]]] = []
        self.timed: list[tuple[str, str, float]] = []

    @property
    def outcomes(self) -> list[str]:
        """`["accept.ok", "convert.quarantined"]`"""
        return [f"{step}.{outcome}" for step, outcome, _ in self.notes]

    def note(self, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: str | int | float) -> None:
        self._up()
        self.notes.append((step, outcome, ids))
        self.timed.append((step, outcome, milliseconds))
