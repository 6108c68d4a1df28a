"""A backfill on the local stack. moto can run no Distributed Map with batches, so this process is the state machine: it
reads the deployed definition for its figures, and hands the deployed function the events that Step Functions would.

What a batch gave back is a line of a journal. Whoever is killed begins again behind the last whole line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

from local.aws.clients import resources
from local.aws.lambda_runtime import Function, Outcome, Runtime
from local.backfill.account import Account, Progress
from local.backfill.plan import Order, objects

Batch = dict[str, Any]


class Laptop:
    """One order on one stack. `aws` is the local AWS's endpoint, `data` the stack's folder."""

    def __init__(self, order: Order, *, aws: str, data: Path, s3: Any, pause: float = 1.0) -> None:
        self._order, self._s3, self._pause = order, s3, pause
        self._aws, self._logs = aws, data / "logs"
        self._files = _definition(aws)["States"]["Waves"]["ItemProcessor"]["States"]["Files"]
        self._journal = data / "backfill" / f"{order.name}.jsonl"
        self._stopped = threading.Event()

    def run(self, given: dict[str, Any], watch: Callable[[Progress], None]) -> Account:
        """All of it (`Order.input`), wave after wave, on as many workers as lanes; `watch` is told after every batch.
        What was in work when it was stopped is taken again by the next run."""
        waves, lanes = given["waves"], given["lanes"]
        account = Account(self._order.prefix)
        through = self._through(account)
        self._journal.parent.mkdir(exist_ok=True)
        runtime = Runtime(self._aws, self._logs, workers=lanes)
        try:
            with self._journal.open("a", encoding="utf-8") as journal, ThreadPoolExecutor(lanes) as pool:
                for number, wave in enumerate(waves, 1):
                    batches = list(self._batches({**given, **wave}))
                    total = sum(len(batch["Items"]) for batch in batches)
                    left = [batch for batch in batches if _name(batch) not in through]
                    done = total - sum(len(batch["Items"]) for batch in left)
                    watch(Progress("RUNNING", number, len(waves), done, 0, total))
                    for batch, outcome in self._side_by_side(left, pool, lanes, runtime):
                        _note(outcome, _name(batch), account, journal)
                        done += len(batch["Items"])
                        watch(Progress("RUNNING", number, len(waves), done, len(account.failed), total))
        except BaseException:
            self._stopped.set()
            raise
        finally:
            runtime.close()
        return account

    def _side_by_side(
        self, batches: list[Batch], pool: ThreadPoolExecutor, lanes: int, runtime: Runtime
    ) -> Iterator[tuple[Batch, Outcome]]:
        """Begun in order, given as they are done."""
        function = self._function()
        waiting, working = iter(batches), dict[Future[Outcome], Batch]()
        while True:
            for batch in islice(waiting, lanes - len(working)):
                working[pool.submit(self._take, batch, function, runtime)] = batch
            if not working:
                return
            for future in wait(working, return_when=FIRST_COMPLETED).done:
                yield working.pop(future), future.result()

    def _take(self, batch: Batch, function: Function, runtime: Runtime) -> Outcome:
        """The states Batch, Left?, Pause and Through. A laptop does not wait for as long as AWS would."""
        retries = self._files["ItemProcessor"]["States"]["Batch"]["Retry"]
        tries = 0
        while True:
            outcome = runtime.invoke(function, batch)
            if self._stopped.is_set():
                raise KeyboardInterrupt
            if outcome.error:
                tries += 1
                kind = outcome.payload.get("errorType", "") if isinstance(outcome.payload, dict) else ""
                allowed = next(it["MaxAttempts"] for it in retries if {kind, "States.ALL"} & set(it["ErrorEquals"]))
                if tries > allowed:
                    return outcome
                self._stopped.wait(self._pause)
                continue
            batch = outcome.payload
            if not batch["Items"]:
                return outcome
            self._stopped.wait(min(batch["Wait"], self._pause))

    def _batches(self, given: dict[str, Any]) -> Iterator[Batch]:
        """What ItemSelector, ItemReader and ItemBatcher make of a wave."""
        batcher = self._files["ItemBatcher"]
        what = {name.removesuffix(".$"): given[path.removeprefix("$.")] for name, path in batcher["BatchInput"].items()}
        most = given[batcher["MaxItemsPerBatchPath"].removeprefix("$.")]
        items = ({"Key": it["Key"], "Size": it["Size"]} for it in objects(given["bucket"], given["prefix"], self._s3))
        while some := list(islice(items, most)):
            yield {"BatchInput": what, "Items": some}

    def _through(self, account: Account) -> set[str]:
        """The batches that an earlier run finished, which is what the account begins with."""
        names: set[str] = set()
        if self._journal.exists():
            text = self._journal.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            if whole != text:  # killed in the middle of a line
                self._journal.write_text(whole, encoding="utf-8")
            for line in whole.splitlines():
                known = json.loads(line)
                if known["report"]["failed"]:
                    continue  # taken again: what of it is through is seen before
                names.add(known["batch"])
                account.add(known["report"])
        return names

    def _function(self) -> Function:
        arn = self._files["ItemProcessor"]["States"]["Batch"]["Resource"]
        found = [Function.from_resource(one) for one in resources(self._aws, "AWS::Lambda::Function")]
        return next(one for one in found if one.name == arn.rpartition(":")[2])


def _note(outcome: Outcome, name: str, account: Account, journal: Any) -> None:
    if outcome.error:
        said = outcome.payload if isinstance(outcome.payload, dict) else {}
        account.given_up[f"{said.get('errorType', outcome.error)} {said.get('errorMessage', '')}".strip()] += 1
        return
    report = outcome.payload["Report"]
    account.add(report)
    journal.write(json.dumps({"batch": name, "report": report}) + "\n")
    journal.flush()


def _name(batch: Batch) -> str:
    """What a batch is known by in the journal. New files make other batches; what of them is through is seen before."""
    return json.dumps([[item["Key"], item["Size"]] for item in batch["Items"]], separators=(",", ":"))


def _definition(aws: str) -> dict[str, Any]:
    (machine,) = resources(aws, "AWS::StepFunctions::StateMachine")
    found: dict[str, Any] = json.loads(machine.properties["DefinitionString"])
    return found
