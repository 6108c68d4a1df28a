"""A simulated EHR as an HTTP server: OAuth, FHIR, a page for people, and a back door under `/_sim` for tests.

It listens on this machine only. Whatever it said yes to is on disk before the answer leaves.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from headwater.ehrs import Auth, Ehr
from headwater.ehrs.engines import engine_for
from headwater.model import Resource
from local.ehrs.back_door import BackDoor
from local.ehrs.behaviour import behaviour_of
from local.ehrs.chart import Chart, Clock, WallClock
from local.ehrs.faults import Effects, Faults, outcome
from local.ehrs.oauth import Refused, Registrar, allows
from local.ehrs.reply import Reply
from local.ehrs.rest import Rest
from local.ehrs.vendor import Build, Vendor

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
_engines: dict[str, Any] = {}
LARGEST_REQUEST = 20_000_000
_FHIR_JSON = "application/fhir+json;charset=UTF-8"


class SimulatedEhr:
    """One EHR on one port; `port` 0 takes a free one. Data lies in `data/<ehr>.sqlite`.

    `clock` and `sleep` are given by those who make time up: the drill, in which a wait is a step of the clock.
    """

    def __init__(
        self,
        ehr: Ehr,
        *,
        data: Path,
        port: int = 0,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ehr = ehr
        self.behaviour = behaviour_of(ehr)
        self.clock = clock or WallClock()
        self.sleep = sleep
        self.chart = Chart(data / f"{ehr.name}.sqlite", self.clock)
        self.faults = Faults(self.clock)
        self.faults.until_minute = self.behaviour.limit_until_minute
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.simulated = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.base_url = f"{self.url}{self.behaviour.base_path}"
        self.rest_url = f"{self.url}{self.behaviour.rest_path}"
        self.token_url = f"{self.url}{self.behaviour.token_path}"
        self.registrar = Registrar(self.chart, self.behaviour, self.token_url, self.clock)
        self.rest = Rest(ehr, self.behaviour, self.chart, self.clock, self.base_url)
        self.vendor = Vendor(ehr, self.behaviour, self.chart, _build_for(ehr))
        self.back_door = BackDoor(ehr, self.chart, self.clock, self.faults, self.registrar, self.rest)

    def serve(self) -> None:
        """Until `stop`."""
        self._http.serve_forever(poll_interval=0.05)

    def start(self) -> None:
        threading.Thread(target=self.serve, daemon=True, name=f"ehr-{self.ehr.name}").start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.chart.close()

    # ---------------------------------------------------------------------------------------------------- requests

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply | tuple[str, str]:
        """A reply, or a page as (content type, text)."""
        parts = urlsplit(target)
        path, query = parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
        if path == "/" or path.startswith("/_sim"):
            return self.back_door.answer(method, path, body)
        if path == self.behaviour.token_path:
            return self._token(method, headers, body)
        if path.startswith(f"{self.behaviour.rest_path}/") and self.ehr.api and self.ehr.api.rest_url:
            return self._own(method, path.removeprefix(f"{self.behaviour.rest_path}/"), headers, body)
        relative = path.removeprefix(self.behaviour.base_path)
        if relative == path:
            return Reply(404, outcome("not-found"))
        if method == "GET" and relative == "/.well-known/smart-configuration":
            return Reply(200, self._smart_configuration(), {"Content-Type": "application/json"})
        if method == "GET" and relative == "/metadata":
            return Reply(200, self.rest.capabilities())
        return self._fhir(method, relative.strip("/").split("/"), query, headers, body)

    def _waited(self, effects: Effects) -> Effects:
        """After the wait. Where time is made up nobody hangs up by himself: the client's patience ends it here."""
        patience = self.ehr.api.read_timeout_s if self.ehr.api and self.sleep is not time.sleep else float("inf")
        self.sleep(min(effects.wait, patience))
        if effects.wait < patience:
            return effects
        return replace(effects, drop_after=True, commit_in=effects.commit_in + effects.wait - patience)

    def _own(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """A request to the vendor's own API."""
        known = self.registrar.who(headers.get("authorization", ""))
        if known is None:
            return Reply(401, {"error": "invalid_token"}, {"WWW-Authenticate": "Bearer"})
        route = self.vendor.route(method, path)
        if route is None:
            return Reply(404, {"error": "no such endpoint"})
        effects = self._waited(self.faults.take(method, route.type))
        if route.operation is not None:
            return self.vendor.create(route, body, effects, known[0])
        return self.vendor.list(route, effects)

    def _fhir(
        self, method: str, path: list[str], query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Reply:
        known = self.registrar.who(headers.get("authorization", ""))
        if known is None:
            return Reply(401, outcome("login"), {"WWW-Authenticate": "Bearer"})
        client, scope = known
        letter = {"POST": "c", "PUT": "u", "GET": "s" if len(path) == 1 else "r"}.get(method)
        operated = method == "POST" and len(path) == 2 and path[1].startswith("$")
        ways = {("POST", 1), ("PUT", 2), ("GET", 1), ("GET", 2)}
        if letter is None or ((method, len(path)) not in ways and not operated):
            return Reply(405, outcome("not-supported"))
        if not allows(scope, path[0], letter):
            return Reply(403, outcome("forbidden"))
        expected = self.ehr.api.headers.get("Content-Type", "application/fhir+json") if self.ehr.api else ""
        if method != "GET" and headers.get("content-type", "").partition(";")[0] != expected:
            return Reply(415, outcome("not-supported", text=f"expected {expected}"))
        effects = self._waited(self.faults.take(method, path[0]))
        return self._do(method, path, query, headers, body, effects, client)

    def _do(
        self,
        method: str,
        path: list[str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        effects: Effects,
        client: str,
    ) -> Reply:
        if method == "POST" and len(path) == 2:
            return self.rest.operate(path[0], body, effects, client)
        if method == "POST":
            return self.rest.create(path[0], body, effects, client)
        if method == "PUT":
            return self.rest.update(path[0], path[1], body, headers, effects, client)
        if len(path) == 1:
            return self.rest.search(path[0], query, effects)
        return self.rest.read(path[0], path[1], effects)

    def _token(self, method: str, headers: Mapping[str, str], body: bytes) -> Reply:
        as_json = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        effects = self.faults.take("TOKEN", "")
        self.sleep(effects.wait)
        if effects.drop_before or effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang)
        if effects.answer:
            return Reply(effects.answer[0], effects.answer[2], {**as_json, **effects.answer[1]})
        if method != "POST":
            return Reply(405, {"error": "invalid_request"}, as_json)
        try:
            issued = self.registrar.issue(body, headers.get("authorization", ""), ttl=effects.token_ttl)
        except Refused as refused:
            return Reply(refused.status, {"error": refused.error, "error_description": None}, as_json)
        return Reply(200, issued, as_json)

    def _smart_configuration(self) -> Resource:
        return {
            "token_endpoint": self.token_url,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": [str(way) for way in Auth],
            "token_endpoint_auth_signing_alg_values_supported": list(self.behaviour.algorithms),
            "scopes_supported": list(self.ehr.api.scopes) if self.ehr.api else [],
            "capabilities": ["client-confidential-asymmetric", "client-confidential-symmetric", "permission-v1"],
        }


def _build_for(ehr: Ehr) -> Build:
    """The profile's templates, made ready when a vendor's record must be shown as FHIR."""

    def build(template: str, variables: Mapping[str, Any]) -> Any:
        if ehr.name not in _engines:
            _engines[ehr.name] = engine_for(MAPPINGS)(ehr)
        return _engines[ehr.name].build(template, variables)

    return build


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    simulated: SimulatedEhr

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > LARGEST_REQUEST:
            self.close_connection = True
            self._write(Reply(413, outcome("too-costly")))
            return
        body = self.rfile.read(size)
        if len(body) < size:  # the client is gone in the middle: nothing has arrived
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.simulated.answer(self.command, self.path, headers, body)
        if isinstance(answer, tuple):
            self._send(200, {"Content-Type": answer[0]}, answer[1].encode())
        elif answer.drop:
            self.server.simulated.sleep(answer.hang)
            self.close_connection = True
        else:
            self._write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _write(self, reply: Reply) -> None:
        text = b"" if reply.body is None else json.dumps(reply.body).encode()
        headers = dict(reply.headers)
        if reply.body is not None:
            headers.setdefault("Content-Type", _FHIR_JSON)
        self._send(reply.status, headers, text)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Paths hold identifiers, even if made-up ones: nothing is logged."""
