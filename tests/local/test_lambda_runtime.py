from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.lambda_runtime import ROOT, Function, Runtime

FUNCTIONS = Path(__file__).parent / "functions"


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime("http://localhost:1", tmp_path, workers=2)
    yield made
    made.close()


def function(handler: str = "handlers.echo", *, timeout: float = 5, **environment: str) -> Function:
    return Function("test", handler, timeout, 256, environment, FUNCTIONS)


def test_a_handler_gets_its_event_context_and_environment(runtime: Runtime) -> None:
    outcome = runtime.invoke(function(OWN="mine"), {"a": 1})
    assert outcome.error == ""
    assert outcome.cold
    answer = outcome.payload
    assert answer["event"] == {"a": 1}
    assert (answer["name"], answer["memory"], answer["own"]) == ("test", "256", "mine")
    assert 3000 < answer["left"] <= 5000
    assert answer["mappings"] == str(ROOT / "mappings")


def test_a_warm_worker_is_used_again_and_answers_within_milliseconds(runtime: Runtime) -> None:
    first = runtime.invoke(function(), {})
    warm = [runtime.invoke(function(), {}) for _ in range(20)]
    assert {outcome.payload["pid"] for outcome in warm} == {first.payload["pid"]}
    assert not any(outcome.cold for outcome in warm)
    assert sorted(outcome.milliseconds for outcome in warm)[10] < 30  # 40 ms would be a delayed ACK


def test_an_exception_is_an_unhandled_error_and_the_worker_lives_on(runtime: Runtime) -> None:
    pid = runtime.invoke(function(), {}).payload["pid"]
    failed = runtime.invoke(function(), {"do": "raise"})
    assert failed.error == "Unhandled"
    assert failed.payload["errorType"] == "ValueError"
    assert runtime.invoke(function(), {}).payload["pid"] == pid


def test_a_time_out_kills_the_worker_and_the_next_event_starts_cold(runtime: Runtime) -> None:
    pid = runtime.invoke(function(timeout=1), {}).payload["pid"]
    late = runtime.invoke(function(timeout=1), {"do": "sleep", "seconds": 30})
    assert late.error == "Timeout"
    assert 900 < late.milliseconds < 3000
    again = runtime.invoke(function(timeout=1), {})
    assert again.cold
    assert again.payload["pid"] != pid


def test_a_crash_is_reported_at_once_and_the_next_event_starts_cold(runtime: Runtime) -> None:
    runtime.invoke(function(timeout=20), {})
    crashed = runtime.invoke(function(timeout=20), {"do": "exit"})
    assert crashed.error == "Crash"
    assert crashed.milliseconds < 5000
    assert runtime.invoke(function(), {}).error == ""


def test_a_handler_that_cannot_be_imported_is_an_error_not_a_hang(runtime: Runtime) -> None:
    started = time.monotonic()
    assert runtime.invoke(function("nowhere.handler"), {}).error in {"Unhandled", "Crash"}
    assert time.monotonic() - started < 10


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import time; print('up', flush=True); time.sleep(60)")
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "local" / "child.py"), "sleeper"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.stdin.close()  # what the kernel does when the parent is killed
    assert child.wait(timeout=5) == 0
