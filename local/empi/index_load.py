"""A batch goes into the index: planned and priced first, then persons, then the buckets that they are found by.

The plan is made of the rows themselves. Many requests are under way at a time; one that is throttled is asked again,
each time after longer, and a load that was stopped is begun again from the start: what is there is left as it is.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from headwater.adapters.person_index.load import MOST_ROWS, DynamoDbLoad, Standing
from headwater.errors import Retry
from headwater.persons.policy import MatchingPolicy
from local.empi.load import Group, Message, Source, groups, split
from local.empi.spill import Spill

# On demand, table class Standard, us-east-1, per million. https://aws.amazon.com/dynamodb/pricing/on-demand/
_DOLLARS_WRITTEN, _DOLLARS_READ = 0.625, 0.125
_AT_A_TIME = 25  # persons whose rows are read together: about a hundred
_ATTEMPTS, _LONGEST = 12, 20.0  # of one request; seconds between two

_Entry = TypeVar("_Entry")
_Answer = TypeVar("_Answer")
_Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Plan:
    """What goes into an index where nobody is."""

    persons: int = 0
    records: int = 0
    buckets: int = 0
    write_units: int = 0
    messages: int = 0

    @property
    def rows(self) -> int:
        """Of a person one, of a record one and its line of history, of a bucket one."""
        return self.persons + 2 * self.records + self.buckets

    @property
    def read_units(self) -> int:
        """What is not there takes one as well."""
        return self.persons + self.records + self.buckets

    @property
    def dollars(self) -> float:
        return (_DOLLARS_WRITTEN * self.write_units + _DOLLARS_READ * self.read_units) / 1e6


class Load:
    """To be prepared, then run, then asked for its `messages`. `folder` takes some KB a record meanwhile; `tell` hears
    what is done, how much, and of how much."""

    def __init__(
        self, index: DynamoDbLoad, policy: MatchingPolicy, folder: Path, *, threads: int, tell: _Progress
    ) -> None:
        self.plan, self.standings = Plan(), Counter[Standing]()
        self._index, self._policy, self._threads, self._tell = index, policy, threads, tell
        self._records, self._filed = Spill(folder, "records"), Spill(folder, "filed")
        self._rest = Spill(folder, "rest", parts=1)

    def prepare(self, sources: Sequence[Source], table: Path, records: int) -> Plan:
        """Read everything (so many records) and write nothing. Raises ValueError when the table is of other files."""
        for done in split(sources, table, self._policy, self._records, self._rest):
            self._tell("records read", min(done, records), records)
        self._records.close()
        for number in range(len(self._records)):
            found, left = groups(self._records.part(number))
            for group in found:
                self._plan_person(group)
            self._leave(left)
            self._tell("persons planned", number + 1, len(self._records))
        self._filed.close()
        for filed in self._buckets("buckets planned"):
            self.plan.buckets += len(filed)
            self.plan.write_units += sum(self._index.units_filed(key, persons) for key, persons in filed.items())
        self.plan.messages += records - self.plan.records
        return self.plan

    def run(self) -> None:
        """Write persons, then buckets. Raises Retry when AWS has been throttled or away for minutes."""
        with ThreadPoolExecutor(self._threads) as pool:
            taken = frozenset(self._add_persons(pool))
            for filed in self._buckets("buckets", taken):
                for _ in pool.map(self._file, _cut(filed.items(), MOST_ROWS)):
                    pass
        self._rest.close()

    def messages(self) -> Iterator[Message]:
        """What is left to the gate."""
        return self._rest.part(0)

    def _plan_person(self, group: Group) -> None:
        person = group.settled.person
        self.plan.persons += 1
        self.plan.records += len(person.records)
        self.plan.write_units += self._index.units_of(group.settled)
        for key in group.keys(self._policy):
            self._filed.put(key, (key, person.id))

    def _leave(self, messages: Iterable[Message]) -> None:
        """To the gate."""
        for message in messages:
            self._rest.put("", message)

    def _add_persons(self, pool: ThreadPoolExecutor) -> Iterator[str]:
        """Gives the ids of those that were taken, whose records go to the gate."""
        for number in range(len(self._records)):
            found, _ = groups(self._records.part(number))
            for group, standing in chain.from_iterable(pool.map(self._add, _cut(found, _AT_A_TIME))):
                self.standings[standing] += 1
                if standing is Standing.TAKEN:
                    yield group.settled.person.id
                    self._leave(group.messages)
            self._tell("persons", number + 1, len(self._records))

    def _buckets(self, what: str, without: Set[str] = frozenset()) -> Iterator[dict[str, set[str]]]:
        """By blocking key, a part at a time, who is filed under it."""
        for number in range(len(self._filed)):
            filed: defaultdict[str, set[str]] = defaultdict(set)
            for key, person in self._filed.part(number):
                if person not in without:
                    filed[key].add(person)
            yield filed
            self._tell(what, number + 1, len(self._filed))

    def _add(self, some: Sequence[Group]) -> list[tuple[Group, Standing]]:
        standings = _patiently(lambda: self._index.add([group.settled for group in some]))
        return list(zip(some, standings, strict=True))

    def _file(self, some: Sequence[tuple[str, set[str]]]) -> None:
        _patiently(lambda: self._index.file(dict(some)))


def _cut(entries: Iterable[_Entry], most: int) -> Iterator[list[_Entry]]:
    rest = iter(entries)
    while some := list(islice(rest, most)):
        yield some


def _patiently(ask: Callable[[], _Answer]) -> _Answer:
    """Ask until it is answered, after longer and longer, and not all threads at once. What was done is not done again.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
    for attempt in range(_ATTEMPTS):
        try:
            return ask()
        except Retry:
            time.sleep(random.uniform(0, min(_LONGEST, 0.1 * 2**attempt)))
    return ask()
