"""Runs random input in bounded processes and tells what did not hold.

    python -m tests.fuzz --inputs 1000000 --jobs 2
    python -m tests.fuzz --target hl7v2 --only 12345      # one input again, with its traceback

An input may be taken or refused. It fails the run if it ends in any other exception, shows the inside of Python, takes
more than `--seconds` of CPU, or a process needs more than `--memory` megabytes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from random import Random
from typing import Any, Protocol, cast

from tests.fuzz.targets import TARGETS, attempt

_MEGABYTE = 1_000_000
_TAKEN, _FAULT = "taken", "fault"
_REPORTED = 500  # inputs between two words from a worker
_SILENCE = 24  # a worker that says nothing for so many times `--seconds` hangs; the machine may be busy


class Number(Protocol):
    """An integer that two processes share."""

    value: int


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many in all (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs (default: %(default)s)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seconds", type=float, default=5, help="CPU one input may take (default: %(default)s)")
    parser.add_argument("--memory", type=int, default=512, help="megabytes a process may take (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one input of one --target, in this process")
    options = parser.parse_args(arguments)
    if options.only is not None:
        print(attempt((options.target or ["hl7v2"])[0], options.seed, options.only))
        return 0
    options.target = options.target or list(TARGETS)
    return Run(options).report()


def schedule(seed: int, number: int, targets: Sequence[str]) -> str:
    """Which target gets input `number`: by its weight, the same in every run."""
    return Random(f"{seed}:{number}").choices(targets, [TARGETS[name][1] for name in targets])[0]


@dataclass
class Tally:
    """What came of some inputs."""

    done: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    peak: float = 0.0  # megabytes

    def add(self, other: Tally) -> None:
        self.done += other.done
        self.outcomes.update(other.outcomes)
        self.faults += other.faults
        self.slowest, self.peak = max(self.slowest, other.slowest), max(self.peak, other.peak)

    def take(self, target: str, number: int, options: argparse.Namespace) -> None:
        """One input."""
        name, began = f"--target {target} --only {number}", time.process_time()
        try:
            outcome = attempt(target, options.seed, number)
        except BaseException as error:  # noqa: BLE001 - that nothing else comes out is what is tested
            outcome = _FAULT
            self.faults.append(f"{name}: {_described(error)}")
        took = time.process_time() - began
        if took > options.seconds:
            self.faults.append(f"{name}: {took:.1f} s of CPU")
        self.done += 1
        self.outcomes[target, outcome] += 1
        self.slowest = max(self.slowest, (took, name))
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _described(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}"


def work(worker: int, options: argparse.Namespace, tell: Connection, current: Number) -> None:
    """Every `jobs`-th input from `worker` on, in a process that cannot take more memory than it may."""
    limit = options.memory * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    tally = Tally()
    for number in range(worker, options.inputs, options.jobs):
        current.value = number
        tally.take(schedule(options.seed, number, options.target), number, options)
        if tally.done == _REPORTED:
            tell.send(tally)
            tally = Tally()
    tell.send(tally)
    tell.close()


class Run:
    """The workers, watched from outside: one that is killed or silent is a fault as well."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._all = Tally()
        self._workers: dict[Connection, tuple[Any, Number]] = {}

    def report(self) -> int:
        """Runs everything, prints what came of it, and gives the exit code."""
        began, said = time.monotonic(), self._all
        self._watch()
        for target in self._options.target:
            codes = Counter({code: count for (name, code), count in said.outcomes.items() if name == target})
            refused = {code for code in codes if code not in (_TAKEN, _FAULT)}
            counts = f"{codes.total():>9,} inputs  {codes[_TAKEN]:>9,} taken"
            print(f"{target:18}  {counts}  {sum(codes[code] for code in refused):>9,} refused, {len(refused)} codes")
        print(f"{said.done:,} inputs in {time.monotonic() - began:.0f} s, {len(said.faults)} faults")
        print(
            f"the slowest: {said.slowest[0]:.2f} s of CPU ({said.slowest[1]}); the largest process: {said.peak:.0f} MB"
        )
        for fault in sorted(said.faults)[:50]:
            print(f"  {fault}")
        held = said.done == self._options.inputs and not said.faults and said.peak <= self._options.memory
        return 0 if held else 1

    def _watch(self) -> None:
        self._start()
        moved = {hear: (-1, time.monotonic()) for hear in self._workers}
        while self._workers:
            for hear in wait(list(self._workers), timeout=1):
                self._hear(cast("Connection", hear))
            for hear, (process, current) in self._workers.items():
                number, since = moved[hear]
                if current.value != number:
                    moved[hear] = current.value, time.monotonic()
                elif time.monotonic() - since > _SILENCE * self._options.seconds:
                    process.kill()
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        for worker in range(self._options.jobs):
            hear, tell = context.Pipe(duplex=False)
            current = context.Value("q", worker, lock=False)
            process = context.Process(target=work, args=(worker, self._options, tell, current))
            process.start()
            tell.close()
            self._workers[hear] = process, current

    def _hear(self, hear: Connection) -> None:
        try:
            self._all.add(hear.recv())
        except EOFError:
            process, current = self._workers.pop(hear)
            process.join()
            if process.exitcode:
                target = schedule(self._options.seed, current.value, self._options.target)
                ended = "hangs" if process.exitcode == -signal.SIGKILL else f"ended its process with {process.exitcode}"
                self._all.faults.append(f"--target {target} --only {current.value}: {ended}")
        if sys.stderr.isatty():
            done, faults = f"{self._all.done:>11,}", len(self._all.faults)
            print(f"\r{done} of {self._options.inputs:,}, {faults} faults", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
