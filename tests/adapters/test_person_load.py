"""A whole population into the index at once: nothing that is there is overwritten, whoever is faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headwater.adapters.person_index import rows
from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.adapters.person_index.load import DynamoDbLoad, Settled, Standing
from headwater.errors import Retry
from headwater.model import Candidates, Person
from headwater.persons.history import events_of_save
from tests.adapters.conftest import Calls
from tests.adapters.test_person_index import LIMIT, PERSONS, found, make_table, record


@pytest.fixture
def dynamodb(client: Callable[[str], Any]) -> Any:
    return make_table(client("dynamodb"))


@pytest.fixture
def gate(dynamodb: Any) -> DynamoDbPersonIndex:
    return DynamoDbPersonIndex(dynamodb, PERSONS, bucket_limit=LIMIT)


@pytest.fixture
def load(dynamodb: Any) -> DynamoDbLoad:
    return DynamoDbLoad(dynamodb, PERSONS, bucket_limit=LIMIT)


def settled(name: str, *others: str) -> Settled:
    """The person that `found` makes, with more records."""
    person = Person(f"p{name}", 1, (record(f"r{name}"),))
    history = [*events_of_save(person, f"r{name}", Candidates())]
    for other in others:
        person = replace(person, version=person.version + 1, records=(*person.records, record(f"r{other}")))
        history += events_of_save(person, f"r{other}", Candidates())
    return Settled(person, tuple(history))


def persons_under(index: DynamoDbPersonIndex, key: str) -> set[str]:
    return {person.id for person in index.find("nobody", [key]).persons}


def test_a_person_comes_whole_in_one_transaction(load: DynamoDbLoad, calls: Calls) -> None:
    with calls.counted() as seen:
        assert load.add([settled("1", "2"), settled("3")]) == [Standing.ADDED, Standing.ADDED]
    assert seen == ["dynamodb.BatchGetItem", "dynamodb.TransactWriteItems", "dynamodb.TransactWriteItems"]
    person = settled("1", "2").person
    assert load.get("p1") == person
    assert load.find("r2", []).known == person
    assert load.history("p1") == list(settled("1", "2").history)


def test_a_person_that_is_there_is_left_as_it_is(load: DynamoDbLoad, gate: DynamoDbPersonIndex, calls: Calls) -> None:
    person = found(gate, "1", "a")
    with calls.counted() as seen:
        assert load.add([settled("1")]) == [Standing.THERE]
    assert seen == ["dynamodb.BatchGetItem"]
    assert gate.get("p1") == person


def test_a_person_of_whom_the_gate_has_a_record_elsewhere_is_not_written(
    load: DynamoDbLoad, gate: DynamoDbPersonIndex
) -> None:
    other = found(gate, "2", "a")
    assert load.add([settled("1", "2"), settled("2", "1")]) == [Standing.TAKEN, Standing.TAKEN]
    assert load.get("p1") is None
    assert load.get("p2") == other
    assert load.find("r1", []).known is None


def test_a_gate_that_comes_between_look_and_write_wins(
    load: DynamoDbLoad, gate: DynamoDbPersonIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = load._write

    def second(writes: Any) -> None:
        monkeypatch.setattr(load, "_write", written)
        found(gate, "2", "a")
        written(writes)

    monkeypatch.setattr(load, "_write", second)
    assert load.add([settled("1", "2")]) == [Standing.TAKEN]
    assert load.get("p1") is None


def test_buckets_are_added_to(load: DynamoDbLoad, gate: DynamoDbPersonIndex, calls: Calls) -> None:
    found(gate, "1", "a")
    load.add([settled("2"), settled("3")])
    with calls.counted() as seen:
        load.file({"a": {"p2", "p3"}, "b": {"p3"}})
    assert seen == ["dynamodb.BatchGetItem", "dynamodb.PutItem", "dynamodb.PutItem"]
    assert (persons_under(gate, "a"), persons_under(gate, "b")) == ({"p1", "p2", "p3"}, {"p3"})
    with calls.counted() as seen:
        load.file({"a": {"p2", "p3"}, "b": {"p3"}})
    assert seen == ["dynamodb.BatchGetItem"]


def test_a_gate_that_files_somebody_between_look_and_write_is_not_undone(
    load: DynamoDbLoad, gate: DynamoDbPersonIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.add([settled("2")])
    written = load._write

    def second(writes: Any) -> None:
        monkeypatch.setattr(load, "_write", written)
        found(gate, "1", "a")
        written(writes)

    monkeypatch.setattr(load, "_write", second)
    with pytest.raises(Retry, match=r"match\.conflict"):
        load.file({"a": {"p2"}})
    load.file({"a": {"p2"}})
    assert persons_under(gate, "a") == {"p1", "p2"}


def test_a_gate_that_looked_into_a_bucket_before_it_was_filled_matches_again(
    load: DynamoDbLoad, gate: DynamoDbPersonIndex
) -> None:
    seen = gate.find("r1", ["a"])
    load.add([settled("2")])
    load.file({"a": {"p2"}})
    with pytest.raises(Retry, match=r"match\.conflict"):
        gate.save(settled("1").person, record_key="r1", keys=["a"], seen=seen)


def test_a_bucket_of_too_many_is_full_as_by_the_gate(load: DynamoDbLoad, gate: DynamoDbPersonIndex) -> None:
    for name in "12":
        found(gate, name, "a", "b")
    load.file({"a": {"p3"}, "b": {f"p{number}" for number in range(3, 400)}})
    assert not gate.find("nobody", ["a"]).full
    assert gate.find("nobody", ["b"]).full
    load.file({"b": {"p777"}})
    row = gate._read([rows.bucket_key("b")])["bucket#b"]
    assert len(row["persons"]["SS"]) == LIMIT + 1


def test_what_a_person_costs_is_two_units_a_kilobyte(load: DynamoDbLoad) -> None:
    assert load.units_of(settled("1")) == 2 * 3
    large = settled("1", "2").person
    patient = {**large.records[0].patient, "text": "x" * 5000}
    large = replace(large, records=(replace(large.records[0], patient=patient), large.records[1]))
    assert load.units_of(Settled(large, settled("1", "2").history)) == 2 * (6 + 2 + 2)


def test_what_a_bucket_costs_is_a_unit_a_kilobyte(load: DynamoDbLoad, dynamodb: Any) -> None:
    ids = {f"{number:036d}" for number in range(50)}
    assert load.units_filed("a", set(list(ids)[:1])) == 1
    assert DynamoDbLoad(dynamodb, PERSONS).units_filed("a", ids) == 2
