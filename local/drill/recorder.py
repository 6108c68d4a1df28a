"""Everything the functions did in a scenario, in the order in which it happened, without asking AWS again.

Ports are wrapped, not replaced: the real adapter does the work, and what it did is one line of the timeline. Here is
also where a worker can be killed, before or after a step, as SIGKILL would do it: nothing after that point has run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headwater.errors import Retry
from headwater.model import Answer, Proposal, ProposalState
from local.drill.clock import DrillClock


class Killed(BaseException):
    """The worker is gone. A BaseException, so that no handler can catch what a SIGKILL would not let it."""


@dataclass(frozen=True, slots=True)
class Event:
    """`what` is audit, ledger, notice, metric, wire, answer, slow or killed; `intent` is empty where nobody says it."""

    at: float
    what: str
    intent: str
    facts: Mapping[str, Any]


@dataclass
class Timeline:
    """The recorder of one scenario. `kill_at` maps a point (`after:create`) to how often it still kills."""

    clock: DrillClock
    events: list[Event] = field(default_factory=list)
    kill_at: dict[str, int] = field(default_factory=dict)
    sending: dict[str, Proposal] = field(default_factory=dict)
    asked_at: float = 0.0
    states: dict[str, ProposalState] = field(default_factory=dict)

    def note(self, what: str, intent: str, /, **facts: Any) -> None:
        self.events.append(Event(self.clock(), what, intent, facts))

    def point(self, name: str) -> None:
        """A place where a worker may die."""
        if self.kill_at.get(name, 0) > 0:
            self.kill_at[name] -= 1
            self.note("killed", "", point=name)
            raise Killed(name)

    def of(self, what: str, intent: str = "") -> list[Event]:
        return [event for event in self.events if event.what == what and intent in ("", event.intent)]


class RecordedAudit:
    """`AuditLog`; until `down_until()` it refuses every append, as a bucket that is not reached does."""

    def __init__(self, port: Any, timeline: Timeline, down_until: Callable[[], float]) -> None:
        self._port, self._timeline, self._down_until = port, timeline, down_until

    def append(self, chain: str, entry: Mapping[str, object]) -> None:
        self._timeline.point(f"before:audit.{entry.get('event')}")
        if self._timeline.clock() < self._down_until():
            raise Retry("audit.unavailable", place=chain, after=30)
        self._port.append(chain, entry)
        self._timeline.note("audit", chain, **entry)
        self._timeline.point(f"after:audit.{entry.get('event')}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class RecordedProposals:
    """`Proposals`."""

    def __init__(self, port: Any, timeline: Timeline) -> None:
        self._port, self._timeline = port, timeline

    def add(self, proposal: Proposal) -> bool:
        self._timeline.point("before:ledger.add")
        added: bool = self._port.add(proposal)
        if added:
            self._timeline.states[proposal.intent] = proposal.state
            self._timeline.note("ledger", proposal.intent, state=proposal.state.value, reason=proposal.reason, new=True)
        return added

    def move(self, proposal: Proposal, *, expected_version: int) -> None:
        self._timeline.point(f"before:ledger.{proposal.state.value}")
        self._port.move(proposal, expected_version=expected_version)
        self._timeline.sending[proposal.payload_hash] = proposal
        self._timeline.states[proposal.intent] = proposal.state
        self._timeline.note("ledger", proposal.intent, state=proposal.state.value, reason=proposal.reason, new=False)
        self._timeline.point(f"after:ledger.{proposal.state.value}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class RecordedWatch:
    """`Watch`: each note at the drill's time."""

    def __init__(self, port: Any, timeline: Timeline) -> None:
        self._port, self._timeline = port, timeline

    def note(self, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: str | int | float) -> None:
        if step == "ehr":  # a request whose answer was waited for on the drill's time, which no timer sees
            milliseconds += (self._timeline.clock() - self._timeline.asked_at) * 1000
        self._port.note(step, outcome, milliseconds=milliseconds, **ids)
        self._timeline.note("metric", "", step=step, outcome=outcome, milliseconds=milliseconds, **ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class RecordedNotices:
    """`Notices`: who was told what."""

    def __init__(self, port: Any, timeline: Timeline) -> None:
        self._port, self._timeline = port, timeline

    def tell(self, recipient: str, subject: str, lines: Any) -> None:
        self._port.tell(recipient, subject, lines)
        said = f"{subject} {' '.join(lines)}".lower()
        self._timeline.note("notice", "", to=recipient, subject=subject, lines=list(lines),
                            interruptive="urgent" in said or "stat" in said.split())  # fmt: skip


class RecordedApi:
    """`EhrApi`: every call with its answer; a write is announced before its bytes leave."""

    WRITES = ("create", "update", "patch", "delete", "operate", "transact")

    def __init__(self, port: Any, ehr: str, timeline: Timeline, on_wire: Callable[[str, bytes], None]) -> None:
        self._port, self._ehr, self._timeline, self._on_wire = port, ehr, timeline, on_wire

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        if not callable(call) or name.startswith("_"):
            return call

        def recorded(*args: Any, **kwargs: Any) -> Any:
            write = name in self.WRITES
            self._timeline.point(f"before:{name}")
            if write:
                self._on_wire(self._ehr, next(value for value in args if isinstance(value, bytes)))
            begun = self._timeline.asked_at = self._timeline.clock()
            answer: Answer = call(*args, **kwargs)
            # What the adapter measured is real; what the EHR made us wait is the drill's time, which no timer sees.
            waited = (self._timeline.clock() - begun) * 1000
            answer = replace(answer, milliseconds=answer.milliseconds + waited)
            self._timeline.note("answer", "", ehr=self._ehr, name=name, write=write, status=answer.status,
                                milliseconds=answer.milliseconds)  # fmt: skip
            self._timeline.point(f"after:{name}")
            return answer

        return recorded
