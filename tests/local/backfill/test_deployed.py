"""A backfill on AWS, as far as can be told without AWS: requests and answers are those of botocore's own models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from local.backfill.deployed import Execution
from local.backfill.plan import NotPlanned, Order
from tests.local.backfill.conftest import ARCHIVE

NOW = datetime(2026, 11, 23, tzinfo=UTC)
STATES = "arn:aws:states:us-east-1:123456789012"
MACHINE = f"{STATES}:stateMachine:headwater-backfill"
ORDER = Order.of("s3://history/north", "epic", "application/hl7-v2", ARCHIVE)
GIVEN = ORDER.input(["a/", "b/"], 8, 100)
RUN = "7d5f2c1e-0000-4000-8000-1234567890ab"
MAP_RUN = f"{STATES}:mapRun:headwater-backfill/Files:{RUN}"


class Account:
    """Step Functions and S3, which answer what they are told to, to the calls that are expected, in order."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        self.clients = {name: boto3.client(name, **keys) for name in ("stepfunctions", "s3")}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        self.execution = Execution(
            ORDER, machine=MACHINE, archive=ARCHIVE, states=self.clients["stepfunctions"], s3=self.clients["s3"]
        )

    def expect(self, call: str, answer: dict[str, Any], wanted: dict[str, Any], service: str = "stepfunctions") -> None:
        self.stubs[service].add_response(call, answer, wanted)

    def knows(self, *executions: tuple[str, str], running: tuple[tuple[str, str], ...] | None = None) -> None:
        """What is listed: names and states; with `running`, first what is asked for as running."""

        def listed(some: tuple[tuple[str, str], ...]) -> dict[str, Any]:
            return {"executions": [_execution(name, status) for name, status in some]}

        if running is not None:
            self.expect("list_executions", listed(running), {"stateMachineArn": MACHINE, "statusFilter": "RUNNING"})
        self.expect("list_executions", listed(executions), {"stateMachineArn": MACHINE})


def _execution(name: str, status: str) -> dict[str, Any]:
    arn = f"{STATES}:execution:headwater-backfill:{name}"
    return {"executionArn": arn, "stateMachineArn": MACHINE, "name": name, "status": status, "startDate": NOW}


def _described(name: str, status: str, redrive: str = "") -> dict[str, Any]:
    described = {**_execution(name, status), "input": json.dumps(GIVEN)}
    return described | ({"redriveStatus": redrive} if redrive else {})


@pytest.fixture
def aws() -> Iterator[Account]:
    made = Account()
    with made.stubs["stepfunctions"], made.stubs["s3"]:
        yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


def test_the_first_time_it_is_started(aws: Account) -> None:
    aws.knows(running=())
    wanted = {"stateMachineArn": MACHINE, "name": f"{ORDER.name}-1", "input": ANY}
    aws.expect("start_execution", {"executionArn": "arn", "startDate": NOW}, wanted)
    assert aws.execution.begin(GIVEN) == "is started"


def test_what_was_stopped_is_gone_on_with(aws: Account) -> None:
    aws.knows((f"{ORDER.name}-1", "ABORTED"), running=())
    arn = _execution(f"{ORDER.name}-1", "")["executionArn"]
    described = _described(f"{ORDER.name}-1", "ABORTED", "REDRIVABLE")
    aws.expect("describe_execution", described, {"executionArn": arn})
    aws.expect("redrive_execution", {"redriveDate": NOW}, {"executionArn": arn})
    assert aws.execution.begin(GIVEN) == "goes on where it stopped"


def test_what_is_too_old_to_be_gone_on_with_is_started_anew(aws: Account) -> None:
    aws.knows((f"{ORDER.name}-9", "FAILED"), (f"{ORDER.name}-10", "FAILED"), running=())
    described = _described(f"{ORDER.name}-10", "FAILED", "NOT_REDRIVABLE")
    aws.expect("describe_execution", described, {"executionArn": ANY})
    wanted = {"stateMachineArn": MACHINE, "name": f"{ORDER.name}-11", "input": ANY}
    aws.expect("start_execution", {"executionArn": "arn", "startDate": NOW}, wanted)
    assert "seen before" in aws.execution.begin(GIVEN)


