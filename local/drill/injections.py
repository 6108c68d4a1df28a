"""The fault vocabulary: what each word does to a world. Most faults befall an EHR's requests and are its back door's
(`local.ehrs.faults`); the others befall queues, workers, the clock, the ledger, the link or the people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from local.demo.people import humans
from local.drill import people
from local.drill import play as steps
from local.drill.play import Play
from local.ehrs.faults import KNOWN as AT_THE_EHR

Arguments = Mapping[str, Any]
FLOOD_PEOPLE, FLOOD_FACTS = 3, 7  # so many of each, over and over


def put_in_force(play: Play, fault: Arguments) -> None:
    """One entry of `inject`; a word or argument that nobody knows is noted on the play."""
    name = str(fault.get("fault"))
    if name in HERE:
        HERE[name](play, {key: value for key, value in fault.items() if key != "fault"})
    elif name in AT_THE_EHR:
        _at_the_ehr(play, fault)
    else:
        play.unknown.append(f"fault {name}")


def _at_the_ehr(play: Play, fault: Arguments) -> None:
    wish = dict(fault)
    if wish["fault"] == "status" and wish.get("code") in (409, 412) and play.edits:
        return  # a row that was changed meanwhile: the EHR answers so by itself, and only to a stale version
    if "minutes" in wish:
        wish["seconds"] = float(wish.pop("minutes")) * 60
        wish.setdefault("count", None)
        if wish["fault"] == "status":
            wish.setdefault("on", "*")  # an EHR that is down for minutes is down for everything
    on = str(wish.get("on", ""))
    if on and on.split()[0] not in ("GET", "POST", "PUT", "PATCH", "WRITE", "TOKEN", "*"):
        wish["on"] = "POST"  # `batch/operation` and the like: whatever carries a write
    between = str(wish.pop("between", "")).replace(" ", "_")
    if wish["fault"] in ("version_bump", "concurrent_clinician_edit") and "send" in between and play.rows:
        steps.edit(play, play.rows[-1], wish.get("set"))
        return
    site = wish.pop("ehr", "")
    names = {"A": play.world.target, "B": next(iter(play.world.others), play.world.origin)}
    named = names.get(site, site) or play.world.target
    if wish["fault"] == "latency":
        wish.setdefault("count", None)
        play.world.timeline.note("slow", "", site=named, p99_ms=wish.get("p99_ms", wish.get("ms")))
    status, body = play.world.ask("POST", "/_sim/faults", wish, named)
    if status != 200:
        play.unknown.append(f"fault {fault.get('fault')}: {body.get('error', status)}")


KILL_POINTS: Mapping[str, str] = {
    "after_send_before_record": "after:create",
    "before_send": "before:create",
    "after_record": "after:ledger.ACCEPTED_BY_EHR",
    "before_state": "before:ledger.SENDING",
    "after_state": "after:ledger.SENDING",
    "after_audit": "after:audit.sending",
}


def _kill_process(play: Play, a: Arguments) -> None:
    """`at` names the point; without it, the seed picks one."""
    at = str(a.get("at") or play.world.chance.choice(sorted(KILL_POINTS)))
    point = KILL_POINTS.get(at, at if ":" in at else "")
    if not point:
        play.unknown.append(f"kill_process at {at}")
    play.world.timeline.kill_at[point] = int(a.get("times", 1))


def _audit_unavailable(play: Play, a: Arguments) -> None:
    play.world.audit_down_until = play.world.clock() + _seconds(a, 600)


def _clock_advance(play: Play, a: Arguments) -> None:
    play.world.clock.advance(_seconds(a, 0))


def _seconds(a: Arguments, otherwise: float) -> float:
    units = {"seconds": 1, "s": 1, "after_s": 1, "minutes": 60, "hours": 3600, "days": 86400, "age_days": 86400}
    return sum(float(a[unit]) * size for unit, size in units.items() if unit in a) or otherwise


def _duplicate_delivery(play: Play, a: Arguments) -> None:
    """Concurrent copies go to two sandboxes at once; others come one after the other."""
    if a.get("concurrent", True):
        play.world.copies = int(a.get("copies", 2))
    else:
        steps.redeliver(play)


def _caller_reruns_plan(play: Play, a: Arguments) -> None:
    steps.propose_again(play, times=int(a.get("times", 2)) - 1)


def _dlq_redrive(play: Play, a: Arguments) -> None:
    """Everything that was ever on the send queue is brought again, that much later."""
    play.world.clock.advance(_seconds(a, 7 * 86400))
    steps.redeliver(play)


def _chart_contains(play: Play, a: Arguments) -> None:
    """`resource` is prose of the vocabulary; which fact of ours it means is told by its type."""
    said = str(a.get("resource", "")).lower()
    facts = (("medication", "medication_scd"), ("no-known-allerg", "no_known_allergy"), ("allerg", "allergy"),
             ("condition", "condition"))  # fmt: skip
    steps.chart_has(play, fact=next((fact for word, fact in facts if word in said), "vital"))


def _tenant_confusion(play: Play, _: Arguments) -> None:
    """Persons 1 and 2: the same record number, one at the target, the other at another site."""
    world = play.world
    other = world.others[0] if world.others else world.origin
    mine, theirs = humans(9, world.seed)[7:9]
    people.admit_human(world, replace(mine, ssn="401-22-7001"), (world.target, world.origin), 90, mrn_of=90)
    people.admit_human(world, replace(theirs, ssn="401-22-7002"), (other,), 91, mrn_of=90)
    world.run(0.0)


def _patient_merge_redirect(play: Play, a: Arguments) -> None:
    world = play.world
    world.ask("POST", "/_sim/patients", {"resourceType": "Patient", "id": "survivor"})
    mine = play.person().patients[world.target]["id"]
    _at_the_ehr(play, {"fault": "patient_merge_redirect", "from": mine, "to": "survivor", **a})


def _payload_subject_swap(play: Play, a: Arguments) -> None:
    """The n-th resource that a template makes is about somebody else."""
    count, chosen = iter(range(1, 1_000_000)), int(a.get("nth", 5))

    def bend(resource: dict[str, Any]) -> dict[str, Any]:
        if next(count) != chosen:
            return resource
        return {**resource, "subject": {"reference": play.person(1).at(play.world.target)}}

    play.person(1)
    play.world.bend = bend


def _echo_event(play: Play, a: Arguments) -> None:
    play.world.echo = a


def _event_flood(play: Play, a: Arguments) -> None:
    """`rate_per_min` for `minutes` from the origin: a few facts, over and over. `sample` of them are played."""
    world, minutes = play.world, float(a.get("minutes", 1))
    total = int(float(a.get("rate_per_min", 10_000)) * minutes)
    played = min(int(a.get("sample", 42)), total)
    play.person(FLOOD_PEOPLE - 1)
    if played < total:
        play.notes.append(f"{played} of {total} events were played, at the times of the whole flood")
    for number in range(played):
        person, which = play.world.people[number % FLOOD_PEOPLE], number // FLOOD_PEOPLE % FLOOD_FACTS
        fact = people.fact(world, people.taken_as(world, "vital", world.target), 300 + which)
        row = people.about({**fact, "id": f"flood-{which}"}, person.at(world.origin))
        row["meta"] = {"lastUpdated": world.clock.now().replace(microsecond=number).isoformat()}
        event = partial(people.tell, world, world.origin, [person.patients[world.origin], row])
        world.later(number * minutes * 60 / played, event)


def _restore_ledger(play: Play, _: Arguments) -> None:
    """The ledger of the last approval comes back, and with it its messages."""
    play.world.restore_ledger(play.backup)
    steps.redeliver(play)


def _reviewers_absent(play: Play, a: Arguments) -> None:
    play.world.pass_time(_seconds(a, 72 * 3600) + 60)


def _concurrent_decision(play: Play, _: Arguments) -> None:
    steps.decide_at_once(play)


def _redacted_record(play: Play, _: Arguments) -> None:
    """A placeholder stands where a record is hidden."""
    hidden = {"code": "REDACTED", "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}
    steps.chart_has(play, set={"valueQuantity": None, "effectiveDateTime": None, "meta": {"security": [hidden]}})


def _empi_unlink(play: Play, _: Arguments) -> None:
    """A steward splits the target's record off the person."""
    steps.unlink(play)


def _concurrent_clinician_edit(play: Play, a: Arguments) -> None:
    """A clinician writes between our reading and our writing: at the moment our bytes arrive."""
    _at_the_ehr(play, {"fault": "version_bump", "on": "PUT", "set": {"note": [{"text": "entered meanwhile"}]}, **a})


HERE: Mapping[str, Callable[[Play, Arguments], None]] = {
    "kill_process": _kill_process,
    "audit_unavailable": _audit_unavailable,
    "clock_advance": _clock_advance,
    "duplicate_delivery": _duplicate_delivery,
    "caller_reruns_plan": _caller_reruns_plan,
    "dlq_redrive": _dlq_redrive,
    "chart_contains": _chart_contains,
    "tenant_confusion": _tenant_confusion,
    "patient_merge_redirect": _patient_merge_redirect,
    "payload_subject_swap": _payload_subject_swap,
    "echo_event": _echo_event,
    "event_flood": _event_flood,
    "restore_ledger": _restore_ledger,
    "reviewers_absent": _reviewers_absent,
    "concurrent_decision": _concurrent_decision,
    "redacted_record": _redacted_record,
    "empi_unlink": _empi_unlink,
}
