"""FHIR's RESTful interactions on one datastore, as HealthLake answers them. What HealthLake does not do (conditional
create, conditional update in a transaction) is refused here as well.

FHIR R4 http.html; https://docs.aws.amazon.com/healthlake/latest/devguide/managing-fhir-resources.html
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from headwater.model import Resource
from local.healthlake import search
from local.healthlake.versions import Version, Versions

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Z][A-Za-z]+")
MOST_MATCHES = 100

Validate = Callable[[Resource], list[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One interaction: the path below the datastore's base, and header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Resource = b""


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Resource | None = None


class Refused(Exception):
    """An interaction that ends with an OperationOutcome. `places` are FHIRPaths."""

    def __init__(self, status: int, code: str, text: str, *, places: tuple[str, ...] = (), location: str = "") -> None:
        super().__init__(status, code, text)
        issue: Resource = {"severity": "error", "code": code, "diagnostics": text}
        issues = [{**issue, "expression": [place]} for place in places] or [issue]
        headers = {"Location": location} if location else {}
        self.answer = Answered(status, headers, {"resourceType": "OperationOutcome", "issue": issues})


class Datastore:
    """One datastore's interactions. `base` is its URL with a slash at the end, `validate` gives the paths of what is
    wrong with a resource, `lag` is how long a write takes to be found by search."""

    def __init__(self, versions: Versions, store: str, base: str, validate: Validate, lag: timedelta) -> None:
        self._versions = versions
        self._store = store
        self._base = base
        self._validate = validate
        self._lag = lag

    def answer(self, asked: Asked) -> Answered:
        """Any interaction except a Bundle; raises Refused."""
        parts = [part for part in asked.path.split("/") if part]
        if not parts or not _TYPE.fullmatch(parts[0]):
            raise Refused(400, "invalid", "no resource type in the path")
        match asked.method, parts[1:]:
            case ("GET", []) | ("POST", ["_search"]):
                return self._search(parts[0], asked)
            case "POST", []:
                return self._create(parts[0], asked)
            case "GET", [identity]:
                return self._read(parts[0], identity)
            case "GET", [identity, "_history"]:
                return self._history(parts[0], identity)
            case "GET", [identity, "_history", number]:
                return self._vread(parts[0], identity, number)
            case "PUT", [identity]:
                return self._update(parts[0], identity, asked)
            case "DELETE", [identity]:
                return self._delete(parts[0], identity)
        raise Refused(501 if asked.method == "PATCH" else 405, "not-supported", "the stand-in has no such interaction")

    # ------------------------------------------------------------------------------------------------------- reads

    def _read(self, kind: str, identity: str) -> Answered:
        newest = self._versions.newest(self._store, kind, identity)
        if newest is None:
            raise Refused(404, "not-found", "no such resource")
        return self._shown(200, newest)

    def _vread(self, kind: str, identity: str, number: str) -> Answered:
        version = self._versions.one(self._store, kind, identity, int(number)) if number.isdigit() else None
        if version is None:
            raise Refused(404, "not-found", "no such version")
        return self._shown(200, version)

    def _history(self, kind: str, identity: str) -> Answered:
        versions = self._versions.history(self._store, kind, identity)
        if not versions:
            raise Refused(404, "not-found", "no such resource")
        entries = [_history_entry(self._base, version) for version in versions]
        return Answered(200, {}, {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries})

    def _search(self, kind: str, asked: Asked) -> Answered:
        form = asked.body.decode() if isinstance(asked.body, bytes) and asked.method == "POST" else ""
        given = parse_qsl(asked.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
        control = {name: value for name, value in given if name in ("_count", "_total", "_page")}
        count, offset = _count(control.get("_count", "10")), _offset(control.get("_page", ""))
        criteria = [(name, value) for name, value in given if name not in control]
        seen_until = datetime.now(UTC) - self._lag
        try:
            page = search.find(self._versions, self._store, kind, criteria, seen_until=seen_until,
                               count=count, offset=offset)  # fmt: skip
        except search.NotUnderstood as refused:
            raise Refused(400, "invalid", f"search parameter {refused.parameter}") from None
        links = [{"relation": "self", "url": f"{self._base}{kind}?{urlencode(given)}"}]
        if page.more:
            # As HealthLake's: the token ends in raw `=`, which the follower has to encode before signing.
            token = base64.b64encode(f"offset:{offset + count:09d}".encode()).decode()
            rest = urlencode([(name, value) for name, value in given if name != "_page"])
            links.append({"relation": "next", "url": f"{self._base}{kind}?{rest}&_page={token}"})
        entries = [
            {"fullUrl": f"{self._base}{kind}/{match.id}", "resource": match.resource, "search": {"mode": "match"}}
            for match in page.matches
        ]
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
        return Answered(200, {}, bundle | ({"total": page.total} if control.get("_total") == "accurate" else {}))

    # ------------------------------------------------------------------------------------------------------ writes

    def _create(self, kind: str, asked: Asked) -> Answered:
        if "if-none-exist" in asked.headers:
            raise Refused(400, "not-supported", "HealthLake documents no conditional create")
        resource = self._valid(kind, asked)
        identity = str(uuid.uuid4())
        with self._versions.transaction():
            if key := asked.headers.get("x-amz-fhir-idempotency-key"):
                known = self._versions.remember(self._store, key, f"{kind}/{identity}")
                if known:
                    raise Refused(409, "duplicate", "this idempotency key was used", location=self._base + known)
            return self._shown(201, self._write(kind, identity, resource))

    def _update(self, kind: str, identity: str, asked: Asked) -> Answered:
        if not _ID.fullmatch(identity):
            raise Refused(400, "value", "an id is 1 to 64 letters, digits, '-' and '.'")
        resource = self._valid(kind, asked)
        if resource.get("id") != identity:
            raise Refused(400, "value", "the resource's id is not the URL's", places=(f"{kind}.id",))
        with self._versions.transaction():
            newest = self._versions.newest(self._store, kind, identity)
            _check_conditions(newest, asked.headers)
            created = newest is None or newest.resource is None
            return self._shown(201 if created else 200, self._write(kind, identity, resource))

    def _delete(self, kind: str, identity: str) -> Answered:
        with self._versions.transaction():
            newest = self._versions.newest(self._store, kind, identity)
            if newest is None:
                raise Refused(404, "not-found", "no such resource")
            gone = newest if newest.resource is None else self._write(kind, identity, None)
        return Answered(204, {"ETag": gone.etag})

    def _write(self, kind: str, identity: str, resource: Resource | None) -> Version:
        """The next version, unconditionally; only inside a transaction."""
        found_by = search.terms(resource) if resource is not None else ()
        return self._versions.write(self._store, kind, identity, resource, found_by)

    def _valid(self, kind: str, asked: Asked) -> Resource:
        """The body, if it is what its type and the validation level ask for."""
        resource = parse(asked.body)
        if resource.get("resourceType") != kind:
            raise Refused(400, "invalid", "resourceType is not the URL's", places=("resourceType",))
        if asked.headers.get("x-amzn-healthlake-fhir-validation-level", "strict") == "strict":
            places = self._validate(resource)
            if places:
                raise Refused(400, "invalid", "the resource is not valid FHIR R4", places=tuple(places))
        return resource

    def _shown(self, status: int, version: Version) -> Answered:
        headers = {"ETag": version.etag, "Last-Modified": version.at}
        if version.resource is None:
            raise Refused(410, "deleted", "the resource was deleted")
        if status == 201:
            headers["Location"] = self._base + version.location
        return Answered(status, headers, version.resource)


def parse(body: bytes | Resource) -> Resource:
    """The resource in a body; raises Refused if it is none."""
    try:
        parsed: Any = orjson.loads(body) if isinstance(body, bytes) else body
    except orjson.JSONDecodeError:
        raise Refused(400, "structure", "the body is not JSON") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("resourceType"), str):
        raise Refused(400, "structure", "the body is not a resource", places=("resourceType",))
    return parsed


def _check_conditions(newest: Version | None, headers: Mapping[str, str]) -> None:
    """FHIR R4 http.html#concurrency. A deleted id stays taken."""
    if headers.get("if-none-match") == "*" and newest is not None:
        raise Refused(412, "conflict", "the id is taken")
    wanted = headers.get("if-match")
    if wanted and wanted != (newest.etag if newest else ""):
        raise Refused(412, "conflict", "the resource has another version")


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_MATCHES:
        raise Refused(400, "invalid", f"_count is 1 to {MOST_MATCHES}")
    return int(text)


def _offset(token: str) -> int:
    try:
        return int(base64.b64decode(token).decode().removeprefix("offset:") or "0")
    except (ValueError, binascii.Error):
        raise Refused(400, "invalid", "no such page") from None


def _history_entry(base: str, version: Version) -> Resource:
    method = "DELETE" if version.resource is None else "PUT"
    name = f"{version.type}/{version.id}"
    entry = {
        "fullUrl": base + name,
        "request": {"method": method, "url": name},
        "response": {"status": "204" if version.resource is None else "200", "etag": version.etag,
                     "lastModified": version.at},
    }  # fmt: skip
    return entry | ({"resource": version.resource} if version.resource is not None else {})
