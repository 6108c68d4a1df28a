"""backfill: history out of S3 goes the feed's own way, and nobody is told of it.

A Step Functions Distributed Map (infra/backfill.py) cuts a folder of files into batches. This is what one invocation
does with one: file after file, message after message, until all is done or the time is up. What it gives back has the
form of what it was given, with what is left and what was counted; the state machine hands it in again while files are
left.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from headwater.ehrs import Ehr
from headwater.errors import Quarantine, Retry
from headwater.model import Delivery, MessageState, Outcome
from headwater.ports import Watch

RESERVE = 120_000  # milliseconds that must be left for one more message
EXAMPLES = 10  # messages of a batch that are named in its report; all of them are in the inbox
# As the feed's queue: 10 seconds, 30, 90 … a quarter of an hour; two hours of an outage fail no batch.
FIRST_PAUSE, LONGEST_PAUSE, TRIES = 10, 900, 12
# Tries of a message before the batch waits: most conflicts are with the neighbouring lane, and over by then.
AT_ONCE = 3

_SET_ASIDE = (MessageState.QUARANTINED, MessageState.HELD)


class Take(Protocol):
    """`pipeline.Ingest.outcomes`."""

    def __call__(self, delivery: Delivery, *, skip: int = 0) -> Iterator[Outcome]: ...


class Report:
    """What was counted of a batch, as JSON: `files` done; `messages` by state; `seen`, of these, those that had been
    taken before; `reasons`, how often which; `examples`, with file, message and place; `failed`, files that could
    not be read or that broke Headwater itself: they are not done."""

    def __init__(self, before: Mapping[str, Any]) -> None:
        self.files: int = before.get("files", 0)
        self.messages = Counter[str](before.get("messages", {}))
        self.seen = Counter[str](before.get("seen", {}))
        self.reasons = Counter[str](before.get("reasons", {}))
        self.examples: list[dict[str, str]] = list(before.get("examples", ()))
        self.failed: list[dict[str, str]] = list(before.get("failed", ()))

    def add(self, file: str, outcome: Outcome) -> None:
        self.messages[outcome.state.value] += 1
        if outcome.seen:
            self.seen[outcome.state.value] += 1
        if outcome.state not in _SET_ASIDE:
            return
        self.reasons[f"{outcome.state.value} {outcome.code}"] += 1
        if len(self.examples) < EXAMPLES:
            named = {"file": file, "message": outcome.key, "reason": outcome.code, "place": outcome.place}
            self.examples.append(named)

    def dump(self) -> dict[str, Any]:
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}


@dataclass(slots=True)
class _Batch:
    """The event. `part` is how many messages of the first item were taken before, `tries` how often in a row nothing
    could be done."""

    event: dict[str, Any]
    items: list[dict[str, Any]]
    part: int
    tries: int
    report: Report
    moved: bool = False  # whether this invocation got anything done

    def left(self, *, wait: int = 0) -> dict[str, Any]:
        """What is handed in again; `Wait` is in seconds."""
        return {
            "BatchInput": self.event["BatchInput"],
            "Items": self.items,
            "Part": self.part,
            "Tries": self.tries,
            "Wait": wait,
            "Report": self.report.dump(),
        }


@dataclass(frozen=True, slots=True)
class Backfill:
    """`describe` names an unexpected error without its values: what, and where."""

    take: Take
    ehrs: Mapping[str, Ehr]
    describe: Callable[[Exception], tuple[str, str]]
    watch: Watch

    def __call__(self, event: dict[str, Any], time_left: Callable[[], int]) -> dict[str, Any]:
        """`event` is what ItemBatcher makes: `BatchInput` (`run`, `ehr`, `content_type`, `bucket`) and `Items`, S3
        objects with their `Key`; `time_left` is in milliseconds.

        Raises Retry when nothing could be done so often that the batch is given up; Quarantine for an EHR that has no
        folder, before anything is read.
        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
        """
        what = event["BatchInput"]
        if what["ehr"] not in self.ehrs:
            raise Quarantine("accept.ehr_unknown", place="ehr", hint="name a folder under mappings/ehrs")
        report = Report(event.get("Report", {}))
        batch = _Batch(event, list(event["Items"]), event.get("Part", 0), event.get("Tries", 0), report)
        started, before = time.perf_counter(), batch.report.messages.total()
        wait = self._work(batch, time_left)
        batch.tries = batch.tries if wait else 0
        self.watch.note(
            "backfill",
            "left" if batch.items else "done",
            milliseconds=(time.perf_counter() - started) * 1000,
            ehr=what["ehr"],
            run=what["run"],
            messages=batch.report.messages.total() - before,
            failed=len(batch.report.failed),
            files_left=len(batch.items),
        )
        return batch.left(wait=wait)

    def _work(self, batch: _Batch, time_left: Callable[[], int]) -> int:
        """Take what there is time for out of the batch; gives the seconds to wait before it goes on."""
        broken: Retry | None = None
        while batch.items:
            if batch.moved and time_left() < RESERVE:
                return 0
            file = str(batch.items[0]["Key"])
            try:
                if not self._take_file(file, batch, time_left):
                    return 0
            except Retry as retry:
                return _pause(batch, retry)
            except Exception as crash:  # noqa: BLE001  one file must not keep the others from their way
                error, place = self.describe(crash)
                self.watch.note("backfill", "failed", error=error, place=place)
                batch.report.failed.append({"file": file, "error": error, "place": place})
                broken = Retry("backfill.crashed", place=place, hint=error)
            else:
                batch.report.files += 1
                batch.moved = True
            batch.items.pop(0)
            batch.part = 0
        if broken and not batch.moved:
            raise broken from None  # whatever it is, it is not about one file
        return 0

    def _take_file(self, file: str, batch: _Batch, time_left: Callable[[], int]) -> bool:
        """Whether it is done; False when the time is up."""
        if file.endswith("/"):  # what consoles make for an empty folder
            return True
        delivery = delivery_of(file, batch.event["BatchInput"])
        for tries_left in reversed(range(AT_ONCE)):
            try:
                for outcome in self.take(delivery, skip=batch.part):
                    batch.report.add(file, outcome)
                    batch.part += 1
                    batch.moved = True
                    if time_left() < RESERVE:
                        return False
            except Retry:
                if not tries_left:
                    raise
            else:
                break
        return True


def _pause(batch: _Batch, retry: Retry) -> int:
    """Seconds until the batch goes on; raises the Retry when it was tried often enough."""
    batch.tries = 1 if batch.moved else batch.tries + 1
    if batch.tries >= TRIES:
        raise Retry(retry.code, place=retry.place, hint=retry.hint) from None
    pause: int = min(FIRST_PAUSE * 3 ** (batch.tries - 1), LONGEST_PAUSE)
    return max(pause, retry.after or 0)


def delivery_of(file: str, what: Mapping[str, Any]) -> Delivery:
    """The file as a producer would point to it (docs/producers.md)."""
    attributes = {
        "ehr": what["ehr"],
        "content-type": what["content_type"],
        "content-location": f"s3://{what['bucket']}/{file}",
        "content-encoding": "gzip" if file.lower().endswith(".gz") else "",
    }
    return Delivery(body="-", attributes=attributes, backfill=what["run"])
