"""Lambda's runtime on the laptop: the real handlers, in worker processes of AWS's own runtime client (awslambdaric).

A worker is one process with one execution environment and its own Runtime API; it takes one event at a time. A time-out
kills it and a crash loses it, as in Lambda; the next event then pays a cold start. `handlers.*` are named by the
deployed templates, never imported here.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.aws.clients import ACCOUNT, CREDENTIALS, REGION, Resource
from local.loopback import LoopbackHandler

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "local" / "child.py"
INIT_SECONDS = 30.0  # AWS gives 10; a laptop that starts everything at once needs more


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: `timeout` in seconds, `memory` in MB. `task_root` is the folder that the code is in."""

    name: str
    handler: str
    timeout: float
    memory: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    task_root: Path = ROOT / "lambdas"

    @classmethod
    def from_resource(cls, resource: Resource) -> Function:
        properties = resource.properties
        return cls(
            name=resource.physical_id,
            handler=properties["Handler"],
            timeout=float(properties.get("Timeout", 3)),
            memory=int(properties.get("MemorySize", 128)),
            environment=properties.get("Environment", {}).get("Variables", {}),
        )

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation. `error` is empty on success, else `Unhandled`, `Timeout` or `Crash`."""

    payload: Any
    error: str = ""
    cold: bool = False
    milliseconds: float = 0.0


class Runtime:
    """Invokes functions, each on at most `workers` processes at a time. Thread-safe; close it when done."""

    def __init__(self, endpoint: str, logs: Path, *, workers: int = 2) -> None:
        self._endpoint = endpoint
        self._logs = logs
        self._workers = workers
        self._pools: dict[str, _Pool] = {}
        self._lock = threading.Lock()

    def invoke(self, function: Function, event: object) -> Outcome:
        """Give the function an event and wait for what comes of it; waits for a free worker first."""
        with self._lock:
            pool = self._pools.get(function.name)
            if pool is None:
                pool = self._pools[function.name] = _Pool(function, self._endpoint, self._logs, self._workers)
        return pool.invoke(event)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Pool:
    """The workers of one function, the one used last first, so that few stay warm."""

    def __init__(self, function: Function, endpoint: str, logs: Path, limit: int) -> None:
        self._make: Callable[[], _Worker] = partial(_Worker, function, endpoint, logs)
        self._free = threading.Semaphore(limit)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()

    def invoke(self, event: object) -> Outcome:
        with self._free:
            worker = self._take()
            outcome = worker.invoke(event)
            with self._lock:
                if worker.alive:
                    self._idle.append(worker)
                else:
                    worker.close()
                    self._all.discard(worker)
            return outcome

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.close()
                self._all.discard(worker)
            worker = self._make()
            self._all.add(worker)
            return worker

    def close(self) -> None:
        with self._lock:
            for worker in self._all:
                worker.close()


@dataclass(slots=True)
class _Invocation:
    id: str
    body: bytes
    arn: str
    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: bytes = b""
    error: str = ""

    def finish(self, answer: bytes, error: str = "") -> None:
        if not self.done.is_set():
            self.answer, self.error = answer, error
            self.done.set()


class _Worker:
    """One process and the Runtime API that it asks for events."""

    def __init__(self, function: Function, endpoint: str, logs: Path) -> None:
        self._function = function
        self._next: queue.SimpleQueue[_Invocation | None] = queue.SimpleQueue()
        self._current: _Invocation | None = None
        self._asked = threading.Event()  # the process has been initialised and asks for an event
        self._used = False
        self._api = _RuntimeApi(self)
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"lambda-{function.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(CHILD), "awslambdaric", function.handler],
                cwd=function.task_root,
                env=self._environment(endpoint),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, event: object) -> Outcome:
        started, cold = time.monotonic(), not self._used
        if cold:
            self._wait_for_init()
        self._used = True
        body = json.dumps(event, separators=(",", ":")).encode()
        deadline = time.time() + self._function.timeout
        invocation = _Invocation(str(uuid.uuid4()), body, self._function.arn, deadline)
        self._current = invocation
        if not self.alive:
            invocation.finish(b'{"errorType":"Runtime.ExitError"}', "Crash")
        self._next.put(invocation)
        if not invocation.done.wait(self._function.timeout):
            invocation.finish(b'{"errorType":"Sandbox.Timedout"}', "Timeout")
            self._kill()
        milliseconds = (time.monotonic() - started) * 1000
        return Outcome(_parsed(invocation.answer), invocation.error, cold, milliseconds)

    def _wait_for_init(self) -> None:
        """The time of the function counts from the end of its initialisation; a crash in it ends the waiting."""
        deadline = time.monotonic() + INIT_SECONDS
        while self.alive and time.monotonic() < deadline and not self._asked.wait(0.02):
            pass

    def next(self) -> _Invocation | None:
        self._asked.set()
        return self._next.get()

    def answered(self, invocation_id: str, answer: bytes, error: str) -> None:
        if self._current is not None and self._current.id == invocation_id:
            self._current.finish(answer, error)

    def init_failed(self, answer: bytes) -> None:
        self._asked.set()
        if self._current is not None:
            self._current.finish(answer, "Unhandled")

    def close(self) -> None:
        self._kill()
        self._next.put(None)
        self._api.close()

    def _kill(self) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _watch(self) -> None:
        self._process.wait()
        if self._current is not None:
            self._current.finish(b'{"errorType":"Runtime.ExitError"}', "Crash")

    def _environment(self, endpoint: str) -> dict[str, str]:
        function = self._function
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            **function.environment,
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/local/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_LOG_FORMAT": "Text",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(function.task_root),
            "_HANDLER": function.handler,
            # The layer's folder does not exist here; the checkout's own does.
            "HEADWATER_MAPPINGS": str(ROOT / "mappings"),
            "PYTHONPATH": str(function.task_root),
            "PYTHONUNBUFFERED": "1",
            "TZ": ":UTC",
        }


class _RuntimeApi:
    """The HTTP side of one worker, on a free port of the loopback."""

    def __init__(self, worker: _Worker) -> None:
        class Handler(_RuntimeHandler):
            pass

        Handler.worker = worker
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 5.0}, daemon=True).start()

    def close(self) -> None:
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()


class _RuntimeHandler(LoopbackHandler):
    worker: _Worker

    def do_GET(self) -> None:
        invocation = self.worker.next()
        if invocation is None:
            self.close_connection = True
            return
        self._send(
            200,
            invocation.body,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        *_, owner, what = self.path.split("/")
        if owner == "init":
            self.worker.init_failed(body)
        else:
            self.worker.answered(owner, body, "Unhandled" if what == "error" else "")
        self._send(202, b"", {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        return answer.decode("utf-8", "replace")
