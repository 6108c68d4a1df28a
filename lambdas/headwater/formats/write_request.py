"""The write-back request: what a rule, or a producer outside (analytics, an application), puts on the write queue.

JSON, version 1; the schema that producers validate against is `mappings/write-request.schema.json`, and
`docs/write-backs.md` explains it. Anything else in the body is refused, by the name of the field that is wrong.
"""

from __future__ import annotations

from typing import Any

import orjson

from headwater.errors import Refuse
from headwater.model import WriteRequest

VERSION = "headwater.write-request/1"
_FIELDS = {"schema", "to", "intent", "person", "resource", "origin", "hops"}


def dump(request: WriteRequest) -> str:
    return orjson.dumps(
        {
            "schema": VERSION,
            "to": request.to,
            "intent": request.intent,
            "person": request.person_id,
            "resource": request.resource,
            "origin": {"ehr": request.origin_ehr, "reference": request.origin_ref},
            "hops": request.hops,
        }
    ).decode()


def parse(text: str) -> WriteRequest:
    """Raises Refuse('propose.request_malformed') with the field as its place."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _malformed("body", "send one JSON object") from None
    if not isinstance(document, dict):
        raise _malformed("body", "send one JSON object")
    if document.get("schema") != VERSION:
        raise _malformed("schema", f"must be {VERSION}")
    for unknown in sorted(document.keys() - _FIELDS):
        raise _malformed(unknown if unknown.isidentifier() else "body", "is not a field of a write request")
    origin = _typed(document, "origin", dict)
    resource = _typed(document, "resource", dict)
    if not isinstance(resource.get("resourceType"), str):
        raise _malformed("resource.resourceType", "must be a FHIR R4 resource type")
    return WriteRequest(
        to=_typed(document, "to", str),
        intent=_typed(document, "intent", str),
        person_id=_typed(document, "person", str),
        resource=resource,
        origin_ehr=_typed(origin, "ehr", str, "origin.ehr"),
        origin_ref=_typed(origin, "reference", str, "origin.reference"),
        hops=_hops(document.get("hops", 1)),
    )


def _typed(holder: dict[str, Any], field: str, kind: type, place: str = "") -> Any:
    value = holder.get(field)
    if not isinstance(value, kind) or not value:
        raise _malformed(place or field, f"must be a {'string' if kind is str else 'JSON object'} and not empty")
    return value


def _hops(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _malformed("hops", "must be a whole number from 1")
    return value


def _malformed(place: str, hint: str) -> Refuse:
    return Refuse("propose.request_malformed", place=place, hint=hint)
