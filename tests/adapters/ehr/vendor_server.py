"""A vendor's own API in a few lines: answers that a test hands it, by method and path, and what was asked of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from headwater.adapters.ehr.apis import ProfiledApi
from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.rest import Build
from headwater.ehrs import Ehr
from headwater.ehrs.engines import engine_for
from local.loopback import LoopbackHandler
from tests.ehr_servers import MAPPINGS, profiles


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Vendor:
    """`answers` maps `GET /path` (without query) to (status, JSON body, headers)."""

    port: int = 0
    answers: dict[str, tuple[int, Any, dict[str, str]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def says(self, request: str, body: Any = None, status: int = 200, **headers: str) -> None:
        self.answers[request] = (status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def api(self, name: str) -> ProfiledApi:
        ehr: Ehr = profiles()[name]
        return self.api_of(ehr, lambda *asked: engine_for(MAPPINGS)(ehr).build(*asked))

    def api_of(self, ehr: Ehr, build: Build) -> ProfiledApi:
        connection = Connection(
            base_url=f"http://127.0.0.1:{self.port}/fhir",
            token_url=f"http://127.0.0.1:{self.port}/token",
            client_id="c",
            rest_url=f"http://127.0.0.1:{self.port}/rest",
            api_key="the-key",
        )
        return ProfiledApi(ehr, connection, build, tokens=Always())


class Always:
    def get(self, *, instead_of: str = "") -> str:
        return "token"


@contextmanager
def vendor() -> Iterator[Vendor]:
    known = Vendor()

    class Handler(LoopbackHandler):
        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            known.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            status, said, headers = known.answers.get(f"{self.command} {self.path.partition('?')[0]}", (404, {}, {}))
            text = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = serve

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield known
        finally:
            server.shutdown()
