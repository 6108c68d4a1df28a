"""An EHR's FHIR R4 REST API (hl7.org/fhir/R4/http.html), as its profile and its connection describe it.

Nothing is decided here: answers of any status go back as they came, and what they mean is the profile's table. The one
exception is 401, for which the same request goes out once more with a fresh token: it was not processed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urljoin, urlsplit

import orjson

from headwater.adapters.ehr.connection import Connection, origin
from headwater.adapters.ehr.http import Exchange, Timeouts, exchange
from headwater.adapters.ehr.secrets import SecretConnections
from headwater.adapters.ehr.smart import NoToken, SmartTokens
from headwater.ehrs import Api, Ehr
from headwater.errors import Refuse
from headwater.model import Answer, Resource

MOST_PAGES = 50
_FHIR_JSON = "application/fhir+json"
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?\Z", re.ASCII)
_TYPE = re.compile(r"[A-Z][A-Za-z]+\Z", re.ASCII)


class FhirApi:
    """`EhrApi` over HTTP with SMART tokens. Milliseconds are wall clock, with time-outs and tokens in them."""

    def __init__(self, connection: Connection, api: Api, tokens: SmartTokens) -> None:
        self._base = connection.base_url.rstrip("/")
        self._origin = origin(urlsplit(self._base))
        self._timeouts = Timeouts(api.connect_timeout_s, api.read_timeout_s)
        self._headers = {**api.headers, "Accept": _FHIR_JSON, "User-Agent": "headwater"}
        # Most take FHIR's own media type; some want plain application/json, and say so in their profile.
        self._content_type = self._headers.pop("Content-Type", _FHIR_JSON)
        self._tokens = tokens

    def create(self, resource_type: str, payload: bytes) -> Answer:
        return self._ask("POST", f"{self._base}/{_checked(_TYPE, resource_type)}", payload)

    def read(self, reference: str) -> Answer:
        """`reference` is relative: `Observation/1`, or a version of it."""
        return self._ask("GET", f"{self._base}/{_checked(_REFERENCE, reference)}")

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        """All pages as one searchset, each resource once. An answer that is not 200 ends it; so does, with status 0,
        what would leave the result incomplete: too many pages, or a next page at another host."""
        started = time.monotonic()
        url = f"{self._base}/{_checked(_TYPE, resource_type)}?{urlencode(parameters)}"
        entries: list[Resource] = []
        for _ in range(MOST_PAGES):
            answer = self._ask("GET", url)
            page = answer.body or {}
            if answer.status != 200 or page.get("resourceType") != "Bundle":
                status = 0 if answer.status == 200 else answer.status
                return Answer(status, answer.headers, answer.body, answer.sent, _milliseconds(started))
            entries += page.get("entry", [])
            following = next((link["url"] for link in page.get("link", []) if link.get("relation") == "next"), None)
            if following is None:
                whole = {"resourceType": "Bundle", "type": "searchset", "entry": _each_once(entries)}
                return Answer(200, answer.headers, whole, milliseconds=_milliseconds(started))
            url = urljoin(url, following)
            if origin(urlsplit(url)) != self._origin:
                break
        return Answer(0, milliseconds=_milliseconds(started))

    def _ask(self, method: str, url: str, payload: bytes | None = None) -> Answer:
        started = time.monotonic()
        token = self._tokens.get()
        told = self._once(method, url, token, payload)
        if told.status == 401 and isinstance(token, str):
            fresh = self._tokens.get(instead_of=token)
            # Without a fresh token the EHR's own answer stands: it has seen, and refused, the request.
            told = told if isinstance(fresh, NoToken) else self._once(method, url, fresh, payload)
        return Answer(told.status, told.headers, _json(told.body), told.sent, _milliseconds(started))

    def _once(self, method: str, url: str, token: str | NoToken, payload: bytes | None) -> Exchange:
        if isinstance(token, NoToken):
            # 4xx: our registration is refused. Either way nothing of the request itself has left.
            return Exchange(401 if 400 <= token.status < 500 and token.status != 429 else 0, sent=False)
        headers = {**self._headers, "Authorization": f"Bearer {token}"}
        if payload is not None:
            headers["Content-Type"] = self._content_type
        return exchange(method, url, headers=headers, body=payload, timeouts=self._timeouts)


class FhirApis:
    """`EhrApis`: the API of each EHR that has a secret; made again when the secret has changed."""

    def __init__(self, ehrs: Mapping[str, Ehr], client: Any, prefix: str) -> None:
        """`client` is boto3's Secrets Manager client, `prefix` what its names of EHR secrets start with."""
        self._ehrs = ehrs
        self._connections = SecretConnections(client, prefix)
        self._made: dict[str, tuple[Connection, FhirApi]] = {}

    def __call__(self, ehr: str) -> FhirApi:
        profile = self._ehrs.get(ehr)
        if profile is None or profile.api is None:
            raise Refuse("send.ehr_unknown", place=ehr, hint="its ehr.toml declares no [api]")
        connection = self._connections(ehr)
        known, api = self._made.get(ehr, (None, None))
        if api is None or known != connection:
            api = FhirApi(connection, profile.api, SmartTokens(connection, profile.api))
            self._made[ehr] = (connection, api)
        return api


def _checked(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.match(value):
        raise Refuse("send.reference_malformed", place="reference", hint="expected Type or Type/id as in FHIR R4")
    return value


def _each_once(entries: list[Resource]) -> list[Resource]:
    """Pages may repeat a resource when rows are added meanwhile: the newest version of each counts."""
    newest: dict[str, Resource] = {}
    for number, entry in enumerate(entries):
        resource = entry.get("resource", {})
        key = f"{resource.get('resourceType')}/{resource['id']}" if resource.get("id") else str(number)
        if key not in newest or _updated(entry) >= _updated(newest[key]):
            newest[key] = entry
    return list(newest.values())


def _updated(entry: Resource) -> str:
    return str(entry.get("resource", {}).get("meta", {}).get("lastUpdated", ""))


def _json(body: bytes) -> Resource | None:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return cast("Resource", parsed) if isinstance(parsed, dict) else None


def _milliseconds(started: float) -> float:
    return (time.monotonic() - started) * 1000
