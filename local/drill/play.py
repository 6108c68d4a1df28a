"""A scenario as it is played: the steps of `do`, each a function here, on one `World`.

Reviewers decide through the review API, producers through the write queue, EHR events through the feed: the drill uses
the doors that everybody uses. `docs/drill.md` lists the steps with their arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any

from headwater.formats import write_request
from headwater.model import Decision, Proposal, ProposalState, Resource, Switch, WriteRequest
from local.drill import people
from local.drill.scenario import Scenario, Step
from local.drill.world import Person, World

GROUPS: Mapping[str, tuple[str, ...]] = {
    "dr.rivera": ("clinician",),
    "dr.chen": ("clinician",),
    "s.park": ("clinician",),
    "r.okafor": ("clinician", "registration"),
    "s.novak": ("steward",),
}


STEADY_PEOPLE = 5
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@dataclass
class Play:
    """What has happened so far: `requests` as they were put on the write queue, `answers` of the review API."""

    world: World
    scenario: Scenario
    requests: list[str] = field(default_factory=list)
    answers: list[tuple[str, int, Any]] = field(default_factory=list)
    edits: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    begun: float = 0.0
    injected_at: float = 0.0
    injected_event: int = 0
    rows: list[str] = field(default_factory=list)
    marked: int = 0
    seen: list[str] = field(default_factory=list)
    steady: dict[str, list[str]] = field(default_factory=dict)
    switched_at: float = 0.0
    backup: list[dict[str, Any]] = field(default_factory=list)
    full: bool = False
    asked: int = 0
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def do(self, step: Step) -> None:
        """One step: `{"propose": {…}}`. A word that is not known is noted, and nothing is done."""
        for name, arguments in step.items():
            act = STEPS.get(name)
            if act is None:
                self.unknown.append(f"step {name}")
            else:
                act(self, **(arguments if isinstance(arguments, dict) else {}))

    # --------------------------------------------------------------------------------------------------- people

    def person(self, number: int = 0) -> Person:
        while len(self.world.people) <= number:
            people.admit(self.world, number + 1 - len(self.world.people))
        return self.world.people[number]

    def taken(self, fact: str, or_else: str, site: str) -> str:
        """The fact, or another one where the site's profile has no create for its type."""
        kind = people.fact(self.world, fact, 0)["resourceType"]
        operations = self.world.app.ehrs[site].write.get(kind)
        if not or_else or kind == "Patient" or (operations and operations.create):
            return fact
        self.notes.append(f"{site} takes no {kind}: a {or_else} sign was written instead")
        return or_else

    # --------------------------------------------------------------------------------------------------- review

    def review(self, who: str, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Any:
        """A call of the review API as a signed-in user; gives the answer's body, and keeps status and body."""
        claims = {"sub": who, "cognito:groups": f"[{' '.join(GROUPS.get(who, ('clinician',)))}]"}
        event = {
            "version": "2.0",
            "rawPath": path,
            "queryStringParameters": query,
            "requestContext": {"http": {"method": method, "path": path}, "authorizer": {"jwt": {"claims": claims}}},
            "body": json.dumps(body) if body is not None else None,
            "headers": {"content-type": "application/json"},
        }
        answer = self.world.app.review_api(event)
        found = json.loads(answer["body"])
        self.answers.append((f"{method} {path.rsplit('/', 1)[-1]}", int(answer["statusCode"]), found))
        return found

    def waiting(self, site: str = "") -> list[Proposal]:
        return [
            row
            for row in self.world.app.proposals.list(ProposalState.PROPOSED, limit=2000)
            if row.ehr == (site or self.world.target) or site == "*"
        ]


# ------------------------------------------------------------------------------------------------------------- steps


def propose(
    play: Play,
    fact: str = "vital",
    count: int = 1,
    full: int = 0,
    to: str = "",
    by: str = "",
    person: int = 0,
    people_count: int = 1,
    set: Mapping[str, Any] | None = None,
    each: list[Mapping[str, Any]] | None = None,
    hops: int = 1,
    first: int = 0,
    intent: str = "drill",
    every_s: float = 0.0,
    updates: str = "",
    model: Mapping[str, str] | None = None,
    author: str = "",
    or_else: str = "",
    run: bool = True,
) -> None:
    """`count` write requests (`full` of them in a full drill) about `people_count` persons; `each` gives further
    changes fact by fact, `or_else` the fact that is meant where the site takes none of this type."""
    world = play.world
    site = site_named(world, to) if to else world.target
    if full and play.full:
        count, people_count = full, people_count * full // count
    fact = play.taken(fact, or_else, site)
    play.asked += count
    for number in range(count):
        whom = play.person(person + number % people_count)
        changes = {**(set or {}), **((each or [{}])[number % len(each or [{}])])}
        resource = people.fact(world, people.taken_as(world, fact, site), first + number, **changes)
        resource = people.about(resource, f"Patient/{whom.id}")
        row = whom.at(site) if updates == "patient" else play.rows[-1] if updates == "chart" else updates
        more = {name: value for name, value in (("updates", row), ("model", model), ("author", author)) if value}
        request(play, resource, whom, to=site, by=by, hops=hops, intent=intent, **more)
        if every_s:
            world.pass_time(every_s)
    if run:
        world.run(120.0)


def request(
    play: Play,
    resource: Resource,
    whom: Person,
    *,
    to: str,
    by: str = "",
    hops: int = 1,
    intent: str = "drill",
    **more: Any,
) -> None:
    """One write request on the queue, as a producer puts it there."""
    number = len(play.requests)
    origin = by or play.world.origin
    reference = f"{resource['resourceType']}/src-{number}"
    wish = WriteRequest(to, intent, whom.id, resource, origin, reference, hops, **more)
    body = write_request.dump(wish)
    play.requests.append(body)
    play.world.queues["write"].put(body, group=f"{to}.{whom.id}", dedup=f"{number}")


def propose_again(play: Play, times: int = 1, run: bool = True) -> None:
    """The same requests once more, as a planner that is run twice makes them."""
    for turn in range(times):
        for number, body in enumerate(list(play.requests)):
            document = json.loads(body)
            play.world.queues["write"].put(
                body, group=f"{document['to']}.{document['person']}", dedup=f"{turn}-{number}-again"
            )
    if run:
        play.world.run(120.0)


def approve(play: Play, who: str = "", site: str = "", most: int = 0, look: bool = True) -> None:
    """Clinicians open and sign what waits for the site (`*`: for all): `who`, or two of them where two must sign."""
    for proposal in play.waiting(site)[: most or None]:
        for one in who.split() or ["dr.rivera", "dr.chen"]:
            shown_flags = play.review(one, "GET", f"/proposals/{proposal.intent}").get("flags", []) if look else []
            body = {"payload_hash": proposal.payload_hash, "flags": shown_flags}
            decided = play.review(one, "POST", f"/proposals/{proposal.intent}/approval", body)
            if decided.get("state") != ProposalState.PROPOSED.value:
                break
    snapshot(play)


def approve_anyway(play: Play, who: str = "dr.rivera") -> None:
    """Somebody tries to sign what was refused, or has ended."""
    for proposal in play.world.proposals():
        if proposal.state.final:
            body = {"payload_hash": proposal.payload_hash, "flags": list(proposal.flags)}
            play.review(who, "POST", f"/proposals/{proposal.intent}/approval", body)


def batch_approve(play: Play, who: str = "dr.rivera") -> None:
    """One signature for all that waits."""
    items = [{"intent": one.intent, "payload_hash": one.payload_hash} for one in play.waiting()]
    for one in items:
        play.review(who, "GET", f"/proposals/{one['intent']}")
    play.review(who, "POST", "/approvals", {"approvals": items})


def switch(play: Play, scope: str = "ehr", off: bool = True) -> None:
    """The safety officer stops writes: to the `ehr` under test, of a `kind/Observation`, of `all`."""
    world = play.world
    named = f"ehr/{world.target}" if scope == "ehr" else scope
    thrown = Switch(named, "safety.officer", "drill", world.clock.now().isoformat())
    (world.app.brakes.throw if off else world.app.brakes.release)(thrown)
    play.switched_at = world.clock()


def pace(play: Play, seconds: float = 0.5) -> None:
    """From here on a worker takes so long for a message."""
    play.world.pace = seconds


def reject(play: Play, who: str = "dr.rivera", reason: str = "not needed", most: int = 0) -> None:
    for proposal in play.waiting()[: most or None]:
        body = {"payload_hash": proposal.payload_hash, "reason": reason}
        play.review(who, "POST", f"/proposals/{proposal.intent}/rejection", body)


def withdraw(play: Play, who: str = "dr.rivera", reason: str = "filed in error") -> None:
    """A clinician takes back what was filed; somebody else has to sign that too."""
    for proposal in play.world.app.proposals.list(ProposalState.FILED, limit=2000):
        if proposal.ehr == play.world.target:
            play.review(who, "POST", f"/proposals/{proposal.intent}/withdrawal", {"reason": reason})
    play.world.run(120.0)


def decide_at_once(play: Play) -> None:
    """One reviewer approves and another rejects in the same instant, each having looked."""
    for proposal in play.waiting():
        for who in ("dr.rivera", "dr.chen"):
            play.review(who, "GET", f"/proposals/{proposal.intent}")
        path, seen = f"/proposals/{proposal.intent}", {"payload_hash": proposal.payload_hash}
        both = [
            Thread(target=play.review, args=("dr.rivera", "POST", f"{path}/approval", seen)),
            Thread(target=play.review, args=("dr.chen", "POST", f"{path}/rejection", {**seen, "reason": "known"})),
        ]
        if play.world.chance.random() < 0.5:
            both.reverse()
        for one in both:
            one.start()
        for one in both:
            one.join()


def run(play: Play, **time: float) -> None:
    """Let the workers go on until nothing is left to do, at most so long (default: four days)."""
    play.world.run(_seconds(time) or 4 * 86400.0)


def pass_time(play: Play, **time: float) -> None:
    """So much time passes, and the workers work."""
    play.world.pass_time(_seconds(time))


def stall(play: Play, **time: float) -> None:
    """So much time passes, and no worker runs."""
    play.world.clock.advance(_seconds(time))


def inject(play: Play, faults: list[Step] | None = None) -> None:
    """Put the scenario's faults (or these) into force."""
    from local.drill.injections import put_in_force

    play.injected_at, play.injected_event = play.world.clock(), len(play.world.timeline.events)
    for fault in faults if faults is not None else play.scenario.inject:
        put_in_force(play, fault)


def clear(play: Play) -> None:
    """The EHR is well again."""
    for site in play.world.sites:
        play.world.ask("DELETE", "/_sim/faults", None, site)


def edit(play: Play, reference: str = "", set: Mapping[str, Any] | None = None, site: str = "") -> None:
    """A clinician changes a row in the EHR: `reference`, or the newest row that is ours."""
    rows = ours(play.world, site) if not reference else [{"reference": reference}]
    for row in rows[-1:]:
        changes: Mapping[str, Any] = set or {"note": [{"text": "seen by the clinician"}]}
        play.world.ask("POST", "/_sim/edit", {"reference": row["reference"], "set": changes}, site)
        play.edits.append((row["reference"], changes))


def chart_has(play: Play, fact: str = "vital", set: Mapping[str, Any] | None = None, site: str = "") -> None:
    """A clinician has entered a fact in the EHR before."""
    world = play.world
    resource = people.fact(world, people.taken_as(world, fact, site or world.target), 0, **(set or {}))
    resource = people.about(resource, play.person().at(site or world.target))
    _, filed = world.ask("POST", "/_sim/rows", resource, site)
    play.rows += filed["filed"]


def mark(play: Play) -> None:
    """From here on, some checks count."""
    play.marked = len(play.world.chart()["arrivals"])


def snapshot(play: Play) -> None:
    """A backup of the ledger, for `restore_ledger`."""
    play.backup = play.world.ledger_items()


def twin(play: Play, person: int = 0, site: str = "") -> None:
    """The patient in the EHR turns out to be somebody else: same family, birthday, address and phone."""
    world = play.world
    patient = play.person(person).patients[site or world.target]
    given = "Orla" if patient["gender"] == "female" else "Ciaran"
    others = [one for one in patient["identifier"] if one["type"]["coding"][0]["code"] == "MR"]
    changes = {"name": [{**patient["name"][0], "given": [given]}], "identifier": others, "multipleBirthBoolean": True}
    world.ask("POST", "/_sim/edit", {"reference": f"Patient/{patient['id']}", "set": changes}, site)


def unlink(play: Play, person: int = 0) -> None:
    """A steward says that the target's record is somebody else's; the next message about it moves it."""
    world = play.world
    patient = play.person(person).patients[world.target]
    number = patient["identifier"][0]
    key = f"{world.target}|{number['system']}|{number['value']}"
    version = len(world.app.persons.decisions(key)) + 1
    at = world.clock.now().isoformat()
    apart = frozenset({play.person(person).id})
    world.app.persons.decide(Decision(key, version, "s.novak", at, "two people", apart_from=apart))
    world.clock.advance(1.0)  # or the message would be the very one that was seen before
    people.tell(world, world.target, [patient])
    world.run(0.0)


def shown(play: Play, words: list[str], who: str = "dr.rivera") -> None:
    """A reviewer opens what waits; which of the words they were shown is kept for the checks."""
    for proposal in play.waiting():
        text = json.dumps(play.review(who, "GET", f"/proposals/{proposal.intent}")).lower()
        play.seen += [word for word in words if word in text]


def steady(play: Play, site: str = "target", count: int = 20, minutes: float = 10.0) -> None:
    """Facts at regular intervals, each signed a second later: the normal load of a site."""
    world = play.world
    named = site_named(world, site)

    def ask(number: int) -> None:
        propose(play, to=named, person=number % STEADY_PEOPLE, first=200 + number, run=False)

    play.person(STEADY_PEOPLE - 1)
    for number in range(count):
        at = number * minutes * 60 / count
        world.later(at, partial(ask, number))
        world.later(at + 1, partial(approve, play, site=named, look=False))


def score_days(play: Play, days: int, values: list[float], model: Mapping[str, str]) -> None:
    """A score every day, the values in turn; whatever waits is signed."""
    for day in range(days):
        change = {"valueQuantity.value": values[day % len(values)]}
        propose(play, fact="score", intent="deterioration-risk", model=model, set=change, first=day)
        approve(play)
        play.world.pass_time(86400)


def redeliver(play: Play) -> None:
    """SQS brings what was sent to the send queue once more."""
    queue = play.world.queues["send"]
    for message in list(queue.sent):
        queue.put(message.body, group=message.group)


def redrive(play: Play) -> None:
    """The operator moves all dead letters back."""
    for queue in play.world.queues.values():
        queue.redrive()


STEPS: Mapping[str, Callable[..., None]] = {
    one.__name__: one
    for one in (
        propose, propose_again, approve, approve_anyway, batch_approve, reject, withdraw, decide_at_once, run,
        pass_time, stall, pace, inject, clear, edit, chart_has, mark, snapshot, twin, unlink, shown, steady,
        score_days, switch, redeliver, redrive,
    )
}  # fmt: skip


# ----------------------------------------------------------------------------------------------------- what they share


def _seconds(time: Mapping[str, float]) -> float:
    """`seconds`, `minutes`, `hours` and `days` together."""
    return sum(time.get(unit, 0.0) * size for unit, size in UNITS.items())


def site_named(world: World, name: str) -> str:
    """`target`, `origin`, `other`, or a site's own name."""
    known = {"target": world.target, "origin": world.origin, "other": next(iter(world.others), "")}
    return known.get(name, name)


def ours(world: World, site: str = "") -> list[dict[str, Any]]:
    """Rows of the chart that came of our requests."""
    return [row for row in world.chart(site)["rows"] if row["payload_hash"]]
