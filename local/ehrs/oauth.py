"""The token endpoint: SMART Backend Services as a server sees it, every check of it real.

An assertion must be signed by the key that the client registered, be meant for this very URL, end within five minutes,
and never have been used before (hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import jwt

from local.ehrs.behaviour import Behaviour
from local.ehrs.chart import Chart, Clock, hash_of

LONGEST_ASSERTION_S = 300
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LETTERS = {"read": "rs", "write": "cud", "*": "cruds"}  # SMART v1 verbs as v2 letters


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """An RFC 6749 §5.2 error; `why` goes to the log of a person who debugs, not to the client."""

    error: str
    why: str
    status: int = 400


class Registrar:
    """Clients, their tokens, and the assertions that were used."""

    def __init__(self, chart: Chart, behaviour: Behaviour, token_url: str, clock: Clock) -> None:
        self._chart = chart
        self._behaviour = behaviour
        self._clock = clock
        self.token_url = token_url

    def register(self, wish: Mapping[str, Any]) -> None:
        """`client_id`, `scope`, and `kid` with `public_key_pem`, or `client_secret`."""
        secret = str(wish.get("client_secret", ""))
        row = (
            str(wish["client_id"]),
            str(wish.get("kid", "")),
            str(wish.get("public_key_pem", "")),
            hash_of(secret.encode()) if secret else "",
            str(wish["scope"]),
        )
        with self._chart.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO client VALUES (?, ?, ?, ?, ?)", row)

    def issue(self, body: bytes, authorization: str, *, ttl: float | None = None) -> dict[str, Any]:
        """Answer a token request. Raises Refused."""
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            raise Refused("unsupported_grant_type", "expected client_credentials")
        if authorization:
            client, registered = self._basic(authorization)
        elif "client_secret" in form:
            client, registered = self._secret(form.get("client_id", ""), form["client_secret"])
        else:
            client, registered = self._assertion(form)
        scope = self._granted(form.get("scope", ""), registered)
        token = secrets.token_urlsafe(32)
        seconds = self._behaviour.token_lifetime_s if ttl is None else ttl
        with self._chart.transaction() as sql:
            sql.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?)",
                (hash_of(token.encode()), client, scope, self._clock() + seconds),
            )
        return {"access_token": token, "token_type": "Bearer", "expires_in": int(seconds), "scope": scope}

    def revoke_all(self) -> None:
        with self._chart.transaction() as sql:
            sql.execute("DELETE FROM token")

    def who(self, authorization: str) -> tuple[str, str] | None:
        """Client and scope of a bearer token that is good now."""
        kind, _, token = authorization.partition(" ")
        with self._chart.transaction() as sql:
            found = sql.execute(
                "SELECT client, scope FROM token WHERE hash = ? AND ends_at > ?",
                (hash_of(token.encode()), self._clock()),
            ).fetchone()
        return tuple(found) if found and kind.lower() == "bearer" else None

    # ---------------------------------------------------------------------------------------------------- checks

    def _assertion(self, form: Mapping[str, str]) -> tuple[str, str]:
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise Refused("invalid_client", "client_assertion_type")
        assertion = form.get("client_assertion", "")
        try:
            kid = str(jwt.get_unverified_header(assertion).get("kid", ""))
            claimed = str(jwt.decode(assertion, options={"verify_signature": False}).get("sub", ""))
            key, scope = self._client(claimed, kid)
            claims = jwt.decode(
                assertion,
                key,
                algorithms=list(self._behaviour.algorithms),
                audience=self.token_url,
                issuer=claimed,
                options={  # type: ignore[arg-type]  # PyJWT's TypedDict does not know a dict that is put together
                    "require": ["iss", "sub", "aud", "exp", "jti"],
                    "strict_aud": True,
                    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False),
                },
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise Refused("invalid_client", type(error).__name__) from None
        # Where the drill has moved this EHR's clock, the client's may be the real one: each is a right time here.
        times = (time.time(), self._clock())
        if claims["exp"] > max(times) + LONGEST_ASSERTION_S + 5:
            raise Refused("invalid_client", "exp is more than five minutes ahead")
        if claims["exp"] <= min(times):
            raise Refused("invalid_client", "expired")
        try:
            with self._chart.transaction() as sql:
                sql.execute("INSERT INTO jti VALUES (?)", (f"{claimed}|{claims['jti']}",))
        except sqlite3.IntegrityError:
            raise Refused("invalid_client", "jti was used before") from None
        return claimed, scope

    def _client(self, client: str, kid: str) -> tuple[str, str]:
        with self._chart.transaction() as sql:
            found = sql.execute(
                "SELECT public_key, scope FROM client WHERE id = ? AND kid = ? AND public_key != ''", (client, kid)
            ).fetchone()
        if not found:
            raise Refused("invalid_client", "no such client and kid")
        return str(found[0]), str(found[1])

    def _basic(self, authorization: str) -> tuple[str, str]:
        try:
            pair = base64.b64decode(authorization.partition(" ")[2], validate=True).decode()
        except ValueError:
            pair = ""
        client, _, secret = (unquote_plus(part) for part in pair.partition(":"))
        return self._secret(client, secret)

    def _secret(self, client: str, secret: str) -> tuple[str, str]:
        with self._chart.transaction() as sql:
            found = sql.execute("SELECT secret_hash, scope FROM client WHERE id = ?", (client,)).fetchone()
        if not found or not found[0] or not hmac.compare_digest(found[0], hash_of(secret.encode())):
            raise Refused("invalid_client", "client or secret", 401)
        return client, str(found[1])

    @staticmethod
    def _granted(asked: str, registered: str) -> str:
        known = registered.split()
        granted = [scope for scope in asked.split() if scope in known] if asked else known
        if not granted:
            raise Refused("invalid_scope", "none of the scopes is registered")
        return " ".join(granted)


def allows(scope: str, type_: str, letter: str) -> bool:
    """Whether a scope has `system/<type>` with c, r, u, d or s (SMART App Launch 2, scopes; v1 verbs too)."""
    for one in scope.split():
        where, _, verb = one.partition("?")[0].rpartition(".")
        if where in (f"system/{type_}", "system/*") and letter in _LETTERS.get(verb, verb):
            return True
    return False
