"""Checks AWS Signature Version 4 from the written rules, not with botocore, so that the two do not share a mistake.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it arrived. `path` and `query` are raw; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class SignatureRefused(Exception):
    """The request was not signed as it must be; the text says why and holds nothing of the request."""


def check(request: Request, *, service: str, now: datetime) -> None:
    """Raise SignatureRefused unless `request` is signed for `service` within five minutes of `now`.

    On a laptop a secret key is the same word as its access key id (`test`/`test`), so nobody has to register one.
    """
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise SignatureRefused("Missing Authentication Token")
    signed = found["signed"].split(";")
    if not {"host", "x-amz-date"} <= set(signed) or not all(name in request.headers for name in signed):
        raise SignatureRefused("host and x-amz-date must be signed, and what is signed must be there")
    if found["service"] != service:
        raise SignatureRefused(f"Credential should be scoped to correct service: '{service}'.")
    at = request.headers["x-amz-date"]
    _check_time(at, found["date"], now)
    scope = f"{found['date']}/{found['region']}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", at, scope, _sha256(_canonical(request, signed).encode())])
    key = b"AWS4" + found["key"].encode()
    for part in (found["date"], found["region"], service, "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(key.hex(), found["signature"]):
        raise SignatureRefused("The request signature we calculated does not match the signature you provided.")


def _check_time(at: str, date: str, now: datetime) -> None:
    try:
        moment = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureRefused("x-amz-date is no date") from None
    if not at.startswith(date) or abs(moment - now) > _SKEW:
        raise SignatureRefused("Signature expired")


def _canonical(request: Request, signed: list[str]) -> str:
    """The canonical request. The path, encoded already, is encoded once more; the query is decoded first, so that a
    `==` that came raw in a next link is another query than the one its sender signed, as it is with AWS."""
    pairs = [pair.partition("=")[::2] for pair in request.query.split("&") if pair]
    query = sorted((_encoded(unquote(name)), _encoded(unquote(value))) for name, value in pairs)
    headers = [f"{name}:{' '.join(request.headers[name].split())}" for name in signed]
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *headers,
            "",
            ";".join(signed),
            _sha256(request.body),
        ]
    )


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
