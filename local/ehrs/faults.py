"""Bad days on demand: faults in the drill's words, which turn what one request does into something else.

`POST /_sim/faults {"fault": "drop_after_commit", "on": "POST Observation", "count": 1}`. `on` is a method (WRITE: POST
or PUT), or a method and a resource type, or TOKEN; `count` is how many requests it hits (null: all, as for what is a
state and no event); `seconds` is how long it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count as counter
from threading import Lock
from typing import Any

from headwater.model import Resource


@dataclass(frozen=True, slots=True)
class Effects:
    """What befalls one request. Times in seconds; `answer` is given instead of doing anything. What is `held` waits for
    the EHR's own people and is no row yet; what is `queued` waits in middleware."""

    wait: float = 0.0
    answer: tuple[int, Mapping[str, str], Resource | None] | None = None
    drop_before: bool = False
    drop_after: bool = False
    hang: float = 0.0
    commit_in: float = 0.0
    found_in: float = 0.0
    gone_in: float | None = None
    status: int | None = None
    others_ack: bool = False
    held: bool = False
    queued: bool = False
    ignored: tuple[str, ...] = ()
    default_unit: str = ""
    default_effective_now: bool = False
    token_ttl: float | None = None
    bump: bool = False
    bump_sets: Mapping[str, Any] = field(default_factory=dict)
    nulled: bool = False
    merged: Mapping[str, str] = field(default_factory=dict)
    masked: tuple[str, ...] = ()


@dataclass(slots=True)
class Fault:
    number: int
    name: str
    on: str
    left: int | None
    until: float | None
    arguments: dict[str, Any]
    taken: int = 0

    def hits(self, method: str, type_: str, now: float) -> bool:
        if self.left == 0 or (self.until is not None and now >= self.until):
            return False
        wanted = self.on.split()
        methods = ("POST", "PUT") if wanted[:1] == ["WRITE"] else tuple(wanted[:1])
        return not wanted or ((method in methods or methods == ("*",)) and (len(wanted) == 1 or wanted[1] == type_))