def test_what_is_running_is_left_alone_and_nothing_runs_beside_another(aws: Account) -> None:
    mine = (f"{ORDER.name}-1", "RUNNING")
    aws.knows(mine, running=(mine,))
    assert aws.execution.begin(GIVEN) == "is running"
    other = ("oracle-millennium-0123456789ab-1", "RUNNING")
    aws.expect(
        "list_executions",
        {"executions": [_execution(*other)]},
        {"stateMachineArn": MACHINE, "statusFilter": "RUNNING"},
    )
    with pytest.raises(NotPlanned, match="another backfill is running: oracle"):
        aws.execution.begin(GIVEN)


def test_it_is_stopped(aws: Account) -> None:
    aws.knows((f"{ORDER.name}-1", "RUNNING"))
    aws.expect("stop_execution", {"stopDate": NOW}, {"executionArn": ANY})
    assert aws.execution.stop()
    aws.knows((f"{ORDER.name}-1", "ABORTED"))
    assert not aws.execution.stop()


def test_how_far_it_is_is_told_in_files(aws: Account) -> None:
    aws.knows((f"{ORDER.name}-1", "RUNNING"))
    aws.expect("describe_execution", _described(f"{ORDER.name}-1", "RUNNING"), {"executionArn": ANY})
    _lists_map_run(aws)
    zero = dict.fromkeys(("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total"), 0)
    zero["resultsWritten"] = 0
    counts = {**zero, "succeeded": 700, "failed": 2, "aborted": 1, "total": 1200}
    described = {
        "mapRunArn": MAP_RUN, "executionArn": "arn", "status": "RUNNING", "startDate": NOW, "maxConcurrency": 8,
        "toleratedFailurePercentage": 1.0, "toleratedFailureCount": 0, "itemCounts": counts, "executionCounts": zero,
    }  # fmt: skip
    aws.expect("describe_map_run", described, {"mapRunArn": MAP_RUN})
    progress = aws.execution.progress()
    assert progress
    assert (progress.state, progress.wave, progress.waves) == ("RUNNING", 1, 2)
    assert (progress.done, progress.failed, progress.total) == (700, 3, 1200)


def test_the_account_is_that_of_the_results_and_a_batch_that_came_through_later_is_through(aws: Account) -> None:
    report = {
        "files": 2, "messages": {"stored": 3, "held": 1}, "seen": {"stored": 1}, "reasons": {"held match.possible": 1},
        "examples": [{"file": "north/2021/a", "message": "epic/0123456789abcdef", "reason": "match.possible",
                      "place": "Patient"}],
        "failed": [],
    }  # fmt: skip
    batches = {name: f"{STATES}:execution:headwater-backfill/Files:{name}" for name in ("one", "two", "three")}
    cause = json.dumps({"errorMessage": "store.throttled: HealthLake answered 429", "errorType": "Retry"})
    succeeded = [
        {"ExecutionArn": batches[name], "Status": "SUCCEEDED", "Output": json.dumps({"Items": [], "Report": report})}
        for name in ("one", "two", "one")
    ]
    failed = [
        {"ExecutionArn": batches[name], "Status": "FAILED", "Error": "Retry", "Cause": cause}
        for name in ("two", "three")
    ]
    aws.knows((f"{ORDER.name}-1", "FAILED"))
    _lists_map_run(aws)
    prefix = f"backfill/{ORDER.name}/results/{RUN}/"
    files = {f"{prefix}FAILED_0.json": failed, f"{prefix}SUCCEEDED_0.json": succeeded}
    listed = [{"Key": key, "Size": 1} for key in [*files, f"{prefix}manifest.json"]]
    wanted = {"Bucket": ARCHIVE, "Prefix": prefix}
    aws.expect("list_objects_v2", {"Contents": listed, "IsTruncated": False}, wanted, "s3")
    for key, batch in files.items():
        raw = json.dumps(batch).encode()
        body = StreamingBody(BytesIO(raw), len(raw))
        aws.expect("get_object", {"Body": body}, {"Bucket": ARCHIVE, "Key": key}, "s3")
    account = aws.execution.account()
    assert (account.files, account.messages) == (4, {"stored": 6, "held": 2})
    assert account.given_up == {"Retry store.throttled: HealthLake answered 429": 1}
    assert not account.complete
    told = "\n".join(account.lines())
    assert "stored                6  (2 of them seen before)" in told
    assert "2021/a at Patient: epic/01234567" in told


def _lists_map_run(aws: Account) -> None:
    run = {"executionArn": "arn", "mapRunArn": MAP_RUN, "stateMachineArn": MACHINE, "startDate": NOW}
    aws.expect("list_map_runs", {"mapRuns": [run]}, {"executionArn": ANY})
