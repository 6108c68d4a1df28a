"""What becomes of rows under faults: a plain job, as the Databricks accelerator writes, and Headwater, side by side.

    python -m bench.side_by_side [--rows 20] [--hit 5] [--seed 1] [--write docs/write-backs-side-by-side.md]

Both write the same bytes for the same patients to the same simulated EHR, each in a chart of its own, and meet the same
faults on the same requests. The plain job is one POST (or GET and PUT) a row, without a key, a version or a look back;
it is rerun when it fails. It is written anew here in a few lines, after what the accelerator's notebook and client do
(databricks-industry-solutions/redox-ehr-api @00b4dca), and kinder: it sends the media type that the API wants.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.smart import SmartTokens
from headwater.ehrs import Ehr
from headwater.model import Proposal, ProposalState
from local.drill import people
from local.drill.clock import DrillClock
from local.drill.play import STEPS, Play
from local.drill.running import Drill, drill
from local.drill.scenario import scenario_of
from local.drill.world import World
from local.ehrs.client import connect
from local.ehrs.server import SimulatedEhr

CREATES_AT, UPDATES_AT = "redox", "epic"  # whose precondition is optional: who leaves it out is not stopped
MOST_RUNS = 4  # a job is tried again three times: Spark's and the scheduler's own numbers are of this size
DAYS = 3 * 86400.0
HELD = (ProposalState.NEEDS_HUMAN, ProposalState.FAILED, ProposalState.EXPIRED)
Fault = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of trouble, which befalls some rows once, each when it is first written; `twice` hands the whole job over
    twice, `updates` changes rows instead of adding them."""

    title: str
    fault: Fault | None = None
    twice: bool = False
    updates: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one run. `lost` nobody knows of, `held` wait for a person; `overwritten` are edits of clinicians."""

    lost: int = 0
    doubled: int = 0
    overwritten: int = 0
    held: int = 0

    def __str__(self) -> str:
        held = f" ({self.held} held for a person)" if self.held else ""
        return f"{self.lost} lost, {self.doubled} doubled, {self.overwritten} overwritten{held}"


CORRECTED = {"status": "corrected", "valueQuantity.value": 9.9}
EDIT = "edited by the clinician"
EDITED = {"fault": "version_bump", "set": {"note": [{"text": EDIT}]}}
CASES = (
    Case("no trouble"),
    Case("the answer is lost after the EHR has filed the row", {"fault": "drop_after_commit"}),
    Case("the connection is lost before anything is filed", {"fault": "drop_before_commit"}),
    Case("the connection is lost, the row is filed a minute later", {"fault": "commit_after", "delay_s": 60}),
    Case("503, nothing is filed", {"fault": "status", "code": 503}),
    Case("200 with a refusal inside", {"fault": "http200_with_entry_error", "entry_status": 422}),
    Case("answers take 45 s", {"fault": "latency", "ms": 45_000}),
    Case("the job's rows are evaluated and handed over twice", twice=True),
    Case("a clinician edits the row between reading and writing", EDITED, updates=True),
)


# -------------------------------------------------------------------------------------------------------- the plain job


Row = Callable[["PlainJob"], int]


class PlainJob:
    """One request a row, in order. `careful` reruns until every status is 2xx; else only an exception fails the job."""

    def __init__(self, ehr: Ehr, simulated: SimulatedEhr, secret: Mapping[str, str], *, careful: bool) -> None:
        assert ehr.api is not None
        self._ehr, self._base, self._careful = ehr, simulated.base_url, careful
        self.simulated = simulated
        self._tokens = SmartTokens(Connection.of(dict(secret), place="bench"), ehr.api)

    def run(self, rows: Sequence[Row]) -> bool:
        """Whether the job ended well; if not, people see it red, and what is missing is no secret."""
        for _ in range(MOST_RUNS):
            try:
                statuses = [row(self) for row in rows]
            except OSError:  # the connection is gone: the task fails, and its rows are evaluated anew
                continue
            if not self._careful or all(200 <= status < 300 for status in statuses):
                return True
        return False

    def post(self, path: str, payload: bytes) -> int:
        return self._ask("POST", path, payload)[0]

    def change(self, reference: str, changes: Mapping[str, Any]) -> int:
        status, body = self._ask("GET", reference)
        return self._ask("PUT", reference, json.dumps({**body, **changes}).encode())[0] if status == 200 else status

    def _ask(self, method: str, path: str, payload: bytes | None = None) -> tuple[int, Any]:
        assert self._ehr.api is not None
        content_type = self._ehr.api.headers.get("Content-Type", "application/fhir+json")
        headers = {"Authorization": f"Bearer {self._tokens.get()}", "Content-Type": content_type}
        request = urllib.request.Request(f"{self._base}/{path}", data=payload, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, None
        except urllib.error.URLError as error:
            raise ConnectionError from error


# ------------------------------------------------------------------------------------------------------------- one case


def unlucky(options: argparse.Namespace) -> set[int]:
    """Which rows the trouble befalls: the same ones on every side."""
    return set(random.Random(options.seed).sample(range(options.rows), options.hit))


def one_case(playing: Drill, case: Case, number: int, options: argparse.Namespace) -> list[Count]:
    """Headwater first, since it makes the bytes; then the plain job twice, each on a chart that begins the same."""
    product = UPDATES_AT if case.updates else CREATES_AT
    playing.count += 1
    world = playing._world(product, options.seed)
    try:
        play = Play(world, scenario_of({"id": f"side-by-side-{number}"}))
        play.person(options.rows - 1)
        if case.updates:
            for number in range(options.rows):
                row = people.fact(world, "lab", number)
                row = people.about(row, play.person(number).at(world.target))
                play.rows += world.ask("POST", "/_sim/rows", row)[1]["filed"]
            world.pass_time(3600)
        seeded = [row["resource"] for row in world.chart()["rows"]]
        mine = by_headwater(play, case, options)
        proposals = [one for one in world.proposals() if one.payload]
        ehr = world.app.ehrs[world.target]
        plain = [
            by_plain_job(
                ehr, case, seeded, proposals, options, options.scratch / f"{number}-{careful}", careful=careful
            )
            for careful in (False, True)
        ]
    finally:
        world.close()
    return [*plain, mine]


def by_headwater(play: Play, case: Case, options: argparse.Namespace) -> Count:
    world, rows = play.world, options.rows
    if case.updates:
        for number in range(rows):
            corrected = {**CORRECTED, "effectiveDateTime": _at(world, play.rows[number])}
            STEPS["propose"](play, person=number, fact="lab", updates=play.rows[number], set=corrected, run=False)
        world.run(120.0)
    else:
        STEPS["propose"](play, count=rows, people_count=rows)
    if case.twice:
        STEPS["propose_again"](play)
    befallen = {
        one.payload_hash for number, one in enumerate(world.proposals()) if case.fault and number in unlucky(options)
    }
    noted = world.on_wire

    def on_wire(site: str, payload: bytes) -> None:
        digest = hashlib.sha256(payload).hexdigest()
        if digest in befallen:
            befallen.remove(digest)
            world.ask("POST", "/_sim/faults", case.fault)
        noted(site, payload)

    world.on_wire = on_wire  # type: ignore[method-assign]
    world._restart()  # the recorder of calls is told of it when the App is made
    STEPS["approve"](play)
    world.run(DAYS)
    ledger = world.proposals()
    states = Counter(one.state for one in ledger)
    held = sum(states[state] for state in HELD)
    filed = [one.payload_hash for one in ledger if one.payload]
    return _counted(world.chart(), filed, case, options.hit, held=held)


def by_plain_job(
    ehr: Ehr,
    case: Case,
    seeded: list[dict[str, Any]],
    proposals: list[Proposal],
    options: argparse.Namespace,
    folder: Path,
    *,
    careful: bool,
) -> Count:
    clock = DrillClock()
    simulated = SimulatedEhr(ehr, data=folder, clock=clock, sleep=clock.advance)
    simulated.start()
    try:
        secret = connect(simulated, folder)
        simulated.back_door.file(seeded)
        job = PlainJob(ehr, simulated, secret, careful=careful)
        rows = [_row(ehr, case, one) for one in proposals]
        if case.fault:
            rows = [befalling(row, case.fault) if n in unlucky(options) else row for n, row in enumerate(rows)]
        well = job.run(rows * (2 if case.twice else 1))
        clock.advance(DAYS)
        reply = simulated.back_door.answer("GET", "/_sim/chart", b"")
        chart: dict[str, Any] = (None if isinstance(reply, tuple) else reply.body) or {}
        counted = _counted(chart, [one.payload_hash for one in proposals], case, options.hit)
        return counted if well else replace(counted, lost=0, held=counted.lost)
    finally:
        simulated.stop()


def befalling(row: Row, fault: Fault) -> Row:
    """The row, with trouble when it is written for the first time."""
    first = [fault]

    def written(job: PlainJob) -> int:
        while first:
            job.simulated.back_door.answer("POST", "/_sim/faults", json.dumps(first.pop()).encode())
        return row(job)

    return written


def _row(ehr: Ehr, case: Case, one: Proposal) -> Row:
    if case.updates:
        told = json.loads(one.payload)
        changes = {"status": told["status"], "valueQuantity": told["valueQuantity"]}
        return lambda job: job.change(one.target, changes)
    path = ehr.operation(one.resource_type).path or one.resource_type
    return lambda job: job.post(path, one.payload)


def _counted(chart: Mapping[str, Any], hashes: Sequence[str], case: Case, hit: int, *, held: int = 0) -> Count:
    rows = [row for row in chart["rows"] if row["resource"]["resourceType"] != "Patient"]
    if case.updates:
        changed = [row for row in rows if row["resource"]["status"] == CORRECTED["status"]]
        overwritten = hit - sum(EDIT in json.dumps(row["resource"]) for row in rows)
        return Count(len(rows) - len(changed) - held, 0, overwritten, held)
    filed = Counter(row["payload_hash"] for row in rows if row["payload_hash"])
    missing = sum(1 for one in dict.fromkeys(hashes) if not filed[one])
    return Count(missing - held, sum(count - 1 for count in filed.values()), 0, held)


def _at(world: World, reference: str) -> str:
    return next(str(r["resource"]["effectiveDateTime"]) for r in world.chart()["rows"] if r["reference"] == reference)


# --------------------------------------------------------------------------------------------------------------- report


def table(found: Sequence[tuple[Case, list[Count]]]) -> str:
    lines = [
        "| what happens | plain job | plain job, rerun until every status is 2xx | Headwater |",
        "|---|---|---|---|",
    ]
    lines += [f"| {case.title} | {' | '.join(map(str, counts))} |" for case, counts in found]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--hit", type=int, default=5, help="how many requests a fault hits (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case, by its number from 0")
    parser.add_argument("--write", type=Path, help="a page whose table is replaced")
    options = parser.parse_args()
    found, started = [], time.process_time()
    with drill() as playing:
        options.scratch = playing.scratch / "plain"
        for number, case in enumerate(CASES):
            if options.only in (None, number):
                counts = one_case(playing, case, number, options)
                found.append((case, counts))
                print(f"{case.title}: {' | '.join(map(str, counts))}", flush=True)
    print(f"{time.process_time() - started:.0f} s of CPU\n\n{table(found)}")
    if options.write:
        before, mark, rest = options.write.read_text(encoding="utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end of table -->")[2]
        text = f"{before}{mark}{table(found)}\n<!-- end of table -->{after}"
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
