"""Tokens for backend systems as in SMART App Launch 2, Backend Services.

https://hl7.org/fhir/smart-app-launch/backend-services.html: a signed, one-use assertion of at most five minutes is
exchanged for an access token (RFC 6749 §4.4, RFC 7523 §2.2), which is kept until shortly before it ends. EHRs that know
a client by its secret take HTTP Basic instead (RFC 6749 §2.3.1).
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import quote_plus, urlencode

import orjson

from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.http import Exchange, Timeouts, exchange
from headwater.adapters.ehr.keys import signing_key
from headwater.ehrs import Api, Auth

ASSERTION_LIFETIME_S = 240  # SMART allows 300; the rest is for clocks that differ
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW_S = 30


@dataclass(frozen=True, slots=True)
class NoToken:
    """Why there is none: the token endpoint's status, 0 without an answer or with one that holds no token."""

    status: int


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    ends_at: float


class SmartTokens:
    """The current access token of one connection; one request for it at a time, however many threads want one."""

    def __init__(self, connection: Connection, api: Api, *, now: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._api = api
        self._now = now  # wall clock: a frozen Lambda's monotonic clock may stand still while the token ages
        self._lock = Lock()
        self._token: _Token | None = None

    def get(self, *, instead_of: str = "") -> str | NoToken:
        """A token; `instead_of` is one that the EHR has just answered with 401, so that it is not given again."""
        with self._lock:
            token = self._token
            if token is None or token.value == instead_of or self._now() >= token.ends_at:
                self._token = None
                fetched = self._fetch()
                if isinstance(fetched, NoToken):
                    return fetched
                self._token = token = fetched
            return token.value

    def _fetch(self) -> _Token | NoToken:
        form = {"grant_type": "client_credentials", "scope": self._connection.scope or " ".join(self._api.scopes)}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._api.auth is Auth.PRIVATE_KEY_JWT:
            form |= {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": self._assertion()}
        elif self._api.auth is Auth.CLIENT_SECRET_POST:
            form |= {"client_id": self._connection.client_id, "client_secret": self._connection.client_secret}
        else:
            headers["Authorization"] = _basic(self._connection.client_id, self._connection.client_secret)
        answer = exchange(
            "POST",
            self._connection.token_url,
            headers=headers,
            body=urlencode(form).encode(),
            timeouts=Timeouts(self._api.connect_timeout_s, self._api.read_timeout_s),
        )
        return self._read(answer)

    def _read(self, answer: Exchange) -> _Token | NoToken:
        try:
            said: Any = orjson.loads(answer.body) if answer.status == 200 else None
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("access_token"), str) or not said["access_token"]:
            return NoToken(0 if answer.status == 200 else answer.status)
        lifetime = said.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else float(self._api.token_lifetime_s)
        # A short token would be all skew: at least half of its life is used.
        return _Token(said["access_token"], self._now() + max(seconds - _SKEW_S, seconds / 2))

    def _assertion(self) -> str:
        """A new one for each request: its `jti` is good for one use only."""
        import jwt  # PyJWT and cryptography: about 90 ms of import, only paid when a token is needed

        claims = {
            "iss": self._connection.client_id,
            "sub": self._connection.client_id,
            "aud": self._connection.token_url,
            "jti": str(uuid.uuid4()),
            "exp": int(self._now()) + ASSERTION_LIFETIME_S,
        }
        kid, pem = signing_key(self._connection, datetime.fromtimestamp(self._now(), UTC))
        return jwt.encode(claims, pem, algorithm=self._api.algorithm, headers={"kid": kid})


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749 §2.3.1: both parts form-encoded before they are joined."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
