"""The ten standing invariants, checked after every scenario from what truly happened: the charts, the timeline of the
functions' ports, the audit chains and the log. None of them asks the code under test whether it did well.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from headwater.ehrs import values
from headwater.model import Proposal, ProposalState, Resource
from local.drill.checks import Finding
from local.drill.play import Play
from local.drill.recorder import Event
from local.drill.world import World

MOST_CHAINS_READ = 60  # beyond, a sample by seed: reading a chain is a request an entry
_ENDS = {
    "FILED",
    "ALREADY_PRESENT",
    "REJECTED",
    "FAILED",
    "EXPIRED",
    "SUPERSEDED",
    "COMPENSATED",
    "NEEDS_HUMAN",
    "REFUSED",
}
TITLES: Mapping[str, str] = {
    "I1": "every write has exactly one human approval, of the same bytes, by someone other than its author",
    "I2": "at most one row an intent",
    "I3": "identity ≥ 0.999 and the approved link, at the moment of sending",
    "I4": "no version overwritten that the reviewer did not see",
    "I5": "audit before and after every attempt; the chain verifies; no PHI in the log",
    "I6": "every intent ends, none stays unknown",
    "I7": "writes within the budget; one hop at most",
    "I8": "interruptions within the budget",
    "I9": "latency alarms for the EHR at fault only, and they clear",
    "I10": "what is filed reads as approved, but for declared losses",
}


def examine(play: Play) -> list[Finding]:
    """One finding an invariant, in order."""
    facts = Facts(play)
    found = []
    for name, check in INVARIANTS.items():
        wrong = list(check(facts))
        found.append(Finding(f"{name} {TITLES[name]}", not wrong, "; ".join(wrong[:4])))
    return found


class Facts:
    """What the invariants look at, read once."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.world: World = play.world

    @cached_property
    def proposals(self) -> dict[str, Proposal]:
        return {row.intent: row for row in self.world.proposals()}

    @cached_property
    def by_hash(self) -> dict[tuple[str, str], Proposal]:
        return {(row.ehr, row.payload_hash): row for row in self.proposals.values() if row.payload_hash}

    @cached_property
    def arrivals(self) -> list[tuple[str, dict[str, Any]]]:
        """(site, arrival) of every write that reached an EHR."""
        return [(site, one) for site in self.world.sites for one in self.world.chart(site)["arrivals"]]

    @cached_property
    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        """(site, row) of rows that our bytes made."""
        return [
            (site, row) for site in self.world.sites for row in self.world.chart(site)["rows"] if row["payload_hash"]
        ]

    @cached_property
    def ordered(self) -> dict[str, list[tuple[int, Event]]]:
        """The audit entries of each intent with their place in the timeline."""
        found: defaultdict[str, list[tuple[int, Event]]] = defaultdict(list)
        for number, event in enumerate(self.world.timeline.events):
            if event.what == "audit":
                found[event.intent].append((number, event))
        return found

    def audit(self, intent: str) -> list[tuple[float, Mapping[str, Any]]]:
        return [(event.at, event.facts) for _, event in self.ordered[intent]]


def _i1(facts: Facts) -> Iterator[str]:
    for site, arrival in facts.arrivals:
        proposal = facts.by_hash.get((site, arrival["payload_hash"]))
        if proposal is None:
            yield f"a write reached {site} that no approved proposal holds"
            continue
        approvals = [
            entry for _, entry in facts.audit(proposal.intent)
            if entry.get("event") == "approved" and entry.get("payload") == proposal.payload_hash
        ]  # fmt: skip
        people = {str(entry.get("who")) for entry in approvals}
        if not approvals or (len(approvals) > 1 and len(people) < len(approvals)):
            yield f"{proposal.intent[:8]}: {len(approvals)} approvals of the bytes sent"
        if people & {"send", "propose", "", proposal.origin_ehr}:
            yield f"{proposal.intent[:8]}: approved by a machine"


def _i2(facts: Facts) -> Iterator[str]:
    for (site, digest), count in Counter((site, row["payload_hash"]) for site, row in facts.rows).items():
        proposal = facts.by_hash.get((site, digest))
        if count > 1:
            yield f"{count} rows at {site} of {proposal.intent[:8] if proposal else 'no intent'}"


def _i3(facts: Facts) -> Iterator[str]:
    for event in facts.world.timeline.of("wire"):
        if event.facts["confidence"] < 0.999:
            yield f"{event.intent[:8]} was sent at confidence {event.facts['confidence']}"
        if not event.facts["same_link"]:
            yield f"{event.intent[:8]} was sent over another link than the approved one"


def _i4(facts: Facts) -> Iterator[str]:
    for site, arrival in facts.arrivals:
        if not arrival["request"].startswith(("PUT", "PATCH")) or "committed" not in arrival["outcome"]:
            continue
        if arrival.get("replaced") and arrival["replaced"] != arrival.get("seen"):
            yield f"{site}: {arrival['reference']} version {arrival['replaced']} was overwritten unseen"


def _i5(facts: Facts) -> Iterator[str]:
    for number, event in enumerate(facts.world.timeline.events):
        if event.what != "wire" or not event.intent:
            continue
        chain = [(place, one.facts.get("event")) for place, one in facts.ordered[event.intent]]
        if not any(place < number and what == "sending" for place, what in chain):
            yield f"{event.intent[:8]}: bytes left without an audit entry before"
        if not any(place > number for place, _ in chain) and facts.proposals[event.intent].state.final:
            yield f"{event.intent[:8]}: no audit entry after the attempt"
    yield from _broken_chains(facts)
    yield from (f"the log holds {what}" for what in _phi(facts))


