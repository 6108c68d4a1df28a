"""A storm against one EHR: what becomes of it, and of the write-backs to the others, on the real sender and policy.

    python -m bench.storm [--events 10000] [--minutes 60] [--write docs/storm.md]

10,000 signed write-backs for one EHR fall due within a minute; the EHR may be asked 100 times a minute. Two other EHRs
get one every three seconds. The same hour is played twice, with and without the storm, on made-up time: the code of
`Send` is the deployed one, the queue is SQS FIFO as documented (groups, visibility, dead letters), as many workers as
the stack's send function has. What a call to AWS or an EHR takes is assumed; queueing, pacing and retries are real.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import itertools
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr, load
from headwater.ehrs.engines import engine_for
from headwater.ehrs.profile import Pace
from headwater.errors import Retry
from headwater.formats import write_request
from headwater.model import Answer, Person, Proposal, ProposalState, Resource, SourceRecord, WriteRequest
from headwater.persons.policy import load_policy
from headwater.persons.traits import traits_of
from infra.outbound import SEND_ATTEMPTS, SEND_CONCURRENCY
from local.latency import percentile
from tests.fakes import FakeClock, FakeProposals, FakeQueue
from tests.outbound.chart_ehr import ChartEhr
from tests.outbound.conftest import CLINICIAN, MAPPINGS, SOURCE, Desk, observation, patient

STORMED, OTHERS = "stormed", ("calm-1", "calm-2")
EVERY_S = 3.0  # a write-back to each calm EHR: a third of the pace that every EHR is granted
REMIND_S = 900.0
PEOPLE = 500
# What a call takes, in seconds: of the order of what AWS and EHRs are measured at, the same on both sides.
DYNAMODB_S, S3_S, EHR_S, EHR_SPREAD_S = 0.005, 0.020, 0.250, 0.150
BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Costly:
    """A port whose every call moves the clock."""

    def __init__(self, port: Any, clock: FakeClock, seconds: Callable[[], float]) -> None:
        self._port, self._clock, self._seconds = port, clock, seconds

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        def taking_time(*arguments: Any, **named: Any) -> Any:
            self._clock.move(self._seconds())
            return call(*arguments, **named)

        return taking_time if callable(call) else call


class Chart(ChartEhr):
    """An EHR of many patients; a search gives the rows of the payload's own day, not of all time."""

    def __init__(self, patients: list[Resource]) -> None:
        super().__init__(patients)
        self._by_number = {one["identifier"][0]["value"]: one for one in patients}
        self._by_day: defaultdict[tuple[str, str], list[Resource]] = defaultdict(list)

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        if resource_type == "Patient":
            found = [self._by_number[parameters["identifier"].rpartition("|")[2]]]
        else:
            day = datetime.fromisoformat(parameters["date"].removeprefix("ge")) + timedelta(days=1)
            found = self._by_day[parameters["patient"], day.date().isoformat()]
        return Answer(200, body={"resourceType": "Bundle", "entry": [{"resource": dict(one)} for one in found]})

    def _commit(self, row: Resource) -> str:
        reference = super()._commit(row)
        day = datetime.fromisoformat(row["effectiveDateTime"]).astimezone(UTC).date().isoformat()
        self._by_day[row["subject"]["reference"], day].append(row)
        return reference


class Ledger(FakeProposals):
    """With an index for what the duplicate gate asks."""

    def __init__(self) -> None:
        super().__init__()
        self._alike: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, proposal: Proposal) -> bool:
        self._alike[proposal.fingerprint].append(proposal.intent)
        return super().add(proposal)

    def alike(self, fingerprint: str, *, limit: int = 20) -> Sequence[Proposal]:
        return [self.rows[intent] for intent in self._alike.get(fingerprint, ())][:limit]


class People:
    """The EMPI's part that outbound reads."""

    def __init__(self, ehrs: Mapping[str, Ehr], names: Sequence[str]) -> None:
        self._known = {}
        for number in range(PEOPLE):
            records = []
            for name in names:
                system = ehrs[name].patient.identifier_system
                one = patient(system, f"{name}-{number}")
                records.append(SourceRecord(f"{name}|{system}|{name}-{number}", name, traits_of(one), BEGIN, one))
            self._known[f"person-{number}"] = Person(f"person-{number}", 1, tuple(records))

    def get(self, person_id: str) -> Person | None:
        return self._known.get(person_id)


@dataclass(order=True)
class Message:
    """One on the send queue; `due` is when it is visible."""

    due: float
    number: int
    intent: str = field(compare=False)
    group: str = field(compare=False)
    receives: int = field(default=0, compare=False)


