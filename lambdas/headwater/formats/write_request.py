"""The write-back request: what a rule, or a producer outside (analytics, an application), puts on the write queue.

JSON, version 1; the schema that producers validate against is `mappings/write-request.schema.json`, and
`docs/write-backs.md` explains it. Anything else in the body is refused, by the name of the field that is wrong.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from headwater.errors import Refuse
from headwater.model import WriteRequest

VERSION = "headwater.write-request/1"
_OPTIONAL = ("updates", "author", "model", "withdraws")
_FIELDS = {"schema", "to", "intent", "person", "resource", "origin", "hops", *_OPTIONAL}


def dump(request: WriteRequest) -> str:
    """The optional fields are left out where they say nothing: a rule's request is the same bytes as ever."""
    optional = {name: getattr(request, name) for name in _OPTIONAL}
    return orjson.dumps(
        {
            "schema": VERSION,
            "to": request.to,
            "intent": request.intent,
            "person": request.person_id,
            "resource": request.resource,
            "origin": {"ehr": request.origin_ehr, "reference": request.origin_ref},
            "hops": request.hops,
            **{name: value if isinstance(value, str) else dict(value) for name, value in optional.items() if value},
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
        updates=_updates(document, resource["resourceType"]),
        author=_typed(document, "author", str) if "author" in document else "",
        model=_model(document.get("model", {})),
        withdraws=_typed(document, "withdraws", str) if "withdraws" in document else "",
    )


def _typed(holder: dict[str, Any], field: str, kind: type, place: str = "") -> Any:
    value = holder.get(field)
    if not isinstance(value, kind) or not value:
        raise _malformed(place or field, f"must be a {'string' if kind is str else 'JSON object'} and not empty")
    return value


def _updates(document: dict[str, Any], resource_type: str) -> str:
    if "updates" not in document:
        return ""
    reference = str(_typed(document, "updates", str))
    if not re.fullmatch(rf"{re.escape(resource_type)}/[A-Za-z0-9\-.]{{1,64}}", reference):
        raise _malformed("updates", "must be the reference of a row of that type at the EHR")
    return reference


def _model(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(said, str) for said in value.values()):
        raise _malformed("model", "must be a JSON object of texts")
    return value


def _hops(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _malformed("hops", "must be a whole number from 1")
    return value


def _malformed(place: str, hint: str) -> Refuse:
    return Refuse("propose.request_malformed", place=place, hint=hint)