def _broken_chains(facts: Facts) -> Iterator[str]:
    chains = sorted({event.intent for event in facts.world.timeline.of("audit")})
    if len(chains) > MOST_CHAINS_READ:
        chains = facts.world.chance.sample(chains, MOST_CHAINS_READ)
    for chain in chains:
        try:
            facts.world.app.audit.read(chain)
        except ValueError as broken:
            yield str(broken)


def _phi(facts: Facts) -> Iterator[str]:
    """Words out of the people and the facts that must not stand in the log."""
    log = facts.world.log.getvalue()
    for number, person in enumerate(facts.world.people):
        for patient in person.patients.values():
            said = {
                "a family name": values(patient, "name.family"),
                "a birth date": values(patient, "birthDate"),
                "a phone number": values(patient, "telecom.value"),
                "an identifier": values(patient, "identifier.value"),
                "a street": values(patient, "address.line"),
            }
            for what, found in said.items():
                if any(f'"{value}"' in log or f" {value} " in log for value in map(str, found)):
                    yield f"{what} of person {number}"


def _i6(facts: Facts) -> Iterator[str]:
    now = facts.world.clock.now()
    for row in facts.proposals.values():
        if row.state.value in _ENDS:
            continue
        if row.state in (ProposalState.PROPOSED, ProposalState.APPROVED) and now.isoformat() < row.expires_at:
            continue  # somebody may still decide, or the EHR may still be waited for
        yield f"{row.intent[:8]} is {row.state.value} ({row.reason or 'no reason'})"


def _i7(facts: Facts) -> Iterator[str]:
    per_hour: Counter[tuple[str, str, int]] = Counter()
    for site, arrival in facts.arrivals:
        proposal = facts.by_hash.get((site, arrival["payload_hash"]))
        at = datetime.fromisoformat(arrival["at"].replace("Z", "+00:00")).timestamp()
        per_hour[site, proposal.patient_ref if proposal else "?", int(at // 3600)] += 1
    for (site, _, _), count in per_hour.items():
        if count > facts.world.app.rules.budget.patient_writes_per_h:
            yield f"{count} writes about one patient at {site} within an hour"
    hops = {row.intent: 0 for row in facts.proposals.values()}
    for body in facts.play.requests:
        request = json.loads(body)
        if request.get("hops", 1) > 1:
            hops[request["origin"]["reference"]] = request["hops"]
    for row in facts.proposals.values():
        if hops.get(row.origin_ref, 0) > 1 and row.state is not ProposalState.REFUSED:
            yield f"{row.intent[:8]} has made {hops[row.origin_ref]} hops"


def _i8(facts: Facts) -> Iterator[str]:
    told: defaultdict[str, int] = defaultdict(int)
    for event in facts.world.timeline.of("notice"):
        if event.facts.get("interruptive"):
            told[str(event.facts.get("to"))] += 1
    yield from (f"{who} was interrupted {count} times" for who, count in told.items())


def _i9(facts: Facts) -> Iterator[str]:
    from local.drill.alarms import alarms

    at_fault = {event.facts["site"] for event in facts.world.timeline.of("slow")}
    for alarm in alarms(facts.world):
        if alarm.ehr not in at_fault:
            yield f"an alarm for {alarm.ehr}, where nothing was slow"
        elif alarm.cleared is None:
            yield f"the alarm for {alarm.ehr} never cleared"


def _i10(facts: Facts) -> Iterator[str]:
    rows = {(site, row["reference"]): row["resource"] for site, row in facts.rows}
    for row in facts.proposals.values():
        if row.state is not ProposalState.FILED:
            continue
        filed = rows.get((row.ehr, _bare(row.filed_ref)))
        if filed is None:
            yield f"{row.intent[:8]} is FILED, and {row.ehr} has no such row"
            continue
        operation = facts.world.app.ehrs[row.ehr].operation(row.resource_type, "update" if row.target else "create")
        signed = json.loads(row.fact or row.payload)
        lost = [
            path for path in _differences(signed, filed, row.resource_type) if not path.startswith(operation.losses)
        ]
        edited = {reference for reference, _ in facts.play.edits}
        unsaid = [path for path in lost if not any(said.startswith(path) for said in row.differences)]
        if unsaid and row.filed_ref not in edited:
            yield f"{row.intent[:8]}: {', '.join(unsaid[:3])} not as approved, and not reported"


def _bare(reference: str) -> str:
    return "/".join(reference.split("/_history/")[0].split("/")[-2:])


def _differences(signed: Resource, filed: Resource, path: str) -> Iterator[str]:
    """Paths whose values were signed and are not in the chart. Written again here, not taken from the sender."""
    for key, value in signed.items():
        if key not in ("resourceType", "id", "meta", "text") and not _in(value, filed.get(key)):
            yield f"{path}.{key}"


def _in(signed: Any, filed: Any) -> bool:
    if isinstance(signed, dict):
        return isinstance(filed, dict) and all(_in(value, filed.get(key)) for key, value in signed.items())
    if isinstance(signed, list):
        return isinstance(filed, list) and all(any(_in(one, other) for other in filed) for one in signed)
    return bool(signed == filed) or _instant(signed) == _instant(filed) is not None


def _instant(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")) if "T" in str(value) else None
    except ValueError:
        return None


INVARIANTS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "I1": _i1, "I2": _i2, "I3": _i3, "I4": _i4, "I5": _i5, "I6": _i6, "I7": _i7, "I8": _i8, "I9": _i9, "I10": _i10,
}  # fmt: skip