class Fifo:
    """SQS FIFO: of a group one message at a time, in order; the others in order of when they became visible.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
    """

    def __init__(self) -> None:
        self._lanes: defaultdict[str, deque[Message]] = defaultdict(deque)
        self._heads: list[Message] = []
        self._numbers = itertools.count()

    def put(self, at: float, intent: str, group: str) -> None:
        lane = self._lanes[group]
        lane.append(Message(at, next(self._numbers), intent, group))
        if len(lane) == 1:
            heapq.heappush(self._heads, lane[0])

    def next_due(self) -> float | None:
        return self._heads[0].due if self._heads else None

    def receive(self) -> Message:
        return heapq.heappop(self._heads)

    def back(self, message: Message, due: float) -> None:
        """Not done: visible again then; the rest of its group waits behind it."""
        message.due = due
        heapq.heappush(self._heads, message)

    def done(self, message: Message, at: float) -> None:
        lane = self._lanes[message.group]
        lane.popleft()
        if lane:
            lane[0].due = max(lane[0].due, at)
            heapq.heappush(self._heads, lane[0])


@dataclass
class Result:
    """`waited` is from signature to FILED, in seconds, by EHR."""

    waited: dict[str, list[float]]
    states: dict[str, dict[str, int]]
    rows: dict[str, int]
    busiest_minute: int
    runs: int
    hours: float


def play(*, events: int, minutes: float, seed: int) -> Result:
    """One hour (or so) of write-backs, and then for as long as something is left to do."""
    chance = random.Random(seed)
    known = load(MAPPINGS)
    names = (STORMED, *OTHERS)
    ehrs: dict[str, Ehr] = {SOURCE: known[SOURCE]}
    for name in names:
        pace = Pace(100) if name == STORMED else None
        ehrs[name] = replace(known["oracle-millennium"], name=name, pace=pace)
    clock, people = FakeClock(BEGIN), People(ehrs, (SOURCE, *names))
    charts = {
        name: Chart([patient(ehrs[name].patient.identifier_system, f"{name}-{n}") for n in range(PEOPLE)])
        for name in names
    }
    templates = engine_for(MAPPINGS)
    desk = Desk(ehrs, load_policy(MAPPINGS), people, charts[STORMED], lambda _: templates(known["oracle-millennium"]),  # type: ignore[arg-type]
                clock=clock, proposals=Ledger(), queue=_Quiet())  # fmt: skip
    queue, waited = Fifo(), {name: list[float]() for name in names}
    for at, name, number in _arrivals(events, minutes):
        clock.now = BEGIN + timedelta(seconds=at)
        desk.chart = charts[name]
        signed = _signed(desk, name, number)
        queue.put(at, signed.intent, f"{name}.{number % PEOPLE}")
    times = {intent: row.decided_at for intent, row in desk.proposals.rows.items()}

    def costly(port: Any, seconds: float) -> Any:
        return Costly(port, clock, lambda: seconds)

    plain = (desk.proposals, desk.audit, desk.brakes)
    desk.proposals, desk.audit, desk.brakes = (
        costly(desk.proposals, DYNAMODB_S), costly(desk.audit, S3_S), costly(desk.brakes, DYNAMODB_S))  # fmt: skip
    asked: list[float] = []  # when the stormed EHR was asked for something

    def at_an_ehr(name: str) -> float:
        if name == STORMED:
            asked.append((clock.now - BEGIN).total_seconds())
        return EHR_S + chance.random() * EHR_SPREAD_S

    slow = {name: Costly(charts[name], clock, partial(at_an_ehr, name)) for name in names}
    dead: list[Message] = []
    free = [0.0] * SEND_CONCURRENCY  # when each worker is free again
    next_remind, runs = REMIND_S, 0
    while True:
        due = queue.next_due()
        if due is None and not dead:
            break
        at = max(heapq.heappop(free), due if due is not None else next_remind)
        if dead and at >= next_remind:
            dead = _remind(dead, plain[0], queue, next_remind)
            next_remind += REMIND_S
            heapq.heappush(free, at)
            continue
        if due is None:
            heapq.heappush(free, at)
            continue
        message = queue.receive()
        name = message.group.partition(".")[0]
        clock.now = BEGIN + timedelta(seconds=at)
        desk.chart = slow[name]  # type: ignore[assignment]
        message.receives += 1
        runs += 1
        try:
            row = desk.send(message.intent, receives=message.receives)
        except Retry as later:
            ended = (clock.now - BEGIN).total_seconds()
            if message.receives >= SEND_ATTEMPTS:
                dead.append(message)
                queue.done(message, ended)
            else:
                queue.back(message, ended + (later.after or 30))
        else:
            ended = (clock.now - BEGIN).total_seconds()
            queue.done(message, ended)
            if row.state is ProposalState.FILED:
                signed_at = datetime.fromisoformat(times[row.intent])
                waited[name].append((clock.now - signed_at).total_seconds())
        heapq.heappush(free, ended)
        while next_remind < at:
            next_remind += REMIND_S
    states: dict[str, dict[str, int]] = {name: defaultdict(int) for name in names}
    for row in plain[0].rows.values():
        states[row.ehr][row.state.value] += 1
    rows = {name: len(chart.rows) for name, chart in charts.items()}
    return Result(waited, states, rows, _most_in_a_minute(asked), runs, max(free) / 3600)


