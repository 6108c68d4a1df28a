"""The whole of it on the local stack: the deployed function, real messages, a kill in the middle, and nobody told."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters import clients
from headwater.inbound.accept import message_key
from headwater.model import MessageState
from local.cli import main
from local.cli.options import MAPPINGS
from local.demo.feed import make
from local.demo.producer import Producer
from local.stack import Stack
from local.target import Target
from tests.local.waiting import until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[3]
EHRS = ("epic", "oracle-millennium")
DEMO = [one for one in make(MAPPINGS, people=10, seed=5).sendings if one.ehr in EHRS]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    before = dict(os.environ)
    with Stack(tmp_path_factory.mktemp("stack"), visibility=5) as made:
        yield made
    os.environ.clear()  # which Target sets, and nobody else takes back
    os.environ.update(before)
    clients.forget()


@pytest.fixture(scope="module")
def target(stack: Stack) -> Target:
    return Target.local(stack.data)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three years of each EHR, a message a file; some are packed, and the last file is a batch of what is there."""
    made = {}
    for ehr in EHRS:
        made[ehr] = tmp_path_factory.mktemp(ehr)
        mine = [one for one in DEMO if one.ehr == ehr]
        for number, sending in enumerate(mine):
            file = made[ehr] / f"{2022 + 3 * number // len(mine)}" / f"{number:04}.hl7"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(sending.body)
            if number % 5 == 0:
                file.with_suffix(".hl7.gz").write_bytes(gzip.compress(sending.body))
                file.unlink()
        whole = [one.body.decode().strip("\r\n") for one in mine if one.expect == "stored"][:4]
        batch = "\r".join(["FHS|^~\\&|", "BHS|^~\\&|", *whole, f"BTS|{len(whole)}", "FTS|1", ""])
        (made[ehr] / "2024" / "batch.hl7").write_bytes(batch.encode())
    return made


def command(folder: Path, ehr: str, stack: Stack) -> list[str]:
    return ["backfill", str(folder), "--ehr", ehr, "--lanes", "2", "--data", str(stack.data)]


def journal(stack: Stack) -> str:
    return "".join(file.read_text() for file in (stack.data / "backfill").glob("*.jsonl"))


def test_killed_in_the_middle_it_goes_on_and_loses_and_doubles_nothing(
    stack: Stack, target: Target, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    script = "import sys; from local.cli import main; sys.exit(main(sys.argv[1:]))"
    line = [sys.executable, "-c", script, *command(folders["epic"], "epic", stack)]
    path = f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}"
    with subprocess.Popen(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, start_new_session=True) as running:
        until(lambda: (stack.data / "backfill").exists() and journal(stack).count("\n") == 1)
        os.killpg(running.pid, signal.SIGKILL)
    assert main(command(folders["epic"], "epic", stack)) == 0
    sent = {message_key("epic", one.body): one.expect for one in DEMO if one.ehr == "epic"}
    states = target.message_states()
    assert set(sent) <= set(states)
    assert MessageState.ACCEPTED.value not in states.values()
    assert Counter(states[key] for key in sent) == Counter(sent.values())
    told = capsys.readouterr().out
    assert f"{sum(1 for file in folders['epic'].rglob('*.*') if file.is_file())} files" in told
    assert "none was told to any EHR" in told
    runs = {record["backfill"]["S"] for record in _records(target) if record["key"]["S"] in sent}
    assert len(runs) == 1


def test_the_same_command_again_changes_nothing(
    stack: Stack, target: Target, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (target.resource_counts(), target.message_states(), journal(stack))
    assert main(command(folders["epic"], "epic", stack)) == 0
    assert (target.resource_counts(), target.message_states(), journal(stack)) == before
    assert "uploaded" not in capsys.readouterr().out


def test_a_dry_run_starts_nothing_and_says_what_would_be_set_aside(
    stack: Stack, target: Target, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = target.message_states()
    assert main([*command(folders["epic"], "epic", stack), "--dry-run", "--sample", "1000"]) == 0
    assert target.message_states() == before
    told = capsys.readouterr().out
    assert "in 3 waves, one after the other" in told
    assert "quarantined convert." in told


def test_nobody_is_told_of_history_also_when_it_is_released_and_of_what_comes_then_they_are(
    stack: Stack, target: Target, folders: dict[str, Path]
) -> None:
    assert main(command(folders["oracle-millennium"], "oracle-millennium", stack)) == 0
    result = next(one for one in DEMO if one.ehr == "epic" and b"ORU^R01" in one.body and one.expect == "stored")
    key = message_key(result.ehr, result.body)
    assert main(["quarantine", "release", key, "--data", str(stack.data)]) == 0
    until(lambda: target.message_states()[key] != MessageState.ACCEPTED.value)
    assert stack.tallies()["headwater-propose"]["received"] == 0
    assert _waiting(stack) == 0
    for one in [one for one in DEMO if b"ORU^R01" in one.body and one.expect == "stored"]:
        Producer(target).send([replace(one, body=one.body + b"ZZZ|1\r")])  # other bytes: a message of today
    until(lambda: stack.tallies()["headwater-propose"]["received"])


def test_an_order_that_cannot_work_is_refused_before_anything_is_taken(
    stack: Stack, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(folders["epic"], "nobody", stack)) == 2
    assert main(command(folders["epic"] / "gone", "epic", stack)) == 2
    assert main(command(folders["epic"], "meditech", stack)) == 2
    told = capsys.readouterr().err
    assert "no EHR nobody" in told
    assert "neither a folder nor" in told
    assert "accept.feed_undeclared" in told


def _records(target: Target) -> list[dict[str, Any]]:
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=target.app.settings.messages_table)
    return [item for page in pages for item in page["Items"] if "archive_key" in item]


def _waiting(stack: Stack) -> int:
    url = stack.queue_url("headwater-write.fifo")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counted = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in counted.values())
