"""The local stack: one process group that is AWS, HealthLake and the EHRs, as long as this process lives.

`with Stack(folder) as stack:` starts everything, deploys the synthesised templates and gives the doors
(`local.running.Running`). What dies is started again on the same port with the same data; nothing outlives the
supervisor, however that ends. All state lies in the folder, so the next start goes on where this one stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from headwater.ehrs import load
from local.aws import ministack
from local.aws.clients import CREDENTIALS, REGION
from local.aws.deploy import deploy, put_secrets
from local.aws.synth import synthesise
from local.running import ROOT, Running

READY_SECONDS = 90.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a child that died is started again
STEADY_SECONDS = 30.0  # a child that lived so long is no longer held to be failing
SECRET_PREFIX = "headwater/ehrs/"  # as infra/deployment.py names them


class StackError(Exception):
    """The stack could not be started; says which part and where its log lies."""


@dataclass(slots=True)
class Child:
    """One process of the stack. `probe` is the URL whose any HTTP answer means that it is ready."""

    name: str
    command: tuple[str, ...]
    probe: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    restart_at: float = field(default=float("inf"))

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Stack:
    """The supervisor. Its public methods are those of `Running`, and `kill` and `wait_ready` for those who break it.

    `fresh` forgets what earlier runs left; `workers` is the number of processes per function (default: one per core);
    `visibility` (seconds) replaces the queues' own time-outs of minutes, for tests that kill things.
    """

    def __init__(
        self, data: Path, *, fresh: bool = False, workers: int | None = None, visibility: int | None = None
    ) -> None:
        self.data = data.resolve()
        self._fresh = fresh
        self._workers = workers or os.cpu_count() or 2
        self._visibility = visibility
        self._children: dict[str, Child] = {}
        self._guard = threading.RLock()
        self._stopping = threading.Event()
        self._supervised = False  # from then on, what dies is started again
        self._lock: TextIO | None = None
        self._on_sigterm: Any = None  # what was done about it before
        self.running: Running

    # --------------------------------------------------------------------------------------------------- life

    def __enter__(self) -> Self:
        self._take_folder()
        if threading.current_thread() is threading.main_thread():
            self._on_sigterm = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._on_sigterm is not None:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _take_folder(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self._lock = (self.data / "stack.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another local stack runs on {self.data}") from None
        (self.data / "stack.json").unlink(missing_ok=True)  # until this one is up, nobody finds it
        if self._fresh:
            for part in ("aws", "healthlake", "ehrs", "logs"):
                shutil.rmtree(self.data / part, ignore_errors=True)

    def _start(self) -> None:
        ehrs = _simulated_ehrs()
        ports = self._ports(["aws", "healthlake", "poller", "api", *(f"ehr-{ehr}" for ehr in ehrs)])
        self.running = Running(
            data=self.data,
            aws=f"http://localhost:{ports['aws']}",
            healthlake=f"http://localhost:{ports['healthlake']}",
            poller=f"http://localhost:{ports['poller']}",
            api=f"http://localhost:{ports['api']}",
            ehrs={ehr: f"http://localhost:{ports[f'ehr-{ehr}']}" for ehr in ehrs},
        )
        self._launch_world(ports)
        templates = synthesise()
        for name in list(self._children):
            self.wait_ready(name)
        deploy(self.running.aws, templates)
        put_secrets(self.running.aws, SECRET_PREFIX, {ehr: self._connection(ehr) for ehr in ehrs})
        self._launch_lambda(ports)
        for name in ("poller", "api"):
            self.wait_ready(name)
        self.running.save()
        self._supervised = True
        threading.Thread(target=self._keep_alive, daemon=True, name="keep-alive").start()

    def _launch_world(self, ports: Mapping[str, int]) -> None:
        """What is not ours in the cloud: AWS, HealthLake, the EHRs."""
        world = self.running
        aws = ("--data", str(self.data / "aws"), "--healthlake-url", world.healthlake)
        if os.environ.get("LOCAL_AWS", "moto") == "ministack":
            python, module = str(ministack.interpreter()), "local.aws.ministack_plugin"
        else:
            python, module = sys.executable, "local.aws.moto_server"
        self._launch("aws", module, ports, *aws, probe=f"{world.aws}/_local/health", python=python)
        lake = ("--data", str(self.data / "healthlake"))
        self._launch("healthlake", "local.healthlake", ports, *lake, probe=world.healthlake)
        for ehr, url in world.ehrs.items():
            (self.data / "ehrs").mkdir(exist_ok=True)
            self._launch(f"ehr-{ehr}", "local.ehrs", ports, "--data", str(self.data / "ehrs"), "--ehr", ehr, probe=url)

    def _launch_lambda(self, ports: Mapping[str, int]) -> None:
        """What AWS runs for us: event source mappings and the HTTP API, with the real functions behind them."""
        common = ("--endpoint", self.running.aws, "--logs", str(self.data / "logs"))
        poller = ["--workers", str(self._workers)]
        if self._visibility is not None:
            poller += ["--visibility", str(self._visibility)]
        self._launch("poller", "local.aws.poller", ports, *common, *poller, probe=self.running.poller)
        users = ("--data", str(self.data / "users"))
        probe = f"{self.running.api}/.well-known/jwks.json"
        self._launch("api", "local.aws.api_gateway", ports, *common, *users, probe=probe)

    def _launch(
        self,
        name: str,
        module: str,
        ports: Mapping[str, int],
        *arguments: str,
        probe: str,
        python: str = sys.executable,
    ) -> None:
        child = ROOT / "local" / "child.py"
        command = (python, str(child), module, "--port", str(ports[name]), *arguments)
        self._children[name] = Child(name, command, probe)
        self._spawn(self._children[name])

    def _spawn(self, child: Child) -> None:
        logs = self.data / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{child.name}.log").open("ab") as log:
            child.process = subprocess.Popen(
                child.command,
                cwd=ROOT,
                env=_child_environment(),
                stdin=subprocess.PIPE,  # the lifeline of local/child.py
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        child.started, child.restart_at = time.monotonic(), float("inf")

    def stop(self) -> None:
        """End every process of the stack; harmless when done twice."""
        self._stopping.set()
        with self._guard:
            for child in reversed(self._children.values()):
                if child.process is not None:
                    child.process.terminate()
            for child in self._children.values():
                if child.process is not None:
                    _reap(child.process)
            self._children.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ------------------------------------------------------------------------------------------------ watching

    def _keep_alive(self) -> None:
        while not self._stopping.wait(0.1):
            with self._guard:
                for child in self._children.values():
                    if not child.alive and not self._stopping.is_set():
                        self._revive(child)

    def _revive(self, child: Child) -> None:
        """Start a dead child again, after a pause that doubles as long as it keeps dying."""
        now = time.monotonic()
        if child.restart_at == float("inf"):
            child.deaths = 1 if now - child.started > STEADY_SECONDS else child.deaths + 1
            child.restart_at = now + min(FIRST_PAUSE * 2 ** (child.deaths - 1), LONGEST_PAUSE)
        elif now >= child.restart_at:
            self._spawn(child)

    def kill(self, name: str) -> None:
        """SIGKILL one process: aws, healthlake, poller, api or ehr-<name>. It comes back by itself."""
        with self._guard:
            process = self._children[name].process
            if process is not None:
                process.kill()
                process.wait()

    def wait_ready(self, name: str, seconds: float = READY_SECONDS) -> None:
        """Until a process answers HTTP. Raises StackError when it does not in time, or died at its start."""
        deadline = time.monotonic() + seconds
        child = self._children[name]
        while not _answers(child.probe):
            dead = not child.alive and not self._supervised
            if dead or time.monotonic() > deadline:
                log = self.data / "logs" / f"{name}.log"
                raise StackError(f"{name} {'died' if dead else 'did not become ready'}; see {log}\n{_tail(log)}")
            time.sleep(0.05)

    # ---------------------------------------------------------------------------------------------------- doors

    def __getattr__(self, name: str) -> Any:
        """Everything that a running stack offers, offered here too."""
        if name.startswith("_") or name == "running":
            raise AttributeError(name)
        return getattr(self.running, name)

    def _ports(self, names: list[str]) -> dict[str, int]:
        """A free port each, the same as last time where that is still free, so that queue URLs stay good."""
        file = self.data / "ports.json"
        known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        with contextlib.ExitStack() as held:
            ports = {name: _free_port(held, known.get(name, 0)) for name in names}
        file.write_text(json.dumps(ports))
        return ports

    def _connection(self, ehr: str) -> dict[str, Any]:
        """The secret that the simulated EHR gave us when it registered us."""
        file = self.data / "ehrs" / f"{ehr}.connection.json"
        connection: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return connection


def _simulated_ehrs() -> list[str]:
    """The EHRs with an API whose behaviour somebody has written down: of the hundred that are known, few."""
    ehrs = load(ROOT / "mappings")
    behaviours = sorted(file.stem for file in (ROOT / "local" / "ehrs").glob("*.toml"))
    return [ehr for ehr in behaviours if ehr in ehrs and ehrs[ehr].api]


def _free_port(held: contextlib.ExitStack, wanted: int) -> int:
    for port in (wanted, 0):
        listener = held.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return int(listener.getsockname()[1])
    raise StackError("no free port")


def _child_environment() -> dict[str, str]:
    """This process's, without anything that could lead to the real AWS."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}"
    return {**clean, **CREDENTIALS, "AWS_REGION": REGION, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
