"""The whole local stack: slow, one after the other, and the only tests that start the simulated EHRs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters import clients
from headwater.fhir.source import SYSTEM, given_to, source_code
from headwater.inbound.follow import SETTLED
from headwater.persons.links import Signed
from local.aws import ministack
from local.running import NotRunning, Running
from local.stack import Stack, StackError
from local.target import Target
from tests.fakes import FakeClock
from tests.local.waiting import until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), visibility=5) as made:
        yield made


def send(stack: Stack, number: int) -> str:
    """An admission of a person unlike all others; gives the message's key in the inbox."""
    name = hashlib.sha256(str(number).encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
    born = f"{date(1930, 1, 1) + timedelta(days=37 * number % 30_000):%Y%m%d}"
    segments = (
        f"MSH|^~\\&|EPIC|HOSP|||20260101120000||ADT^A01^ADT_A01|M{number}|P|2.5.1",
        "EVN|A01|20260101120000",
        f"PID|1||{number}^^^EPIC^MR||{name[:9]}^{name[9:16]}^^^^^L||{born}|F",
        f"PV1|1|I|W^101^1||||||||||||||||V{number}",
    )
    body = "\r".join(segments) + "\r"
    digest = hashlib.sha256(body.encode()).hexdigest()
    stack.client("sqs").send_message(
        QueueUrl=stack.queue_url("headwater-feed.fifo"),
        MessageBody=body,
        MessageGroupId=f"epic.{number % 7}",
        MessageDeduplicationId=digest,
        MessageAttributes={"ehr": {"DataType": "String", "StringValue": "epic"}},
    )
    return f"epic/{digest}"


def messages(stack: Stack) -> list[dict[str, Any]]:
    table = stack.environment()["HEADWATER_MESSAGES_TABLE"]
    found: list[dict[str, Any]] = stack.client("dynamodb").scan(TableName=table)["Items"]
    return [item for item in found if "archive_key" in item]  # the table also knows what news was last


def patients(stack: Stack) -> int:
    """How many Patients the FHIR store holds."""
    with urllib.request.urlopen(f"{stack.healthlake}/_local/stats", timeout=30) as answer:
        return sum(by_type.get("Patient", 0) for by_type in json.load(answer)["datastores"].values())


def pids(data: Path) -> list[int]:
    """The processes that work on a data folder, found by their command lines."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True)
    lines = listed.stdout.splitlines()
    return [int(line.split()[0]) for line in lines if str(data) in line and "local/child.py" in line]


def test_the_deployed_functions_are_the_handlers_of_this_checkout(stack: Stack) -> None:
    from local.aws.clients import resources

    named = {r.properties["Handler"] for r in resources(stack.aws, "AWS::Lambda::Function")}
    here = {f"handlers.{file.stem}.handler" for file in (ROOT / "lambdas" / "handlers").glob("[!_]*.py")}
    assert named == here


def test_a_message_goes_through_the_real_ingest_function(stack: Stack) -> None:
    key = send(stack, 1)
    until(lambda: key in {m["key"]["S"] for m in messages(stack) if m["state"]["S"] != "accepted"})
    until(lambda: stack.tallies()["headwater-ingest"]["deleted"] >= 1)
    assert stack.aws_calls()["s3.PUT"] >= 1
    bucket = stack.environment()["HEADWATER_ARCHIVE_BUCKET"]
    assert stack.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] >= 1


def test_the_review_api_lets_a_clinician_in_and_nobody_else(stack: Stack) -> None:
    def ask(token: str) -> int:
        request = urllib.request.Request(f"{stack.api}/proposals", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["proposals"] == []
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    assert ask(stack.token("dr.rivera")) == 200
    assert ask(stack.token("s.novak")) == 403
    assert ask("nonsense") == 401


def test_every_ehr_has_its_connection_in_secrets_manager(stack: Stack) -> None:
    assert stack.ehrs
    for ehr in stack.ehrs:
        value = stack.client("secretsmanager").get_secret_value(SecretId=f"headwater/ehrs/{ehr}")["SecretString"]
        assert json.loads(value)["base_url"].startswith("http://")
    assert set(stack.charts()) == set(stack.ehrs)


def test_a_second_process_finds_the_stack_and_cannot_start_another(stack: Stack) -> None:
    assert Running.find(stack.data) == stack.running
    with pytest.raises(StackError, match="another"), Stack(stack.data):
        pass
    assert Running.find(stack.data).queue_url("headwater-feed.fifo")


def test_without_a_stack_there_is_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        Running.find(tmp_path)


def test_what_was_stored_follows_a_merge(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [send(stack, number) for number in (61, 62)]
    until(lambda: set(keys) <= {m["key"]["S"] for m in messages(stack) if m["state"]["S"] == "stored"})
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)  # which Target sets, and nobody else takes back
    app = Target.local(stack.data).app
    clock = FakeClock(datetime.now(UTC))
    app.clock = clock
    authority = "epic|urn:headwater:epic:authority:EPIC"
    retired, into = (app.persons.find(f"{authority}|{number}", []).known for number in (61, 62))
    assert retired
    assert into
    app.relink.merge(retired.id, into.id, Signed("steward", clock(), "one card"))
    until(lambda: app.follow() == 1 and app.moves.list()[0].since)
    time.sleep(2.5)  # the stand-in's search lags two seconds behind
    clock.move(SETTLED.total_seconds())
    assert app.follow() == 0
    tags = [f"{SYSTEM}|{source_code(record.key)}" for record in (*retired.records, *into.records)]
    until(lambda: [given_to(one, into.id) is one for one in app.fhir.search("Encounter", tags)] == [True, True])
    clients.forget()


@pytest.mark.parametrize("name", ["poller", "aws", "healthlake", "api"])
def test_killing_a_process_in_the_middle_loses_and_doubles_nothing(stack: Stack, name: str) -> None:
    base = 1000 * (1 + ["poller", "aws", "healthlake", "api"].index(name))
    before, persons = len(messages(stack)), patients(stack)
    keys = [send(stack, base + number) for number in range(20)]
    stack.kill(name)
    stack.wait_ready(name)

    def all_stored() -> bool:
        found = {m["key"]["S"]: m["state"]["S"] for m in messages(stack)}
        return all(found.get(key) == "stored" for key in keys)

    until(all_stored)
    assert len(messages(stack)) == before + len(keys)
    assert patients(stack) == persons + len(keys)
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def drained() -> bool:
        url = stack.queue_url("headwater-feed.fifo")
        found = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        return sum(int(value) for value in found.values()) == 0

    until(drained)


def test_a_stopped_stack_goes_on_where_it_was(tmp_path: Path) -> None:
    with Stack(tmp_path) as first:
        key = send(first, 1)
        until(lambda: key in {m["key"]["S"] for m in messages(first)})
        ports = first.running
    assert pids(tmp_path) == []
    with Stack(tmp_path) as second:
        assert key in {m["key"]["S"] for m in messages(second)}
        assert second.running == ports


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.stack import Stack\n"
        "with Stack(Path(sys.argv[1])): print('up', flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'lambdas'}"},
        stdout=subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == b"up\n"
    assert len(pids(tmp_path)) >= 4
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    until(lambda: not pids(tmp_path), 10)
    with pytest.raises(NotRunning):
        Running.find(tmp_path)


@pytest.mark.skipif(not ministack.VENV.exists(), reason="ministack is installed when it is first asked for")
def test_on_ministack_the_same_templates_and_functions_do_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_AWS", "ministack")
    with Stack(tmp_path) as stack:
        keys = {send(stack, number) for number in range(5)}
        until(lambda: keys <= {m["key"]["S"] for m in messages(stack) if m["state"]["S"] != "accepted"})
        assert until(lambda: stack.tallies()["headwater-ingest"]["deleted"] == 5)
