"""A backfill as an execution of the deployed state machine: begun, gone on with, watched, stopped and accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local.backfill.account import Account, Progress
from local.backfill.plan import FOLDER, NotPlanned, Order, objects

_OVER = {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"}


class Execution:
    """The newest execution of an order. Executions are named `<order>-<number>`.

    `states` and `s3` are boto3's clients of Step Functions and S3; `machine` is the state machine's ARN.
    """

    def __init__(self, order: Order, *, machine: str, archive: str, states: Any, s3: Any) -> None:
        self._order, self._machine, self._archive = order, machine, archive
        self._states, self._s3 = states, s3

    def begin(self, given: dict[str, Any]) -> str:
        """Start it with `Order.input`, or go on with what stopped; a running one is left alone. Says which. Raises
        NotPlanned while another backfill runs: together they would take from the feed what each was allowed alone.

        A stopped execution is redriven: batches that are through are not begun again.
        https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
        """
        for other in self._executions("RUNNING"):
            if not self._mine(other):
                raise NotPlanned(f"another backfill is running: {other['name']}")
        newest = self._newest()
        if newest and newest["status"] == "RUNNING":
            return "is running"
        if newest and newest["status"] != "SUCCEEDED":
            known = self._states.describe_execution(executionArn=newest["executionArn"])
            if known.get("redriveStatus") == "REDRIVABLE":
                self._states.redrive_execution(executionArn=newest["executionArn"])
                return "goes on where it stopped"
        number = int(newest["name"].rpartition("-")[2]) + 1 if newest else 1
        self._states.start_execution(
            stateMachineArn=self._machine,
            name=f"{self._order.name}-{number}",
            input=json.dumps(given),
        )
        return "is started" if number == 1 else "is started anew: what is through is seen before"

    def stop(self) -> bool:
        """False if it does not run. What is in work is finished or taken again; nothing is half done."""
        newest = self._newest()
        if not newest or newest["status"] != "RUNNING":
            return False
        self._states.stop_execution(executionArn=newest["executionArn"])
        return True

    def progress(self) -> Progress | None:
        """None before the first `begin`."""
        newest = self._newest()
        if newest is None:
            return None
        known = self._states.describe_execution(executionArn=newest["executionArn"])
        waves = len(json.loads(known["input"])["waves"])
        runs = [self._states.describe_map_run(mapRunArn=arn) for arn in self._map_runs(newest["executionArn"])]
        counts = [run["itemCounts"] for run in runs]
        return Progress(
            state=known["status"],
            wave=len(runs),
            waves=waves,
            done=sum(it["succeeded"] for it in counts),
            failed=sum(it["failed"] + it["timedOut"] + it["aborted"] for it in counts),
            total=sum(it["total"] for it in counts),
        )

    def account(self) -> Account:
        """Of what ResultWriter has written, which it does when a wave is over.

        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        """
        account = Account(self._order.prefix)
        newest = self._newest()
        through: set[str] = set()
        given_up: dict[str, str] = {}
        for arn in self._map_runs(newest["executionArn"]) if newest else ():
            for batch in self._results(arn.rpartition(":")[2]):
                name = batch["ExecutionArn"]
                if batch["Status"] != "SUCCEEDED":
                    given_up[name] = f"{batch.get('Error', batch['Status'])} {_said(batch.get('Cause', ''))}".strip()
                elif name not in through:  # a redrive may write it again
                    through.add(name)
                    account.add(json.loads(batch["Output"])["Report"])
        account.given_up.update(error for name, error in given_up.items() if name not in through)
        return account

    def _results(self, map_run: str) -> Iterator[dict[str, Any]]:
        for found in objects(self._archive, f"{FOLDER}/{self._order.name}/results/{map_run}/", self._s3):
            if not found["Key"].endswith("manifest.json"):
                yield from json.loads(self._s3.get_object(Bucket=self._archive, Key=found["Key"])["Body"].read())

    def _map_runs(self, execution: str) -> list[str]:
        pages = self._states.get_paginator("list_map_runs").paginate(executionArn=execution)
        return [run["mapRunArn"] for page in pages for run in page["mapRuns"]]

    def _executions(self, status: str = "") -> Iterator[dict[str, Any]]:
        only = {"statusFilter": status} if status else {}
        pages = self._states.get_paginator("list_executions").paginate(stateMachineArn=self._machine, **only)
        for page in pages:
            yield from page["executions"]

    def _newest(self) -> dict[str, Any] | None:
        mine = [one for one in self._executions() if self._mine(one)]
        return max(mine, key=lambda one: int(one["name"].rpartition("-")[2]), default=None)

    def _mine(self, execution: dict[str, Any]) -> bool:
        return bool(execution["name"].rpartition("-")[0] == self._order.name)


def is_over(progress: Progress) -> bool:
    return progress.state in _OVER


def _said(cause: str) -> str:
    """The message in what Lambda says of an exception: ours hold codes and places only."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause[:200]
