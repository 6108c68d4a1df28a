"""intent: the same wish twice is one wish. The key comes from clinical content, never from a fresh UUID.

Spark evaluates a plan twice, a queue delivers twice, a feed repeats: all of them make the same key. What a sender may
vary without meaning another fact (ids, order, text, decimals' trailing zeros) is left out of it.

The fingerprint is coarser: what an EHR may change on a fact that it echoes (unit, value within rounding, seconds) is
left out as well, so that rows with one fingerprint are then compared by value.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Any

import orjson

from headwater.model import Resource
from headwater.outbound.chart import instant_of
from headwater.outbound.gates.concept import STANDARD

# Elements that say how a fact is carried, not what it is.
_CARRIAGE = frozenset(
    {"id", "meta", "text", "identifier", "subject", "patient", "encounter", "performer", "note", "issued", "extension",
     "specimen", "basedOn", "partOf", "device", "display", "userSelected", "unit", "version", "contained", "language"}
)  # fmt: skip


def intent_key(ehr: str, patient_ref: str, resource: Resource) -> str:
    """SHA-256, hex, of (EHR, patient at the EHR, the fact)."""
    fact = orjson.dumps(_fact(resource), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"\n".join((ehr.encode(), patient_ref.encode(), fact))).hexdigest()


def fingerprint(person_id: str, resource: Resource, *, timeless: bool = False) -> str:
    """SHA-256, hex, of (person, type, leading standard code, minute); `timeless` for scores, which have a history."""
    element, systems = STANDARD.get(resource["resourceType"], ("code", ()))
    codings = resource.get(element, {}).get("coding", []) if isinstance(resource.get(element), dict) else []
    ranked = sorted(
        (systems.index(one["system"]) if one.get("system") in systems else len(systems), str(one.get("system")),
         str(one.get("code")))
        for one in codings
    )  # fmt: skip
    about = "|".join(ranked[0][1:]) if ranked else ""
    moment = None if timeless else instant_of(resource)
    minute = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if moment else ""
    return hashlib.sha256("\n".join((person_id, resource["resourceType"], about, minute)).encode()).hexdigest()


def _fact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fact(inner) for key, inner in value.items() if key not in _CARRIAGE}
    if isinstance(value, list):
        return sorted((_fact(inner) for inner in value), key=lambda one: orjson.dumps(one, option=orjson.OPT_SORT_KEYS))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
