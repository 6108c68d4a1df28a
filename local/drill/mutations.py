"""Can the drill fail? Each control is switched off, here and not in the code, and a named scenario must turn red.

A mutation puts another function in the place of one, for as long as the scenarios run. `headwater drill --mutations`
plays them all; its table stands in `docs/drill.md`.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from headwater.adapters.ehr import http
from headwater.model import Brake, Grade, ProposalState, Verdict

Patch = tuple[str, Any]  # `module:attribute`, or `module:Class.attribute`, and what takes its place


@dataclass(frozen=True, slots=True)
class Mutation:
    """`off` says what is switched off; `scenarios` are those of which at least one must turn red."""

    name: str
    off: str
    scenarios: tuple[str, ...]
    patches: tuple[Patch, ...]


def nothing(*_: Any, **__: Any) -> None:
    """A gate that stands open."""


def _original(place: str) -> Any:
    module, _, path = place.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


@contextmanager
def in_force(mutation: Mutation) -> Iterator[None]:
    """The control is off within the block."""
    started = []
    try:
        for place, replacement in mutation.patches:
            module, _, path = place.partition(":")
            owner, _, name = path.rpartition(".")
            holder = _original(f"{module}:{owner}") if owner else importlib.import_module(module)
            one = patch.object(holder, name, replacement)
            one.start()
            started.append(one)
        yield
    finally:
        for one in reversed(started):
            one.stop()


# ------------------------------------------------------------------------------------------------- what stands instead

OUT = "headwater.outbound"


def _after(place: str, change: Callable[[Any], Any]) -> Any:
    """The function itself, its result changed."""
    known = _original(place)
    return lambda *args, **kwargs: change(known(*args, **kwargs))


def _resend(send: Any, proposal: Any, job: Any) -> Any:
    """A time-out is taken for a failure."""
    return send._write(proposal, job)


def _believed(send: Any, proposal: Any, job: Any) -> Any:  # noqa: ARG001
    """A 2xx is taken for a row."""
    return send._move(proposal, ProposalState.FILED, reason="send.read_back")


def _with_newest(api: Any, reference: str, payload: bytes, *, seen: str) -> Any:  # noqa: ARG001
    """The precondition is made of what is there now: read again, and put over it."""
    row = api._fhir.read(reference).body or {}
    return api._fhir.update(reference, payload, seen=api._api.precondition.seen(row))


def _unconditional(ledger: Any, proposal: Any, *, expected_version: int) -> None:  # noqa: ARG001
    """The last writer wins."""
    ledger._put(proposal)


def _followed(method: str, url: str, **how: Any) -> Any:
    """A client that goes where it is sent."""
    answer = _EXCHANGE(method, url, **how)
    place = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    if 300 <= answer.status < 400 and place:
        return _EXCHANGE("GET", place, headers=how["headers"], timeouts=how["timeouts"])
    return answer


_EXCHANGE = http.exchange


def _without_seconds(watch: Any, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: Any) -> None:
    """Whole seconds are dropped, as one published client does it; here, where the drill's time enters the measure."""
    if step == "ehr":
        milliseconds = (milliseconds + (watch._timeline.clock() - watch._timeline.asked_at) * 1000) % 1000
    watch._timeline.note("metric", "", step=step, outcome=outcome, milliseconds=milliseconds, **ids)


def _deaf(audit: Any, chain: str, entry: Mapping[str, object]) -> None:
    """What cannot be recorded happens all the same."""
    if audit._timeline.clock() >= audit._down_until():
        audit._port.append(chain, entry)
        audit._timeline.note("audit", chain, **entry)