class Faults:
    """The faults in force, oldest first. They are not kept when the EHR is restarted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._numbers = counter(1)
        self._faults: list[Fault] = []
        self._closed_until = 0.0
        self.trespasses = 0  # requests that came while the EHR had said to wait
        self.until_minute = False

    def add(self, wish: Mapping[str, Any]) -> Fault:
        """Raises ValueError for a fault or argument that this EHR cannot inject."""
        arguments = {key: value for key, value in wish.items() if key not in ("fault", "on", "count", "seconds")}
        name, seconds = str(wish.get("fault")), wish.get("seconds")
        count = wish.get("count", None if name in _STATES else 1)
        if name not in KNOWN:
            raise ValueError(f"unknown fault; known: {', '.join(sorted(KNOWN))}")
        if not (count is None or type(count) is int) or not isinstance(wish.get("on", ""), str):
            raise ValueError("count is a whole number or null, on is text")
        until = None if seconds is None else self._clock() + float(seconds)
        on = str(wish.get("on", _ON.get(name, "WRITE")))
        fault = Fault(next(self._numbers), name, on, count, until, arguments)
        try:
            KNOWN[name](Effects(), arguments)
        except (KeyError, TypeError, AttributeError):
            raise ValueError(f"{name} lacks an argument, or one has the wrong type") from None
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"number": f.number, "fault": f.name, "on": f.on, "left": f.left, **f.arguments} for f in self._faults
            ]

    def take(self, method: str, type_: str) -> Effects:
        """What befalls this request; each fault that hits is used up by one."""
        effects = Effects()
        with self._lock:
            if self._clock() < self._closed_until:
                self.trespasses += 1
                return replace(effects, answer=(429, {}, outcome("throttled")))
            for fault in self._faults:
                if fault.hits(method, type_, self._clock()):
                    fault.taken += 1
                    effects = KNOWN[fault.name](effects, {**fault.arguments, "nth": fault.taken})
                    fault.left = None if fault.left is None else fault.left - 1
            self._faults = [fault for fault in self._faults if fault.left != 0]
            self._closed_until = max(self._closed_until, self._closes(effects))
        return effects

    def _closes(self, effects: Effects) -> float:
        """Until when a 429 shuts the door: as it says, or to the top of the minute where that is the EHR's rule."""
        if not effects.answer or effects.answer[0] != 429:
            return 0.0
        said = effects.answer[1].get("Retry-After")
        if said is not None:
            return self._clock() + float(said)
        return (self._clock() // 60 + 1) * 60 if self.until_minute else 0.0


def outcome(code: str, *, vendor: str = "", text: str = "") -> Resource:
    """An OperationOutcome with one error; `vendor` goes where vendors put their own codes."""
    issue: Resource = {"severity": "error", "code": code}
    if vendor:
        issue["details"] = {"coding": [{"code": vendor}]}
    if text:
        issue["diagnostics"] = text
    return {"resourceType": "OperationOutcome", "issue": [issue]}


Arguments = Mapping[str, Any]


def _latency(effects: Effects, a: Arguments) -> Effects:
    """`ms`, or `p50_ms` and `p99_ms`: every fiftieth request takes the long time, so the 99th percentile is it."""
    ms = a["ms"] if "ms" in a else a["p99_ms"] if a.get("nth", 1) % _SLOW_EVERY == 0 else a["p50_ms"]
    return replace(effects, wait=effects.wait + float(ms) / 1000)


def _status(effects: Effects, a: Arguments) -> Effects:
    """A refusal is given instead of doing anything. A 2xx takes the write in; 202 holds it for the EHR's own people."""
    code, after = int(a["code"]), a.get("retry_after")
    if 200 <= code < 300:
        return replace(effects, status=code, held=code == 202)
    headers = {} if after is None else {"Retry-After": str(int(after))}
    return replace(effects, answer=(code, headers, None))


def _operation_outcome(effects: Effects, a: Arguments) -> Effects:
    body = outcome(str(a.get("issue", "processing")), vendor=str(a["code"]))
    return replace(effects, answer=(int(a.get("status", 422)), {}, body))


def _entry_error(effects: Effects, a: Arguments) -> Effects:
    body = outcome("business-rule", vendor=str(a.get("entry_status", "422")))
    return replace(effects, answer=(200, {}, body))


def _commit_after(effects: Effects, a: Arguments) -> Effects:
    """The connection is lost, at once or after `hang_s`, and the row appears after `delay_s`."""
    hang = float(a.get("hang_s", a.get("client_timeout_s", 0)))
    return replace(effects, commit_in=float(a["delay_s"]), hang=hang, drop_after=True)


def _discard(effects: Effects, a: Arguments) -> Effects:
    """Accepted (with `status`, perhaps 202) and thrown away after `after_s`, without a word."""
    return replace(effects, gone_in=float(a.get("after_s", 0)), status=a.get("status", effects.status))


def _nack(effects: Effects, a: Arguments) -> Effects:
    """Taken in and queued; the EHR behind refuses it after `after_s`, so that no row ever appears."""
    return replace(effects, held=True, queued=True, gone_in=float(a.get("after_s", 0)), status=a.get("status"))


KNOWN: Mapping[str, Callable[[Effects, Arguments], Effects]] = {
    "latency": _latency,
    "status": _status,
    "operation_outcome": _operation_outcome,
    "http200_with_entry_error": _entry_error,
    "drop_before_commit": lambda e, a: replace(e, drop_before=True, hang=float(a.get("hang_s", 0))),
    "drop_after_commit": lambda e, a: replace(e, drop_after=True, hang=float(a.get("hang_s", 0))),
    "commit_after": _commit_after,
    "late_ack": lambda e, a: replace(e, drop_after=True, hang=float(a.get("delay_s", a.get("hang_s", 60)))),
    "reorder_acks": lambda e, _: replace(e, others_ack=True),
    "jti_replay_check": lambda e, _: e,  # the token endpoint does it always (`local.ehrs.oauth`)
    "search_lag": lambda e, a: replace(e, found_in=float(a.get("delay_s", a.get("lag_s", 60)))),
    "async_nack": _nack,
    "silent_discard": _discard,
    "token_ttl": lambda e, a: replace(e, token_ttl=float(a.get("ttl_s", a.get("seconds", 5)))),
    "version_bump": lambda e, a: replace(e, bump=True, bump_sets=a.get("set", {})),
    "concurrent_clinician_edit": lambda e, a: replace(e, bump=True, bump_sets=a.get("set", _ENTERED)),
    "null_missing_fields": lambda e, _: replace(e, nulled=True),
    "ignore_fields": lambda e, a: replace(e, ignored=(*e.ignored, *map(str, a["fields"]))),
    "default_unit_when_missing": lambda e, a: replace(e, default_unit=str(a.get("unit", "lb"))),
    "default_effective_now": lambda e, _: replace(e, default_effective_now=True),
    "patient_merge_redirect": lambda e, a: replace(e, merged={**e.merged, str(a["from"]): str(a["to"])}),
    "masked_element": lambda e, a: replace(e, masked=(*e.masked, str(a.get("element", "value")))),
}
_SLOW_EVERY = 50
_ENTERED: Mapping[str, Any] = {"note": [{"text": "entered by a clinician meanwhile"}]}
_ON = {"latency": "*", "token_ttl": "TOKEN", "jti_replay_check": "TOKEN", "masked_element": "GET",
       "patient_merge_redirect": "*",
       "version_bump": "PUT", "concurrent_clinician_edit": "PUT", "null_missing_fields": "PUT"}  # fmt: skip
_STATES = frozenset({"patient_merge_redirect", "masked_element", "null_missing_fields"})  # until they are cleared
