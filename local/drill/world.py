"""One scenario's world: sites with simulated EHRs, people both of them know, the functions, and time to run them in.

The functions are the deployed code in this process: `App` as `bootstrap` wires it, its clock and its queues the
drill's. A worker takes one message at a time; when nothing is visible, time jumps to when something will be.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger

from headwater.adapters import clients
from headwater.adapters.sqs_batch import process
from headwater.adapters.watch.powertools import PowertoolsWatch
from headwater.bootstrap import App
from headwater.ehrs import Ehr
from headwater.model import Delivery, Proposal, ProposalState, Resource
from headwater.outbound.gates.identity import link_of
from headwater.ports import AuditLog, EhrApi, EhrApis, Notices, Proposals, Queue, Watch
from headwater.settings import Settings
from local.drill.clock import DrillClock
from local.drill.queues import DrillQueue, Message, Visibility
from local.drill.recorder import (
    Killed,
    RecordedApi,
    RecordedAudit,
    RecordedNotices,
    RecordedProposals,
    RecordedWatch,
    Timeline,
)
from local.ehrs.client import connect
from local.ehrs.server import SimulatedEhr

if TYPE_CHECKING:
    from headwater.templates.engine import Engine

STEPS = ("feed", "write", "send")
EVERY_S = 900.0  # as infra/outbound.py schedules the function that reminds


class DrillApp(App):
    """The functions' App, with the drill's queues and with its ports recorded."""

    def __init__(self, settings: Settings, world: World) -> None:
        super().__init__(settings, world.clock.now)
        self._world = world

    def _queue(self, url: str) -> Queue:
        name = next((name for name in STEPS if f"-{name}." in url), "other")
        return self._world.queues[name]

    @cached_property
    def proposals(self) -> Proposals:
        return RecordedProposals(super().proposals, self._world.timeline)

    @cached_property
    def audit(self) -> AuditLog:
        return RecordedAudit(super().audit, self._world.timeline, lambda: self._world.audit_down_until)

    @cached_property
    def notices(self) -> Notices:
        return RecordedNotices(super().notices, self._world.timeline)

    @cached_property
    def apis(self) -> EhrApis:
        known, timeline = super().apis, self._world.timeline
        recorded: dict[str, Any] = {}

        def of(ehr: str) -> EhrApi:
            port = known(ehr)
            if recorded.get(ehr, (None,))[0] is not port:
                recorded[ehr] = (port, RecordedApi(port, ehr, timeline, self._world.on_wire))
            api: EhrApi = recorded[ehr][1]
            return api

        return of

    @cached_property
    def engine_for(self) -> Callable[[Ehr], Engine]:
        known, world = super().engine_for, self._world
        return lambda ehr: cast("Engine", BentEngine(known(ehr), world)) if world.bend else known(ehr)

    @cached_property
    def watch(self) -> Watch:
        logger = Logger(service="headwater", level="INFO", location=None, stream=self._world.log)
        return RecordedWatch(PowertoolsWatch(logger), self._world.timeline)


class BentEngine:
    """Templates with a mapping bug: what they make goes through `world.bend`."""

    def __init__(self, engine: Engine, world: World) -> None:
        self._engine, self._world = engine, world

    def build(self, template: str, variables: Mapping[str, Any]) -> Any:
        made = self._engine.build(template, variables)
        return self._world.bend(made) if self._world.bend and "resourceType" in made else made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@dataclass
class Person:
    """A person of the scenario: who they are to us, and their patient at each site."""

    id: str
    patients: Mapping[str, Resource]

    def at(self, site: str) -> str:
        return f"Patient/{self.patients[site]['id']}"


@dataclass
class World:
    """`target` is the site under test, `origin` the one that facts come from."""

    settings: Settings
    target: str
    origin: str
    others: tuple[str, ...]
    scratch: Path
    seed: int
    clock: DrillClock = field(default_factory=DrillClock)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.target} {self.seed}")
        self.timeline = Timeline(self.clock)
        self.log = io.StringIO()
        self.queues = {name: DrillQueue(name, self.clock) for name in (*STEPS, "other")}
        self.app = DrillApp(self.settings, self)
        self.sites: dict[str, SimulatedEhr] = {}
        self.people: list[Person] = []
        self.agenda: list[tuple[float, Callable[[], None]]] = []
        self.kills = 0
        self.copies = 1
        self.pace = 0.0
        self.audit_down_until = 0.0
        self.echo: Mapping[str, Any] | None = None
        self.echoed: set[str] = set()
        self.bend: Callable[[Resource], Resource] | None = None

    # --------------------------------------------------------------------------------------------------- sites

    def open(self, key: bytes) -> dict[str, dict[str, str]]:
        """Start a simulated EHR for each site; gives their connections, for Secrets Manager."""
        connections = {}
        for name in dict.fromkeys((self.target, self.origin, *self.others)):
            ehr = self.app.ehrs[name]
            folder = self.scratch / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.pem").write_bytes(key)
            simulated = SimulatedEhr(ehr, data=folder, clock=self.clock, sleep=self.clock.advance)
            simulated.start()
            self.sites[name] = simulated
            connections[name] = connect(simulated, folder)
        return connections

    def close(self) -> None:
        for site in self.sites.values():
            site.stop()

    def chart(self, site: str = "") -> dict[str, Any]:
        """The chart as it truly is."""
        _, text = self.ask("GET", "/_sim/chart", None, site)
        found: dict[str, Any] = text
        return found

    def ask(self, method: str, path: str, body: Any = None, site: str = "") -> tuple[int, Any]:
        """A request at a site's back door, without the detour over HTTP."""
        reply = self.sites[site or self.target].back_door.answer(method, path, json.dumps(body or {}).encode())
        if isinstance(reply, tuple):
            return 200, reply[1]
        return reply.status, reply.body

    # -------------------------------------------------------------------------------------------------- workers

    def run(self, seconds: float = 3 * 86400.0) -> None:
        """Let the workers work until nothing is left to do, or the time is over."""
        end = self.clock() + seconds
        while self.clock() <= end:
            if self._work_once():
                continue
            times = [due for due in (self._due(), *(due for due, _ in self.agenda)) if due is not None]
            if not times and not self._on_the_way():
                return
            self._jump(min(times, default=self._next_tick()), end)

    def pass_time(self, seconds: float) -> None:
        """Workers work, and all of the time passes."""
        end = self.clock() + seconds
        while self.clock() < end:
            if not self._work_once():
                times = [due for due in (self._due(), *(due for due, _ in self.agenda)) if due is not None]
                tick = self._next_tick() if self._open() else end
                self._jump(min([*times, tick, end]), end)
        self.run(0.0)

    def _jump(self, to: float, end: float) -> None:
        """On to the next thing that happens; past the end, a moment after it."""
        if to > end:
            self.clock.advance(end - self.clock() + 0.001)
            return
        ticks = to >= self._next_tick() and self._open()
        self.clock.advance(to - self.clock())
        if ticks:
            self.app.remind()

    def _next_tick(self) -> float:
        """When the function that runs by the clock runs next."""
        return (self.clock() // EVERY_S + 1) * EVERY_S

    def _open(self) -> bool:
        return any(not state.final for state in self.timeline.states.values())

    def _on_the_way(self) -> bool:
        """Whether an intent was signed and has not ended: a lost message of it will be sent for."""
        waiting = {ProposalState.PROPOSED}
        return any(not state.final and state not in waiting for state in self.timeline.states.values())

    def _due(self) -> float | None:
        return min((due for queue in self.queues.values() if (due := queue.next_due) is not None), default=None)

    def _work_once(self) -> bool:
        for place, (due, act) in enumerate(self.agenda):
            if due <= self.clock():
                del self.agenda[place]
                act()
                return True
        for name, handle in (("feed", self.app.ingest), ("write", self.app.propose), ("send", self.app.send)):
            if self.deliver(name, handle):
                return True
        return False

    def deliver(self, name: str, handle: Callable[[Delivery], object]) -> bool:
        """One batch of one message, through the functions' own batch code; False if there is none."""
        queue = self.queues[name]
        message = queue.receive()
        if message is None:
            return False
        self.clock.advance(self.pace)
        rivals = [Thread(target=self._take, args=(queue, message, self._sandbox(name))) for _ in range(self.copies - 1)]
        rivals = rivals if name == "send" else []
        for rival in rivals:
            rival.start()
        done = self._take(queue, message, handle)
        for rival in rivals:
            rival.join()
        if done:
            queue.delete(message)
        return True

    def _take(self, queue: DrillQueue, message: Message, handle: Callable[[Delivery], object]) -> bool:
        """Whether the message is done with."""
        event = {"Records": [message.record(queue.name)]}
        try:
            answer = process(event, Context(), handle, sqs=Visibility(queue, [message]), watch=self.app.watch)
        except Killed:
            self.kills += 1
            self._restart()
            return False
        if queue.name == "send" and self.echo is not None:
            self.later(float(self.echo.get("delay_s", 2)), self._echo)
        return not answer["batchItemFailures"]

    def _sandbox(self, name: str) -> Callable[[Delivery], object]:
        """The same function in another execution environment."""
        app = DrillApp(self.settings, self)
        return {"feed": app.ingest, "write": app.propose, "send": app.send}[name]

    def _restart(self) -> None:
        """A new sandbox: what the old one knew is gone, what was written stays."""
        self.app = DrillApp(self.settings, self)

    def _echo(self) -> None:
        """The EHR's subscription tells of rows that it has not told of yet."""
        from local.drill.echo import tell_of

        for row in self.chart()["rows"]:
            if row["payload_hash"] and row["reference"] not in self.echoed:
                self.echoed.add(row["reference"])
                tell_of(self, row["resource"], self.echo or {})

    def troubles(self) -> str:
        """What the functions could not do, by code and place, for those who look into a red scenario."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines() if '"receive' in line]
        said = Counter(f"{one['ids'].get('error')} at {one['ids'].get('place')}" for one in lines)
        return "; ".join(f"{count}× {what}" for what, count in said.most_common(4))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self.agenda.append((self.clock() + seconds, act))

    def on_wire(self, site: str, payload: bytes) -> None:
        """Bytes are about to leave: note whose they are, and how sure the link is at this moment."""
        proposal = self.timeline.sending.get(hashlib.sha256(payload).hexdigest())
        if proposal is None:
            self.timeline.note("wire", "", ehr=site, confidence=0.0, same_link=False)
            return
        person = self.app.persons.get(proposal.person_id)
        same = person is not None and link_of(person, proposal.origin_ehr, proposal.ehr) == proposal.link
        self.timeline.note("wire", proposal.intent, ehr=site, confidence=proposal.confidence, same_link=same)

    # --------------------------------------------------------------------------------------------------- ledger

    def proposals(self) -> list[Proposal]:
        """The whole ledger, the oldest first."""
        found = [row for state in ProposalState for row in self.app.proposals.list(state, limit=2000)]
        return sorted(found, key=lambda row: (row.created_at, row.intent))

    def ledger_items(self) -> list[dict[str, Any]]:
        """The ledger's table as it is, as a backup takes it."""
        pages = clients.dynamodb().get_paginator("scan").paginate(TableName=self.settings.proposals_table)
        return [item for page in pages for item in page["Items"]]

    def restore_ledger(self, backup: list[dict[str, Any]]) -> None:
        """The ledger as it was when the backup was taken; what came later is not in it."""
        dynamodb, table = clients.dynamodb(), self.settings.proposals_table
        for item in self.ledger_items():
            dynamodb.delete_item(TableName=table, Key={"intent": item["intent"]})
        for item in backup:
            dynamodb.put_item(TableName=table, Item=item)
        self.timeline.states = {row.intent: row.state for row in self.proposals()}


class Context:
    """Lambda's, with time enough."""

    function_name = "drill"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000