def mutations() -> tuple[Mutation, ...]:
    """All of them; made when asked for, since they look at the code they replace."""
    from headwater.outbound.gates.duplicate import Likeness

    tier = f"{OUT}.policy:WritePolicy.tier_of"
    return (
        Mutation("identity", "nobody asks how sure it is that the patient is the person", ("CCD-25",),
                 ((f"{OUT}.gates.identity:grade_person", lambda *_: Grade(Verdict.SAME, 1.0)),)),
        Mutation("surface", "what a profile does not declare is tried all the same", ("CCD-20",),
                 ((f"{OUT}.propose:surface", lambda ehr, *_: next(iter(ehr.write.values())).create),)),
        Mutation("concept", "codes, units and times go out as they come", ("CCD-30", "CCD-31", "CCD-34"),
                 ((f"{OUT}.propose:concept", nothing),)),
        Mutation("subject", "nobody compares the payload's patient with the intent's", ("CCD-29",),
                 ((f"{OUT}.propose:subject", nothing), (f"{OUT}.proof:subject", nothing))),
        Mutation("loop-fingerprint", "an echo is known by its marker alone", ("CCD-37",),
                 ((f"{OUT}.propose:echo", nothing), (f"{OUT}.propose:_repeated", nothing))),
        Mutation("loop-marker", "neither marker nor hops are looked at, nor what was told before", ("CCD-36",),
                 ((f"{OUT}.propose:loop", nothing), (f"{OUT}.propose:echo", nothing),
                  (f"{OUT}.propose:_repeated", nothing))),
        Mutation("duplicate", "nobody looks what the chart says already", ("CCD-15", "CCD-17", "CCD-45"),
                 ((f"{OUT}.propose:duplicate", lambda *_: Likeness()),)),
        Mutation("content", "any text goes into a chart", ("CCD-55",), ((f"{OUT}.propose:content", nothing),)),
        Mutation("samd", "a score may give orders, and hide its basis", ("CCD-48",),
                 ((f"{OUT}.propose:samd", nothing),)),
        Mutation("alert", "every change of a score is told", ("CCD-46",), ((f"{OUT}.propose:alert", nothing),)),
        Mutation("four-eyes", "one signature is enough for anything", ("CCD-17",),
                 ((f"{OUT}.propose:Propose._proposal",
                   _after(f"{OUT}.propose:Propose._proposal", lambda row: replace(row, approvers=1))),)),
        Mutation("role", "anybody may sign demographics", ("CCD-22",),
                 ((f"{OUT}.review:four_eyes", nothing),)),
        Mutation("expiry", "a signature holds for ever", ("CCD-23", "CCD-51"),
                 ((tier, _after(tier, lambda row: replace(row, expires_h=100_000))),)),
        Mutation("intent-key", "every wish has a key of its own", ("CCD-12",),
                 ((f"{OUT}.draft:intent_key", lambda *_: uuid.uuid4().hex * 2), (f"{OUT}.propose:_repeated", nothing))),
        Mutation("verify-before-resend", "a time-out is taken for a failure", ("CCD-01", "CCD-03"),
                 ((f"{OUT}.send:Send._verify", _resend),)),
        Mutation("read-back", "a 2xx is taken for a row", ("CCD-08", "CCD-35"),
                 ((f"{OUT}.send:Send._read_back", _believed),)),
        Mutation("precondition", "an update is put over what is there now", ("CCD-18", "CCD-19"),
                 ((f"{OUT}.proof:_look_at_target", lambda *_: _original(f"{OUT}.proof:NOTHING")),
                  ("headwater.adapters.ehr.apis:ProfiledApi.update", _with_newest))),
        Mutation("conditional-writes", "of two that move a row the last one wins", ("CCD-11", "CCD-49"),
                 (("headwater.adapters.proposals.dynamodb:DynamoDbProposals.move", _unconditional),)),
        Mutation("redirects", "the HTTP client follows redirects", ("CCD-27",),
                 (("headwater.adapters.ehr.session:exchange", _followed),)),
        Mutation("entries", "the status counts, not what the entries say", ("CCD-07",),
                 (("headwater.adapters.ehr.apis:as_fhir", lambda answer, *_, **__: replace(answer, body=None)),)),
        Mutation("retry-table", "all EHRs' errors mean the same", ("CCD-16", "CCD-32"),
                 (("headwater.ehrs.profile:react", _plain_reaction),)),
        Mutation("brakes", "no pace, and nobody heeds a closed window", ("CCD-41",),
                 (("headwater.adapters.brakes.dynamodb:DynamoDbBrakes.take", lambda *_, **__: 0.0),
                  ("headwater.adapters.brakes.dynamodb:DynamoDbBrakes.look", lambda *_, **__: Brake()),
                  ("headwater.adapters.brakes.dynamodb:DynamoDbBrakes.close", nothing))),
        Mutation("kill-switch", "the switch is not looked at", ("CCD-54",), ((f"{OUT}.send:switches", nothing),)),
        Mutation("audit-first", "what cannot be recorded happens all the same", ("CCD-53",),
                 (("local.drill.recorder:RecordedAudit.append", _deaf),)),
        Mutation("remind", "the function that runs by the clock does nothing", ("CCD-51",),
                 (("headwater.bootstrap:App.remind", nothing),)),
        Mutation("latency", "whole seconds are dropped from what is measured", ("CCD-40",),
                 (("local.drill.recorder:RecordedWatch.note", _without_seconds),)),
    )  # fmt: skip


def _plain_reaction(answer: Any, *, success: Any, rows: Any) -> Any:  # noqa: ARG001
    return _REACT(answer, success=success, rows=())


_REACT = _original("headwater.ehrs.reactions:react")


def named(name: str) -> Mutation:
    """Raises KeyError for one that there is not."""
    return {one.name: one for one in mutations()}[name]
