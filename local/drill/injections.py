"""The fault vocabulary: what each word does to a world. Most faults befall an EHR's requests and are its back door's
(`local.ehrs.faults`); the others befall queues, workers, the clock, the ledger, the link or the people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.drill.play import Play
from local.ehrs.faults import KNOWN as AT_THE_EHR

Arguments = Mapping[str, Any]


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
    if "minutes" in wish:
        wish["seconds"] = float(wish.pop("minutes")) * 60
        wish.setdefault("count", None)
    site = wish.pop("ehr", "")
    names = {"A": play.world.target, "B": next(iter(play.world.others), play.world.origin)}
    status, body = play.world.ask("POST", "/_sim/faults", wish, names.get(site, site))
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
    play.world.app.audit.down_until = play.world.clock() + 60 * float(a.get("minutes", 10))  # type: ignore[attr-defined]


def _clock_advance(play: Play, a: Arguments) -> None:
    units = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
    play.world.clock.advance(sum(float(a[unit]) * size for unit, size in units.items() if unit in a))


def _duplicate_delivery(play: Play, a: Arguments) -> None:
    play.world.copies = int(a.get("copies", 2))


HERE: Mapping[str, Callable[[Play, Arguments], None]] = {
    "kill_process": _kill_process,
    "audit_unavailable": _audit_unavailable,
    "clock_advance": _clock_advance,
    "duplicate_delivery": _duplicate_delivery,
}
