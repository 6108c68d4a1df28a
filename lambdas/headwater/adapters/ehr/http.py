"""One HTTP exchange with an EHR, told exactly: what came back, whether a byte may have left, how long it took.

urllib3's connection is used without its pool: no retries, no redirects (a merged patient answers with one, and whoever
follows it ends in another chart), and a fresh connection each time. A kept connection that the other side has closed
meanwhile would take our bytes and leave the outcome of a write unknown; a handshake costs less than that.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from socket import SHUT_RDWR
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

LARGEST_ANSWER = 20_000_000
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Exchange:
    """`status` 0: no answer. `sent` is False only when the connection was never made, TLS handshake included."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: `connect` for TCP and for each step of the handshake, `read` for request and answer as a whole."""

    connect: float
    read: float


def exchange(
    method: str, url: str, *, headers: Mapping[str, str], timeouts: Timeouts, body: bytes | None = None
) -> Exchange:
    """Send once. Never raises for what the other side, or the net between, does."""
    connection = _connection(url, timeouts)
    try:
        try:
            connection.connect()  # TCP and TLS, no byte of the request yet
        except (OSError, HTTPError):
            return Exchange(sent=False)
        try:
            return _converse(connection, method, url, headers, body, timeouts.read)
        except (OSError, HTTPError, HTTPException, ValueError):  # the last two: an answer that is not HTTP
            return Exchange()
    finally:
        connection.close()


def _converse(
    connection: Any, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float
) -> Exchange:
    connection.timeout = seconds
    connection.sock.settimeout(seconds)
    # A socket's time-out is for each piece, and a server that drips never meets it: this one is for the whole.
    closing = Timer(seconds, _hang_up, [connection.sock])
    closing.daemon = True
    closing.start()
    try:
        return _exchanged(connection, method, url, headers, body, time.monotonic() + seconds)
    finally:
        closing.cancel()


def _hang_up(socket: Any) -> None:
    with suppress(OSError):  # it may have ended by itself
        socket.shutdown(SHUT_RDWR)


def _exchanged(
    connection: Any, method: str, url: str, headers: Mapping[str, str], body: bytes | None, deadline: float
) -> Exchange:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection.request(method, target, body=body, headers=dict(headers), preload_content=False, decode_content=False)
    response = connection.getresponse()
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_PIECE, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            return Exchange()  # a part of an answer must never pass for one
    if time.monotonic() > deadline:  # hung up by us: without a length, half an answer would look whole
        return Exchange()
    return Exchange(response.status, dict(response.headers), b"".join(pieces))


def _connection(url: str, timeouts: Timeouts) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port or 443, timeout=timeouts.connect, ssl_context=_tls())
    return HTTPConnection(host, parts.port or 80, timeout=timeouts.connect)


@cache
def _tls() -> ssl.SSLContext:
    """One context for all: making it reads every trusted certificate (about 20 ms of CPU)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
