"""Bundles that are posted to a datastore's base: a transaction, whole or not at all and in the order given, or a batch,
each entry for itself. https://docs.aws.amazon.com/healthlake/latest/devguide/managing-fhir-resources-bundle.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from headwater.fhir.references import references, rewrite_references
from headwater.model import Resource
from local.healthlake.rest import Answered, Asked, Datastore, Refused, parse
from local.healthlake.versions import Versions

# A synchronous transaction's limit, and the quota of resources a Bundle.
MOST_ENTRIES = {"transaction": 100, "batch": 500}
_CONDITIONS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}
_LEVEL = "x-amzn-healthlake-fhir-validation-level"


def perform(datastore: Datastore, versions: Versions, asked: Asked) -> Answered:
    """Carry out a posted Bundle; raises Refused when nothing of it was done."""
    bundle = parse(asked.body)
    kind, entries = bundle.get("type"), bundle.get("entry", [])
    if bundle["resourceType"] != "Bundle" or kind not in ("transaction", "batch") or not isinstance(entries, list):
        raise Refused(400, "invalid", "post a Bundle of type transaction or batch", places=("Bundle.type",))
    if len(entries) > MOST_ENTRIES[kind]:
        raise Refused(422, "too-costly", f"a {kind} holds up to {MOST_ENTRIES[kind]} entries", places=("Bundle.entry",))
    if "respond-async" in asked.headers.get("prefer", ""):
        raise Refused(501, "not-supported", "the stand-in has no asynchronous transactions")
    requests = [_request(entry, index, asked.headers) for index, entry in enumerate(entries)]
    if kind == "batch":
        answers = [_alone(datastore, request) for request in requests]
    else:
        with versions.transaction():
            answers = [datastore.answer(request) for request in _linked(entries, requests)]
    written = [_entry(request.method, answer) for request, answer in zip(requests, answers, strict=True)]
    return Answered(200, {}, {"resourceType": "Bundle", "type": f"{kind}-response", "entry": written})


def _request(entry: Any, index: int, headers: Mapping[str, str]) -> Asked:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str):
        raise Refused(400, "required", "an entry has a request", places=(f"Bundle.entry[{index}].request",))
    path, _, query = request["url"].partition("?")
    kept = {_LEVEL: headers[_LEVEL]} if _LEVEL in headers else {}
    kept |= {header: request[name] for name, header in _CONDITIONS.items() if name in request}
    return Asked(str(request.get("method")), path.lstrip("/"), query, kept, entry.get("resource", b""))


def _linked(entries: Sequence[Resource], requests: Sequence[Asked]) -> list[Asked]:
    """The requests of a transaction, their `urn:uuid:` links turned into ids (FHIR R4 http.html#trules)."""
    names = [_name(request) for request in requests]
    changed = [name for name, request in zip(names, requests, strict=True) if request.method != "GET"]
    if len(set(changed)) < len(changed):
        raise Refused(400, "invalid", "a transaction changes a resource only once", places=("Bundle.entry",))
    urns = {
        entry["fullUrl"]: name
        for entry, name in zip(entries, names, strict=True)
        if str(entry.get("fullUrl", "")).startswith("urn:uuid:")
    }
    return [_to(request, name, urns) for request, name in zip(requests, names, strict=True)]


def _name(request: Asked) -> str:
    """`Type/id`; a POST gets its id here, before anything is written, so that others can point to it."""
    if request.method == "POST":
        return f"{request.path}/{uuid.uuid4()}"
    return request.path


def _to(request: Asked, name: str, urns: Mapping[str, str]) -> Asked:
    if request.method == "PUT" and request.query:
        raise Refused(400, "not-supported", "no conditional update in a transaction")
    if not isinstance(request.body, dict):
        return request
    resource = rewrite_references(request.body, urns)
    if any(reference.startswith("urn:uuid:") for reference in references(resource)):
        raise Refused(
            400, "not-found", "a urn:uuid: link leads nowhere in this Bundle", places=(request.path.partition("/")[0],)
        )
    if request.method == "POST":
        if "if-none-exist" in request.headers:
            raise Refused(400, "not-supported", "HealthLake documents no conditional create")
        resource |= {"id": name.partition("/")[2]}
        return Asked("PUT", name, "", request.headers, resource)
    return Asked(request.method, request.path, request.query, request.headers, resource)


def _alone(datastore: Datastore, request: Asked) -> Answered:
    try:
        return datastore.answer(request)
    except Refused as refused:
        return refused.answer


def _entry(method: str, answer: Answered) -> Resource:
    response: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    for header, name in (("ETag", "etag"), ("Last-Modified", "lastModified"), ("Location", "location")):
        if header in answer.headers:
            response[name] = answer.headers[header]
    if answer.status >= 400:
        return {"response": response | {"outcome": answer.body}}
    return {"response": response} | ({"resource": answer.body} if method == "GET" else {})
