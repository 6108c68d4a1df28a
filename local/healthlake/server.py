"""The stand-in's HTTP door: signature, throttle and latency first, then the interaction. `/_local/…` is for the demo
and the drill and asks for no signature; HealthLake has nothing like it.

    GET  /_local/stats                        resources by datastore and type, requests by interaction and status
    POST /_local/refuse?next=5&status=429     answer the next five FHIR requests so
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

import orjson

from headwater.fhir.validate import validate
from headwater.model import Resource
from local.healthlake import bundles, sigv4
from local.healthlake.rest import Answered, Asked, Datastore, Refused, Validate
from local.healthlake.versions import Versions
from local.loopback import LoopbackHandler

_FHIR = re.compile(r"/datastore/(?P<store>[A-Za-z0-9\-]+)/r4(?P<path>/.*)?")


@dataclass(frozen=True, slots=True)
class Manners:
    """How the stand-in behaves: seconds before each answer, and until a write is found by search (live: about 20)."""

    latency: float = 0.0
    search_lag: float = 2.0


@dataclass(slots=True)
class Trouble:
    """What was ordered from `/_local/refuse`: `left` requests get `status`."""

    left: int = 0
    status: int = 429
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int:
        """The status to refuse this request with, or 0."""
        with self.lock:
            if self.left == 0:
                return 0
            self.left -= 1
            return self.status


class StandIn:
    """Everything behind the door. Thread-safe."""

    def __init__(self, folder: Path, manners: Manners, validate: Validate) -> None:
        self.versions = Versions(folder)
        self._manners = manners
        self._validate = validate
        self._trouble = Trouble()
        self._counted: Counter[str] = Counter()
        self._counting = threading.Lock()

    def answer(self, request: sigv4.Request) -> Answered:
        if request.path.startswith("/_local/"):
            return self._local(request)
        time.sleep(self._manners.latency)
        found = _FHIR.fullmatch(request.path)
        try:
            if found is None:
                raise Refused(404, "not-found", "paths read /datastore/<id>/r4/…")
            answer = self._fhir(request, found["store"], unquote(found["path"] or "/").lstrip("/"))
        except Refused as refused:
            answer = refused.answer
        with self._counting:
            self._counted[f"{_interaction(request, found)} {answer.status}"] += 1
        return answer

    def _fhir(self, request: sigv4.Request, store: str, path: str) -> Answered:
        try:
            sigv4.check(request, service="healthlake", now=datetime.now(UTC))
        except sigv4.SignatureRefused as refused:
            raise Refused(403, "forbidden", str(refused)) from None
        if status := self._trouble.take():
            raise Refused(status, "throttled" if status == 429 else "transient", "ordered at /_local/refuse")
        base = f"http://{request.headers['host']}/datastore/{store}/r4/"
        lag = timedelta(seconds=self._manners.search_lag)
        datastore = Datastore(self.versions, store, base, self._validate, lag)
        asked = Asked(request.method, path, request.query, request.headers, request.body)
        if request.method == "POST" and not path:
            return bundles.perform(datastore, self.versions, asked)
        return datastore.answer(asked)

    def _local(self, request: sigv4.Request) -> Answered:
        match request.method, request.path:
            case "GET", "/_local/stats":
                with self._counting:
                    requests = dict(sorted(self._counted.items()))
                return Answered(200, {}, {"datastores": self.versions.counts(), "requests": requests})
            case "POST", "/_local/refuse":
                given = {name: int(values[-1]) for name, values in parse_qs(request.query).items()}
                with self._trouble.lock:
                    self._trouble.left, self._trouble.status = given.get("next", 1), given.get("status", 429)
                return Answered(200, {}, given)
        return Answered(404, {}, {"message": "see local/healthlake/server.py"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stand_in: StandIn


class _Handler(LoopbackHandler):
    server: _Server

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stand_in.answer(sigv4.Request(self.command, path, query, headers, body))
        self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _send(self, answer: Answered) -> None:
        payload = orjson.dumps(answer.body) if answer.body is not None else b""
        self.send_response(answer.status)
        headers: Mapping[str, str] = {**answer.headers, "Content-Type": "application/fhir+json"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def serve(folder: Path, *, port: int = 0, manners: Manners | None = None) -> _Server:
    """A server bound to `port` of the loopback (0: a free one); call `serve_forever`. Its data lies in `folder`."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.stand_in = StandIn(folder, manners or Manners(), _faults)
    return server


def _faults(resource: Resource) -> list[str]:
    return [issue.path for issue in validate(resource)]


def _interaction(request: sigv4.Request, found: re.Match[str] | None) -> str:
    """`PUT Patient`, `POST Bundle`, `GET Patient`; never an id."""
    path = (found["path"] or "/").lstrip("/") if found else "?"
    return f"{request.method} {path.split('/')[0] or 'Bundle'}"
