"""Splink on the very records of a batch, in as many threads and as much memory, to stand beside it.

It gets the profiles that the batch has left as a table, runs in a process of its own and is measured step by step;
what it finds stays in DuckDB, for millions of pairs would not fit into Python.
"""

from __future__ import annotations

import csv
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import comb
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from headwater.persons.profile import Profile
from local.empi import splink_engine
from local.empi.figures import PRECISIONS, recall_at
from local.empi.memory import MemoryWatch, held

STEPS = ("read", "trained", "predicted", "clustered", "judged")
_POLLED = 0.5  # seconds
_BUFFERS = 0.8  # of the memory, for DuckDB's buffers; the process holds more than these
_TABLE, _TRUTH = "records", "truth"


@dataclass(slots=True)
class SplinkBatch:
    """Seconds by the clock and of CPU of each step that was finished; `stopped` says why the others were not. `scored`
    pairs are those of Splink's table, `same` and `right` those at its 0.999; `together` and `together_right` pairs in
    one of its clusters; `peak` is in bytes. `true` is 0 where the truth is not known."""

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    peak: int = 0
    scored: int = 0
    persons: int = 0
    true: int = 0
    same: int = 0
    right: int = 0
    together: int = 0
    together_right: int = 0
    recall_at: dict[float, float] = field(default_factory=dict)


def match_by_splink(
    profiles: Iterable[Profile],
    truth: array[int],
    work: Path,
    *,
    threads: int,
    memory: float,
    minutes: float,
    tell: Callable[[str, int, int], None],
) -> SplinkBatch:
    """`truth` has the person of each record, and is empty where that is not known; `memory` is in GB. Needs the
    extra `empi`."""
    table = work / "splink.csv"
    known = _write(profiles, truth, table)
    result, ends = SplinkBatch(), time.monotonic() + 60 * minutes
    context = get_context("spawn")
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(table, known, bool(truth), threads, memory, telling))
    process.start()
    telling.close()
    before = held()
    with MemoryWatch() as watch:
        while not result.stopped and "judged" not in result.wall:
            if told.poll(_POLLED):
                _receive(told, result)
                tell("Splink", len(result.wall), len(STEPS))
            elif time.monotonic() > ends:
                result.stopped = f"after {minutes:.0f} minutes"
            elif watch.peak - before > memory * 1e9:
                result.stopped = f"at {memory} GB"
        process.kill()
        process.join()
    result.peak = watch.peak - before
    result.true = sum(comb(size, 2) for size in Counter(truth).values())
    return result


def _receive(told: Connection, result: SplinkBatch) -> None:
    try:
        step, wall, cpu, found = told.recv()
    except EOFError:
        result.stopped = "by its own end"
        return
    if not step:
        result.stopped = f"by {found}"
        return
    result.wall[step], result.cpu[step] = wall, cpu
    for name, value in found.items():
        setattr(result, name, value)


def _write(profiles: Iterable[Profile], truth: array[int], path: Path) -> set[str]:
    """The table as CSV, with the truth as its last column; gives the columns that hold anything."""
    known: set[str] = set()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        for place, profile in enumerate(profiles):
            row = splink_engine.row_of(place, profile)
            if not place:
                table.writerow((*row, _TRUTH))
            known.update(name for name, value in row.items() if value is not None)
            table.writerow((*row.values(), truth[place] if truth else ""))
    return known


# ------------------------------------------------------------------------------------------------- in its own process


def _run(table: Path, known: set[str], judge: bool, threads: int, memory: float, telling: Connection) -> None:
    try:
        _steps(table, known, judge, _connection(table.parent, threads, memory), telling)
    except Exception as error:  # noqa: BLE001 what a library may raise, out of memory above all, is the result
        telling.send(("", 0.0, 0.0, type(error).__name__))  # its text may hold values


def _connection(folder: Path, threads: int, memory: float) -> Any:
    import duckdb  # type: ignore[import-not-found,unused-ignore]

    connection = duckdb.connect(folder / "splink.duckdb")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {threads}")
    connection.execute(f"SET memory_limit = '{_BUFFERS * memory:.1f}GB'")
    connection.execute(f"SET temp_directory = '{folder}'")
    return connection


def _steps(table: Path, known: set[str], judge: bool, connection: Any, telling: Connection) -> None:
    wall, cpu = time.monotonic(), time.process_time()

    def done(step: str, **found: Any) -> None:
        nonlocal wall, cpu
        wall, since = time.monotonic(), wall
        cpu, used = time.process_time(), cpu
        telling.send((step, wall - since, cpu - used, found))

    connection.execute(
        f"CREATE TABLE {_TABLE} AS SELECT * EXCLUDE (unique_id, {_TRUTH}), unique_id::INTEGER AS unique_id, "
        f"{_TRUTH}::INTEGER AS {_TRUTH} FROM read_csv('{table}', header = true, all_varchar = true, nullstr = '')"
    )
    linker = splink_engine.linker_of(connection, _TABLE, known)
    done("read")
    splink_engine.train(linker, known)
    done("trained")
    pairs = splink_engine.predict(linker)
    done("predicted", scored=_one(connection, f"SELECT count(*) FROM {pairs.physical_name}"))
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, splink_engine.SAME)
    persons = _one(connection, f"SELECT count(DISTINCT cluster_id) FROM {clusters.physical_name}")
    done("clustered", persons=persons)
    done("judged", **(_judged(connection, pairs.physical_name, clusters.physical_name) if judge else {}))


def _judged(connection: Any, pairs: str, clusters: str) -> dict[str, Any]:
    ranked: Counter[tuple[float, bool]] = Counter()
    found = connection.execute(
        f"SELECT round(match_weight, 2), a.{_TRUTH} = b.{_TRUTH}, count(*) FROM {pairs} "
        f"JOIN {_TABLE} a ON a.unique_id = unique_id_l JOIN {_TABLE} b ON b.unique_id = unique_id_r GROUP BY 1, 2"
    )
    for weight, right, count in found.fetchall():
        ranked[weight, right] = count
    true, same = _pairs(connection, _TABLE, _TRUTH), splink_engine.weight_of(splink_engine.SAME)
    joined = f"(SELECT cluster_id, a.{_TRUTH} FROM {clusters} JOIN {_TABLE} a USING (unique_id))"
    return {
        "same": sum(count for (weight, _), count in ranked.items() if weight >= same),
        "right": sum(count for (weight, right), count in ranked.items() if right and weight >= same),
        "together": _pairs(connection, joined, "cluster_id"),
        "together_right": _pairs(connection, joined, f"cluster_id, {_TRUTH}"),
        "recall_at": {precision: recall_at(ranked, precision, true) for precision in PRECISIONS},
    }


def _pairs(connection: Any, table: str, by: str) -> int:
    """How many pairs of rows agree in some columns."""
    groups = f"(SELECT count(*) AS size FROM {table} GROUP BY {by})"
    return _one(connection, f"SELECT sum(size * (size - 1)) // 2 FROM {groups}")


def _one(connection: Any, query: str) -> int:
    ((number,),) = connection.execute(query).fetchall()  # all of it: DuckDB wants a result read to its end
    return int(number or 0)
