"""moto's server with a memory: AWS's control and data plane of the laptop, in its own process.

One lock around every request makes moto's transactions atomic; `moment` freezes time and chance; `journal` remembers
what changed something, and is replayed at start, so that a killed server comes back with the same queues, tables,
objects, ids and receipt handles. Long polls wait outside the lock.

    python -m local.aws.moto_server --port 4566 --data .local/aws --healthlake-url http://localhost:4570
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

from local.aws.clients import ACCOUNT, REGION
from local.aws.journal import Journal, Request
from local.aws.moment import MOMENT, install
from local.aws.recorded import records
from local.loopback import LoopbackHandler

READS = (
    "Get",
    "List",
    "Describe",
    "Head",
    "Query",
    "Scan",
    "BatchGet",
    "TransactGet",
    "Estimate",
    "Validate",
    "Filter",
)
SERVICES: tuple[Any, ...] = (  # moto types them as one Literal of 150
    *("sqs", "dynamodb", "s3", "secretsmanager", "kms", "cloudformation", "cloudwatch", "sns", "iam", "ssm", "logs"),
    *("sts", "events", "stepfunctions"),
)
FORGET_REFUSED = ("dynamodb", "DynamoDB_20120810", "AmazonSQS")
LAMBDA = "exec-env/AWS_Lambda"  # botocore says so in its user agent when it runs in a function
LONGEST_WAIT = 0.2  # seconds between two looks of a long poll: a message may become visible by time alone


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class LocalAws:
    """moto's WSGI applications behind one lock and a journal. Thread-safe."""

    def __init__(self, journal: Journal, application: Callable[..., Iterable[bytes]]) -> None:
        self._journal = journal
        self._application = application
        self._changed = threading.Condition()
        self.calls: dict[str, Counter[str]] = {"functions": Counter(), "others": Counter()}

    def recover(self) -> int:
        """Carry out the journal; gives the number of requests. Must be done before the first `answer`."""
        count = 0
        for entry in self._journal.replay():
            MOMENT.begin(entry.number, entry.at)
            self._call(entry.request)
            count += 1
        MOMENT.end()
        return count

    def answer(self, request: Request) -> Response:
        """Carry out one request and remember it if it changed something, before anybody is told."""
        asked_at = time.monotonic()
        with self._changed:
            self.calls["functions" if LAMBDA in request.header("user-agent") else "others"][_name(request)] += 1
            while True:
                response, patience = self._carry_out(request)
                left = patience - (time.monotonic() - asked_at)
                if MOMENT.moved or left <= 0:
                    return response
                self._changed.wait(min(left, LONGEST_WAIT))

    def _carry_out(self, request: Request) -> tuple[Response, float]:
        at = MOMENT.now()
        MOMENT.begin(self._journal.last + 1, at)
        try:
            response = self._call(request)
            if _is_change(request, response):
                self._journal.append(request, at=at)
                self._changed.notify_all()
            return response, MOMENT.patience
        finally:
            MOMENT.end()

    def _call(self, request: Request) -> Response:
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            head[:] = [int(status.split()[0]), tuple(headers)]

        try:
            body = b"".join(self._application(_environ(request), start_response))
        except Exception:  # noqa: BLE001  the caller gets a 500, as from AWS
            traceback.print_exc(file=sys.stderr)
            return Response(500, (("Content-Type", "text/plain"),), b"local AWS failed; see its log")
        return Response(head[0], head[1], body)


def _operation(request: Request) -> tuple[str, str]:
    """The service and operation of an AWS call; S3's REST calls have none."""
    service, _, operation = request.header("x-amz-target").rpartition(".")
    if operation:
        return service, operation
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        return "query", parse_qs(request.body.decode("utf-8", "replace")).get("Action", [""])[0]
    return "rest", ""


def _name(request: Request) -> str:
    """`sqs.SendMessage`; for S3's REST calls `s3.PUT`."""
    scope = request.header("authorization").partition("Credential=")[2].split(",")[0].split("/")
    return f"{scope[3] if len(scope) > 3 else 'unsigned'}.{_operation(request)[1] or request.method}"


def _is_change(request: Request, response: Response) -> bool:
    service, operation = _operation(request)
    if operation == "ReceiveMessage":
        return MOMENT.moved
    if operation.startswith(READS) or (not operation and request.method in {"GET", "HEAD", "OPTIONS"}):
        return False
    # A refused call to a table or queue left nothing behind; a refused CreateStack may have.
    return response.status < 400 or not service.startswith(FORGET_REFUSED)


def _environ(request: Request) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333), with the raw target that moto's S3 needs."""
    path, _, query = request.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": request.target,
        "REQUEST_URI": request.target,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": request.header("host").rpartition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            environ[f"HTTP_{key}"] = value
    environ["CONTENT_LENGTH"] = str(len(request.body))
    return environ


def build(data: Path, *, base_url: str, healthlake_url: str) -> LocalAws:
    """moto, mended and taught our types, remembering in `data`."""
    os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    install()
    # Only now: moto's services copy the clock functions when they are imported.
    from moto.backends import get_backend
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from local.aws import moto_plugin, moto_queues, moto_tables

    moto_plugin.install(healthlake_url)
    moto_queues.install(base_url)
    moto_tables.install()
    application = DomainDispatcherApplication(create_backend_app)
    MOMENT.begin(0, MOMENT.now())
    for service in SERVICES:
        # Now, and not in the middle of whichever request comes first: making a backend draws random numbers.
        regions = get_backend(service)[ACCOUNT]
        _ = regions[REGION if REGION in regions else "aws"]
        application.app_instances[service] = create_backend_app(service)
    MOMENT.end()
    return LocalAws(Journal(data / "journal.jsonl"), application)


class _Handler(LoopbackHandler):
    aws: LocalAws

    def _serve(self) -> None:
        body = self._body()
        if self.path.startswith("/_local/"):
            self._send(_local(self.path, self.aws))
            return
        self._send(self.aws.answer(Request(self.command, self.path, tuple(self.headers.items()), body)))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve

    def handle_expect_100(self) -> bool:
        """boto3 waits a second for this before it sends an S3 object; writes are buffered, so flush."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name.lower() not in {"content-length", "connection", "server", "date"} or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)


def _local(path: str, aws: LocalAws) -> Response:
    if path == "/_local/resources":
        body: object = records()
    elif path == "/_local/calls":
        body = aws.calls
    else:
        body = {"state": "ready"}
    return Response(200, (("Content-Type", "application/json"),), json.dumps(body).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="AWS on a laptop, with a memory")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    parser.add_argument("--data", type=Path, required=True, help="folder of the journal")
    parser.add_argument("--healthlake-url", default="http://localhost:0", help="where the HealthLake stand-in listens")
    options = parser.parse_args(arguments)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = _Server(("127.0.0.1", options.port), _Handler)
    base_url = f"http://localhost:{server.server_port}"
    started = time.monotonic()
    _Handler.aws = build(options.data, base_url=base_url, healthlake_url=options.healthlake_url.rstrip("/"))
    count = _Handler.aws.recover()
    print(f"ready {base_url} replayed={count} seconds={time.monotonic() - started:.1f}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
