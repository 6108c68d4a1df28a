"""What one deployment knows of one EHR: where it is, and who we are there. It is a secret; two hospitals that run the
same product differ by this, not by code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from headwater.errors import HeadwaterError

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Connection:
    """`scope` is empty when the profile's scopes are asked for; `rest_url` is the vendor's own API, where there is one.
    The next key signs from `next_from` on (ISO 8601, with an offset; see `keys`).
    Keys stay out of `repr`, and so out of logs."""

    base_url: str
    token_url: str
    client_id: str
    kid: str = ""
    private_key_pem: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    rest_url: str = ""
    api_key: str = field(default="", repr=False)
    next_kid: str = ""
    next_private_key_pem: str = field(default="", repr=False)
    next_from: str = ""

    @classmethod
    def of(cls, secret: object, *, place: str) -> Connection:
        """Read the secret's JSON object. Raises HeadwaterError('ehr.connection_invalid') naming the key, no value."""
        known = {entry.name for entry in fields(cls)}
        if not isinstance(secret, Mapping):
            raise _invalid(place, "expected a JSON object")
        for key, value in secret.items():
            if key not in known or not isinstance(value, str):
                # A misspelt key may be a pasted value: name what is known, not what stands there.
                raise _invalid(place, f"a key is unknown or not text; known: {', '.join(sorted(known))}")
        missing = [key for key in ("base_url", "token_url", "client_id") if not secret.get(key)]
        if missing:
            raise _invalid(f"{place}: {missing[0]}", "this key is missing")
        for key in ("base_url", "token_url", "rest_url"):
            if secret.get(key) and not is_safe(secret[key]):
                raise _invalid(
                    f"{place}: {key}", "must be https without user, query or fragment; http on localhost only"
                )
        if secret.get("next_from") and not _is_moment(secret["next_from"]):
            raise _invalid(f"{place}: next_from", "must be a time with an offset, as rotate writes it")
        return cls(**secret)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """https, or http to this machine; and nothing in it that would leak or redirect a request."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        origin(parts)
    except ValueError:
        return False
    if parts.username or parts.password or parts.query or parts.fragment or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454): requests with our token go to the connection's own origin only."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def _invalid(place: str, hint: str) -> HeadwaterError:
    return HeadwaterError("ehr.connection_invalid", place=place, hint=hint)
