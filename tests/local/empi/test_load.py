"""headwater empi load: an index that was loaded from a batch is the one that the gate would have filled."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.adapters.person_index.load import DynamoDbLoad, Standing
from headwater.errors import Hold, Retry
from headwater.inbound.match import person_id_of
from headwater.inbound.match.new import first_seen
from headwater.model import SourceRecord
from headwater.persons.blocking import lookup_keys
from headwater.persons.grade import grade_person
from headwater.persons.history import records_after
from headwater.persons.profile import profile_of
from local.empi import index_load
from local.empi.index_load import Load
from tests.local.empi.batches import POLICY, Batch, people, rows_of, source_of, through_the_gate

SOME = people(31, 20)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return Batch(tmp_path_factory.mktemp("some"), SOME)


def answer(index: DynamoDbPersonIndex, record: SourceRecord) -> object:
    """What the gate would say of an incoming record, and why: the candidates by their records, each with its grade."""
    profile = profile_of(record.traits, POLICY)
    seen = index.find(record.key, lookup_keys(profile, POLICY), likely=person_id_of(record.key))
    if seen.known:
        return {one.key for one in seen.known.records}
    grades = {frozenset(one.key for one in p.records): grade_person(profile, p, POLICY) for p in seen.persons}
    try:
        return grades, {one.key for one in first_seen(record, profile, seen, POLICY).records}
    except Hold as hold:
        return grades, hold.code


@pytest.mark.parametrize("seed", [1, 31])
def test_a_loaded_index_is_the_one_that_the_gate_fills(dynamodb: Any, tmp_path: Path, seed: int) -> None:
    records = people(seed, 40)
    made = Batch(tmp_path, records[::2])
    loading = made.load(DynamoDbLoad(dynamodb, "loaded"))
    loading.run()
    loaded, gated = DynamoDbPersonIndex(dynamodb, "loaded"), DynamoDbPersonIndex(dynamodb, "gated")
    through_the_gate(loaded, loading.messages())
    through_the_gate(gated, through_the_gate(gated, made.messages))  # once more for those that are held, as above
    assert rows_of(dynamodb, "loaded") == rows_of(dynamodb, "gated")
    incoming = source_of(tmp_path / "incoming", records[1::2])
    for _, message in incoming.messages():
        if record := incoming.record(message, POLICY):
            assert answer(loaded, record) == answer(gated, record)


def test_the_history_of_a_loaded_person_gives_its_records(dynamodb: Any, some: Batch) -> None:
    index = DynamoDbLoad(dynamodb, "loaded")
    some.load(index).run()
    persons = [pk.partition("#")[2] for pk, sk in rows_of(dynamodb, "loaded") if sk == "person"]
    linked = Counter[int]()
    for person in map(index.get, persons):
        assert person
        events = index.history(person.id)
        assert [event.version for event in events] == list(range(1, person.version + 1))
        assert records_after(events) == {record.key for record in person.records}
        assert all(known and known.id == person.id for known in (index.find(r.key, []).known for r in person.records))
        linked[len(events)] += 1
    assert 0 < linked[1] < linked.total()


def test_the_plan_is_what_is_written(dynamodb: Any, some: Batch) -> None:
    loading = some.load(DynamoDbLoad(dynamodb, "loaded"))
    assert not rows_of(dynamodb, "loaded")
    loading.run()
    written = Counter(sk.partition("#")[0] for _, sk in rows_of(dynamodb, "loaded"))
    plan = loading.plan
    assert written == {"person": plan.persons, "record": plan.records, "event": plan.records, "bucket": plan.buckets}
    assert plan.rows == written.total() < plan.write_units
    assert plan.messages == len(list(loading.messages())) == len(SOME) - plan.records


def test_a_load_that_is_begun_again_changes_nothing(dynamodb: Any, some: Batch) -> None:
    some.load(DynamoDbLoad(dynamodb, "loaded")).run()
    before = rows_of(dynamodb, "loaded", but="")
    again = some.load(DynamoDbLoad(dynamodb, "loaded"))
    again.run()
    assert again.standings == {Standing.THERE: again.plan.persons}
    assert rows_of(dynamodb, "loaded", but="") == before


class Stopping(DynamoDbLoad):
    """Away for good after so many requests."""

    left = 30

    def _write(self, writes: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        super()._write(writes)


@pytest.mark.parametrize("requests", [7, 60])
def test_a_load_that_was_stopped_is_made_whole(dynamodb: Any, some: Batch, requests: int) -> None:
    stopping = Stopping(dynamodb, "loaded")
    stopping.left = requests
    with pytest.raises(KeyboardInterrupt):
        some.load(stopping).run()
    some.load(DynamoDbLoad(dynamodb, "loaded")).run()
    some.load(DynamoDbLoad(dynamodb, "gated")).run()
    assert rows_of(dynamodb, "loaded") == rows_of(dynamodb, "gated")


def test_whom_the_feed_has_met_meanwhile_stays_as_it_is(dynamodb: Any, some: Batch) -> None:
    index = DynamoDbPersonIndex(dynamodb, "loaded")
    whose = [row["person_id"] for row in csv.DictReader(some.table.read_text().splitlines())]
    met = [place for place, person in enumerate(whose) if place % 3 == 1 or whose.count(person) == 1]
    through_the_gate(index, [some.messages[place] for place in met])
    before = rows_of(dynamodb, "loaded", but="")
    loading = some.load(DynamoDbLoad(dynamodb, "loaded"))
    loading.run()
    after = rows_of(dynamodb, "loaded", but="")
    assert all(loading.standings[standing] for standing in Standing)
    assert all(after[row] == before[row] for row in before if row[1] != "bucket")
    for row in before:
        assert set(before[row].get("persons", {}).get("SS", ())) <= set(after[row].get("persons", {}).get("SS", ()))
    through_the_gate(index, loading.messages())
    filed = {one for row in rows_of(dynamodb, "loaded").values() for one in row.get("persons", {}).get("SS", ())}
    assert filed == {pk.partition("#")[2] for pk, sk in rows_of(dynamodb, "loaded") if sk == "person"}


def test_who_is_throttled_asks_again_after_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(index_load.time, "sleep", slept.append)
    monkeypatch.setattr(index_load.random, "uniform", lambda low, high: high)

    def ask() -> str:
        if len(slept) < 9:
            raise Retry("match.unavailable")
        return "done"

    assert index_load._patiently(ask) == "done"
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0]
    with pytest.raises(Retry):
        index_load._patiently(lambda: (_ for _ in ()).throw(Retry("match.unavailable")))


def test_a_table_of_other_files_is_refused(dynamodb: Any, some: Batch, tmp_path: Path) -> None:
    lines = some.table.read_text().splitlines()
    for wrong in (lines[:-1], [lines[0], *lines[2:], lines[1]], [*lines, lines[1]]):
        table = tmp_path / "wrong.csv"
        table.write_text("\n".join(wrong))
        loading = Load(DynamoDbLoad(dynamodb, "loaded"), POLICY, tmp_path, threads=1, tell=lambda *_: None)
        with pytest.raises(ValueError, match="match them again"):
            loading.prepare([some.source], table, len(SOME))