def _most_in_a_minute(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max((bisect.bisect_left(ordered, at + 60) - n for n, at in enumerate(ordered)), default=0)


class _Quiet(FakeQueue):
    """The bench puts messages on its own queue."""

    def send(self, body: str, *, group: str, dedup: str) -> None: ...


def _arrivals(events: int, minutes: float) -> list[tuple[float, str, int]]:
    """(second, EHR, number) in order: a steady flow to the calm ones, the storm in the sixth minute."""
    found = [(n * EVERY_S + 0.1 * which, name, n) for which, name in enumerate(OTHERS)
             for n in range(int(minutes * 60 / EVERY_S))]  # fmt: skip
    found += [(300 + 60 * n / events, STORMED, n) for n in range(events)]
    return sorted(found)


def _signed(desk: Desk, name: str, number: int) -> Proposal:
    taken_at = BEGIN - timedelta(days=1 + number // PEOPLE, seconds=number % 3600)
    value = {"value": 80 + number % 90, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    fact = observation(
        id=f"o-{number}", effectiveDateTime=taken_at.isoformat(), valueQuantity=value,
        subject={"reference": f"Patient/person-{number % PEOPLE}"})  # fmt: skip
    asked = WriteRequest(name, "storm", f"person-{number % PEOPLE}", fact, SOURCE, f"Observation/o-{number}")
    proposal = desk.propose(write_request.dump(asked))
    if proposal.state is not ProposalState.PROPOSED:
        raise RuntimeError(f"{name} {number}: {proposal.state} {proposal.reason}")
    return desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash, seen=proposal.flags)


def _remind(dead: list[Message], ledger: Any, queue: Fifo, at: float) -> list[Message]:
    """What came to the dead letters is sent for again after two hours, as `outbound.remind` does by the ledger."""
    left = []
    for message in dead:
        row = ledger.rows[message.intent]
        since = datetime.fromisoformat(row.sent_at or row.decided_at)
        if BEGIN + timedelta(seconds=at) - since >= timedelta(hours=2):
            queue.put(at, message.intent, message.group)
        else:
            left.append(message)
    return left


def report(without: Result, with_storm: Result, events: int) -> str:
    lines = ["| EHR | | without the storm | with the storm | ratio |", "|---|---|---|---|---|"]
    for name in OTHERS:
        for percent in (50, 95, 99):
            calm, stormy = (percentile(one.waited[name], percent) for one in (without, with_storm))
            lines.append(f"| {name} | p{percent}, s | {calm:.2f} | {stormy:.2f} | {stormy / calm:.3f} |")
        filed = f"{len(without.waited[name])} | {len(with_storm.waited[name])}"
        lines.append(f"| {name} | filed | {filed} | |")
    states = ", ".join(f"{count} {state}" for state, count in sorted(with_storm.states[STORMED].items()))
    lines.append(f"| {STORMED} | of {events} | | {states}; {with_storm.rows[STORMED]} rows | |")
    lines.append(f"| {STORMED} | most requests in a minute (100 allowed) | | {with_storm.busiest_minute} | |")
    lines.append(f"| {STORMED} | done after, h | | {with_storm.hours:.1f} | |")
    lines.append(f"| all | runs of the sender | {without.runs} | {with_storm.runs} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a page whose table is replaced")
    options = parser.parse_args()
    started = time.process_time()
    without = play(events=0, minutes=options.minutes, seed=options.seed)
    with_storm = play(events=options.events, minutes=options.minutes, seed=options.seed)
    text = report(without, with_storm, options.events)
    print(f"{text}\n\n{time.process_time() - started:.0f} s of CPU")
    if options.write:
        before, mark, rest = options.write.read_text(encoding="utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end of table -->")[2]
        options.write.write_text(f"{before}{mark}{text}\n<!-- end of table -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
