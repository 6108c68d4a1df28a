"""The resources of a delivery of FHIR JSON, however they are packed (FHIR R4 bundle.html; Bulk Data: NDJSON)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headwater.errors import Quarantine
from headwater.model import Resource

DEPTH = 100  # what walks the values goes down by recursion
# A history tells of deletions and of old versions; the others all hold resources as they are now.
_TYPES = frozenset({"collection", "transaction", "batch", "searchset", "document", "message"})


@dataclass(frozen=True, slots=True)
class Packed:
    """Resources, each with its `fullUrl` (empty without one); `kind` is Bundle or the type of a single resource."""

    kind: str
    entries: tuple[tuple[str, Resource], ...]
    timestamp: str = ""


def unpack(body: bytes) -> Packed:
    """What a delivery holds.

    Raises Quarantine('convert.not_json' | 'convert.not_fhir' | 'convert.bundle_type' | 'convert.bundle_request').
    """
    found = load(body)
    if len(found) > 1:
        return Packed("Bundle", tuple(("", _resource(one, f"line {line}")) for line, one in enumerate(found, 1)))
    resource = _resource(found[0], "resource")
    kind = resource["resourceType"]
    if kind != "Bundle":
        return Packed(kind, (("", resource),))
    if _text(resource.get("type")) not in _TYPES:
        hint = f"expected one of {', '.join(sorted(_TYPES))}"
        raise Quarantine("convert.bundle_type", place="Bundle.type", hint=hint)
    return Packed("Bundle", tuple(_entries(resource)), _text(resource.get("timestamp")))


def load(body: bytes) -> list[Any]:
    """The JSON value of a body, or one a line (NDJSON). Raises Quarantine('convert.not_json' | 'convert.too_deep')."""
    values = _parsed(body.removeprefix(b"\xef\xbb\xbf"))
    level, depth = [value for value in values if value.__class__ in (dict, list)], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise Quarantine("convert.too_deep", place="body", hint=f"JSON is nested deeper than {DEPTH}")
        members = [node.values() if node.__class__ is dict else node for node in level]
        level = [value for each in members for value in each if value.__class__ in (dict, list)]
    return values


def _parsed(body: bytes) -> list[Any]:
    try:
        return [orjson.loads(body)]
    except orjson.JSONDecodeError as error:
        whole = error
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
        raise _not_json(f"line {whole.lineno}, column {whole.colno}")
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise _not_json(f"line {number}, column {error.colno}") from None
    return values


def _entries(bundle: Resource) -> Iterator[tuple[str, Resource]]:
    entries = bundle.get("entry", [])
    for at, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        place = f"Bundle.entry[{at}]"
        if not isinstance(entry, dict):
            raise Quarantine("convert.not_fhir", place=place, hint="expected an object")
        method = _member(entry.get("request"), "method") or "PUT"
        if method == "GET" or _member(entry.get("search"), "mode") == "outcome":
            continue
        if method not in ("PUT", "POST"):
            hint = "only resources as they are now can be taken: a deletion or a patch needs a person"
            raise Quarantine("convert.bundle_request", place=f"{place}.request.method", hint=hint)
        if "resource" in entry:
            yield _text(entry.get("fullUrl")), _resource(entry["resource"], f"{place}.resource")


def _resource(value: Any, place: str) -> Resource:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise Quarantine("convert.not_fhir", place=place, hint="expected a FHIR resource with its resourceType")
    if value["resourceType"] == "Bundle" and place != "resource":
        raise Quarantine("convert.not_fhir", place=place, hint="a Bundle in a Bundle is not taken apart")
    return value


def _member(value: Any, name: str) -> str:
    return _text(value.get(name)) if isinstance(value, Mapping) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _not_json(place: str) -> Quarantine:
    return Quarantine("convert.not_json", place=place, hint="the body is neither JSON nor JSON lines")
