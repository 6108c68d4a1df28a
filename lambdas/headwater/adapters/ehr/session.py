"""Requests to one EHR in the name of one deployment: our token, our headers, and nowhere but to its own addresses.

Nothing is decided here: answers of any status go back as they came, and what they mean is the profile's table. The one
exception is 401, for which the same request goes out once more with a fresh token: it was not processed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Protocol, cast
from urllib.parse import quote, urlsplit

import orjson

from headwater.adapters.ehr.connection import Connection, origin
from headwater.adapters.ehr.http import Exchange, Timeouts, exchange
from headwater.adapters.ehr.smart import NoToken
from headwater.ehrs import Api
from headwater.errors import HeadwaterError
from headwater.model import Answer, Resource

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Tokens(Protocol):
    """Where tokens come from."""

    def get(self, *, instead_of: str = "") -> str | NoToken: ...


class Session:
    """Authorized requests. Milliseconds are wall clock, with time-outs and tokens in them."""

    def __init__(self, connection: Connection, api: Api, tokens: Tokens, site: Mapping[str, str] | None = None) -> None:
        self.base_url = connection.base_url.rstrip("/")
        self.rest_url = connection.rest_url.rstrip("/")
        self.api = api
        self._site = site or {}
        self._origins = {origin(urlsplit(url)) for url in (self.base_url, self.rest_url) if url}
        self._timeouts = Timeouts(api.connect_timeout_s, api.read_timeout_s)
        self._headers = {name: self.filled(value, quoted=False) for name, value in api.headers.items()}
        self._headers |= {"User-Agent": "headwater"}
        if api.api_key_header:
            self._headers[api.api_key_header] = connection.api_key
        # Most take FHIR's own media type; some want plain application/json, and say so in their profile.
        self.content_type = self._headers.pop("Content-Type", "application/fhir+json")
        self._tokens = tokens

    def filled(self, pattern: str, about: Mapping[str, str] | None = None, *, quoted: bool = True) -> str:
        """`{key}` replaced by what `about`, or the site, says. Raises HeadwaterError('ehr.site_incomplete')."""

        def value(match: re.Match[str]) -> str:
            found = (about or {}).get(match[1], self._site.get(match[1]))
            if found is None:
                raise HeadwaterError(
                    "ehr.site_incomplete", place=f"site.{match[1]}", hint="the site's ehr.toml says it"
                )
            return quote(found, safe="") if quoted else found

        return _PLACEHOLDER.sub(value, pattern)

    def reaches(self, url: str) -> bool:
        """Whether an address is one that our token may go to."""
        return origin(urlsplit(url)) in self._origins

    def ask(
        self, method: str, url: str, payload: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, with a body that is JSON or none in the answer."""
        started = time.monotonic()
        if not self.reaches(url):
            return Answer(0, sent=False)
        token = self._tokens.get()
        told = self._once(method, url, token, payload, headers or {})
        if told.status == 401 and isinstance(token, str):
            fresh = self._tokens.get(instead_of=token)
            # Without a fresh token the EHR's own answer stands: it has seen, and refused, the request.
            told = told if isinstance(fresh, NoToken) else self._once(method, url, fresh, payload, headers or {})
        return Answer(told.status, told.headers, _json(told.body), told.sent, milliseconds_since(started))

    def _once(
        self, method: str, url: str, token: str | NoToken, payload: bytes | None, more: Mapping[str, str]
    ) -> Exchange:
        if isinstance(token, NoToken):
            # 4xx: our registration is refused. Either way nothing of the request itself has left.
            return Exchange(401 if 400 <= token.status < 500 and token.status != 429 else 0, sent=False)
        headers = {**self._headers, "Accept": "application/fhir+json", **more, "Authorization": f"Bearer {token}"}
        if payload is not None:
            headers.setdefault("Content-Type", self.content_type)
        return exchange(method, url, headers=headers, body=payload, timeouts=self._timeouts)


def milliseconds_since(started: float) -> float:
    return (time.monotonic() - started) * 1000


def _json(body: bytes) -> Resource | None:
    """The answer's JSON object; a bare list, as vendors' own APIs give, under `items`."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(parsed, list):
        return {"items": parsed}
    return cast("Resource", parsed) if isinstance(parsed, dict) else None
