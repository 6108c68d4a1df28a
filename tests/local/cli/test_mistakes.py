"""A mistake on the command line ends in one line that says what to do, and never in a traceback."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from headwater.errors import Retry
from local.cli import main, quarantine
from local.target import Problem, Target

HERE = Path(__file__).resolve().parents[3]


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "list", "--data", str(tmp_path)]) == 2
    assert "start one: headwater up" in capsys.readouterr().err


def test_two_stacks_on_one_folder_are_one_too_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["up", "--data", str(tmp_path)]) == 2
        assert capsys.readouterr().err.startswith("headwater: another local stack runs on ")
        assert main(["status", "--data", str(tmp_path)]) == 2
        assert "is starting: try again in a moment" in capsys.readouterr().err


def test_a_release_of_nothing_in_particular_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "release"]) == 2
    assert "say which" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("drill --scenario CCD-00", "no scenario CCD-00: CCD-01, "),
        ("drill --scenario CCD-01 --ehr nobody", "none is played there; the sites are of aidbox, "),
        ("drill --data nowhere.json", "nowhere.json: no such file"),
        ("empi train --fit nowhere --calibrate nowhere --out nowhere", "nowhere/truth.csv: no such file"),
        (f"convert {__file__} --out all.ndjson", "--out is for a folder's messages"),
    ],
)
def test_what_is_not_there_is_named(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"headwater: {said}")


def test_an_error_of_ours_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def busy(options: object) -> Target:
        raise Retry("store.unavailable", hint="try again")

    monkeypatch.setattr(quarantine, "target_of", busy)
    assert main(["quarantine", "list"]) == 2
    assert capsys.readouterr().err == "headwater: store.unavailable: try again\n"


def test_a_user_who_is_not_there_is_told_who_is() -> None:
    target = Target({}, "", "http://localhost:1", SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(Problem, match=r"no local user nobody: dr\.rivera"):
        target.review("nobody", "GET", "/proposals")


def test_who_reads_no_further_gets_no_traceback() -> None:
    """`headwater drill --hazard-log | head -1`, where the other end is closed before anything is written."""
    code = "import os, sys; from local.cli import main; sys.exit(main(['drill', '--hazard-log']))"
    reader = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    reader.wait()
    done = subprocess.run([sys.executable, "-c", code], stdout=reader.stdin, stderr=subprocess.PIPE, cwd=HERE)
    assert (done.returncode, done.stderr) == (0, b"")
