"""The contract of `PersonIndex`, on DynamoDB (moto) and in memory; and what only DynamoDB can do wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.adapters.person_index.moves import DynamoDbMoves
from headwater.errors import Refuse, Retry
from headwater.inbound.match import match
from headwater.model import (
    Candidates,
    Converted,
    Decision,
    Identifier,
    LinkChange,
    LinkEvent,
    Move,
    Person,
    SourceRecord,
    Traits,
)
from headwater.persons.history import on_the_way
from headwater.persons.policy import load_policy
from headwater.ports import Moves, PersonIndex
from tests.adapters.conftest import Calls
from tests.fakes_persons import InMemoryMoves, InMemoryPersonIndex

PERSONS = "persons"
LIMIT = 3
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MRN = Identifier("urn:oid:1.2.3", "77", "MR")
TRAITS = Traits(
    family=("Núñez",), given=("Ana", "M"), birth_date=date(1980, 2, 3), gender="female", phones=("555-0100",),
    identifiers=(MRN, Identifier("", "x")), multiple_birth=True,
)  # fmt: skip
RECORD = SourceRecord("north|urn:oid:1.2.3|77", "north", TRAITS, NOON, {"resourceType": "Patient", "id": "77"})
PERSON = Person("p1", 1, (RECORD,))
DECISION = Decision("r2", 1, "steward@example.org", "2026-11-22T12:00:00+00:00", "seen the papers", link_to="p1")


def make_table(client: Any) -> Any:
    client.create_table(
        TableName=PERSONS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return client


@pytest.fixture
def dynamodb(client: Callable[[str], Any]) -> Any:
    return make_table(client("dynamodb"))


@pytest.fixture(params=["memory", "dynamodb"])
def index(request: pytest.FixtureRequest) -> PersonIndex:
    if request.param == "memory":
        return InMemoryPersonIndex(bucket_limit=LIMIT)
    return DynamoDbPersonIndex(request.getfixturevalue("dynamodb"), PERSONS, bucket_limit=LIMIT)


def record(key: str) -> SourceRecord:
    return replace(RECORD, key=key)


def found(index: PersonIndex, name: str, *keys: str) -> Person:
    """A person with the one record `r<name>`, filed under `keys`."""
    person = Person(f"p{name}", 1, (record(f"r{name}"),))
    index.save(person, record_key=f"r{name}", keys=keys, seen=index.find(f"r{name}", keys))
    return person


def test_nobody_is_known_to_an_empty_index(index: PersonIndex) -> None:
    seen = index.find("r1", ["a", "b"])
    assert (seen.known, seen.persons, seen.full, seen.decision, seen.apart) == (None, (), False, None, frozenset())
    assert index.get("p1") is None


def test_a_person_comes_back_as_it_was(index: PersonIndex) -> None:
    index.save(PERSON, record_key=RECORD.key, keys=["a"], seen=index.find(RECORD.key, ["a"]))
    assert index.get("p1") == PERSON
    assert index.find(RECORD.key, []).known == PERSON


def test_a_person_is_found_under_each_of_its_keys(index: PersonIndex) -> None:
    person = found(index, "1", "a", "b")
    assert index.find("r2", ["b", "c"]).persons == (person,)
    assert index.find("r2", ["a", "b"]).persons == (person,)
    assert index.find("r2", ["c"]).persons == ()


def test_a_linked_record_is_its_persons_whoever_else_shares_its_keys(index: PersonIndex) -> None:
    one, two = found(index, "1", "a"), found(index, "2", "b")
    seen = index.find("r1", ["b"])
    assert seen.known == one
    assert index.find("r2", ["a"]).known == two


def test_a_record_is_linked_to_a_person_that_was_found(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    seen = index.find("r2", ["a", "z"])
    linked = replace(person, version=2, records=(*person.records, record("r2")))
    index.save(linked, record_key="r2", keys=["a", "z"], seen=seen)
    assert index.find("r2", []).known == index.find("r1", []).known == linked
    assert index.find("r3", ["z"]).persons == (linked,)


def test_two_that_see_one_new_human_at_once_make_one_person(index: PersonIndex) -> None:
    fast, slow = index.find("r1", ["a", "b"]), index.find("r2", ["b", "c"])
    index.save(Person("p1", 1, (record("r1"),)), record_key="r1", keys=["a", "b"], seen=fast)
    with pytest.raises(Retry) as lost:
        index.save(Person("p2", 1, (record("r2"),)), record_key="r2", keys=["b", "c"], seen=slow)
    assert lost.value.code == "match.conflict"
    assert index.get("p2") is None
    again = index.find("r2", ["b", "c"])
    assert [person.id for person in again.persons] == ["p1"]


def test_two_that_see_one_new_record_at_once_make_one_person(index: PersonIndex) -> None:
    fast, slow = index.find("r1", ["a"]), index.find("r1", ["other"])
    index.save(Person("p1", 1, (record("r1"),)), record_key="r1", keys=["a"], seen=fast)
    with pytest.raises(Retry):
        index.save(Person("p2", 1, (record("r1"),)), record_key="r1", keys=["other"], seen=slow)
    assert index.find("r1", []).known == Person("p1", 1, (record("r1"),))


def test_a_link_fails_if_a_rival_was_filed_since(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    seen = index.find("r3", ["a", "b"])
    found(index, "2", "b")
    with pytest.raises(Retry):
        index.save(replace(person, version=2), record_key="r3", keys=["a", "b"], seen=seen)


def test_a_link_fails_if_a_rival_was_filed_under_a_key_that_the_person_has(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    seen = index.find("r3", ["a"])
    found(index, "2", "a")
    with pytest.raises(Retry):
        index.save(replace(person, version=2), record_key="r3", keys=["a"], seen=seen)


def test_news_of_two_records_of_one_person_at_once_does_not_lose_one(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    fast, slow = index.find("r1", ["a"]), index.find("r1", ["a"])
    newer = replace(person, records=(replace(person.records[0], event_time=NOON.replace(hour=13)),))
    index.save(newer, record_key="r1", keys=["a"], seen=fast)
    with pytest.raises(Retry):
        index.save(person, record_key="r1", keys=["a"], seen=slow)
    assert index.get("p1") == newer


def test_news_files_the_person_under_its_new_keys(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    index.save(person, record_key="r1", keys=["a", "moved"], seen=index.find("r1", ["a", "moved"]))
    assert index.find("r2", ["moved"]).persons == (person,)


def test_a_new_person_never_overwrites_one_of_the_same_id(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    seen = index.find("r9", ["b"], likely="p1")
    with pytest.raises(Retry):
        index.save(Person("p1", 1, ()), record_key="r9", keys=["b"], seen=seen)
    assert index.get("p1") == person


def test_an_over_full_bucket_says_so_and_is_never_silently_cut(index: PersonIndex) -> None:
    for name in "1234":
        found(index, name, "shelter", f"own-{name}")
    seen = index.find("r9", ["shelter"])
    assert seen.full
    assert not index.find("r9", ["own-4"]).full
    assert not index.find("r4", ["shelter"]).full, "who is linked needs no bucket"


def test_a_decision_is_found_with_the_record_and_closed_by_the_save_that_used_it(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    index.decide(DECISION)
    seen = index.find("r2", ["z"])
    assert seen.decision == DECISION
    assert seen.persons == (person,), "the person that the steward named comes along"
    linked = replace(person, version=2, records=(*person.records, record("r2")))
    index.save(linked, record_key="r2", keys=["z"], seen=seen)
    after = index.find("r2", ["z"])
    assert (after.known, after.decision) == (linked, None)
    assert index.decisions("r2") == [DECISION] or index.decisions("r2") == (DECISION,)


def test_a_decision_stays_open_when_a_save_did_not_use_it(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    decision = replace(DECISION, record_key="r1")
    index.decide(decision)
    index.save(person, record_key="r1", keys=["a"], seen=replace(index.find("r1", ["a"]), decision=None))
    assert index.find("r1", []).decision == decision


def test_whom_a_record_was_kept_from_is_remembered_for_good(index: PersonIndex) -> None:
    index.decide(replace(DECISION, link_to="", apart_from=frozenset({"p1", "p2"})))
    index.save(Person("p3", 1, (record("r2"),)), record_key="r2", keys=[], seen=index.find("r2", []))
    index.decide(replace(DECISION, version=2, link_to="", apart_from=frozenset({"p4"})))
    assert index.find("r2", []).apart == {"p1", "p2", "p4"}
    assert [decision.version for decision in index.decisions("r2")] == [1, 2]


def test_two_stewards_answering_at_once_do_not_overwrite_each_other(index: PersonIndex) -> None:
    index.decide(DECISION)
    with pytest.raises(Retry):
        index.decide(replace(DECISION, by="other@example.org"))
    assert [decision.by for decision in index.decisions("r2")] == [DECISION.by]


def test_a_decision_made_meanwhile_makes_the_save_match_again(index: PersonIndex) -> None:
    seen = index.find("r2", ["a"])
    index.decide(replace(DECISION, link_to="", apart_from=frozenset({"p9"})))
    with pytest.raises(Retry):
        index.save(Person("p2", 1, (record("r2"),)), record_key="r2", keys=["a"], seen=seen)


def test_a_record_moves_from_one_person_to_another_in_one_write(index: PersonIndex) -> None:
    one, two = found(index, "1", "a"), found(index, "2", "b")
    index.decide(replace(DECISION, record_key="r1", link_to="p2"))
    seen = index.find("r1", ["a"])
    joined, left = replace(two, version=2, records=(*two.records, *one.records)), replace(one, version=2, records=())
    index.save(joined, record_key="r1", keys=["a"], seen=seen, left=left)
    assert index.find("r1", []).known == joined
    assert index.get("p1") == left


def merged(index: PersonIndex, one: Person, two: Person, *keys: str, mark: bool = False) -> tuple[Person, Person]:
    """`one` merged into `two`, whose keys are `keys` then."""
    seen = index.read([one.id, two.id], [record.key for record in one.records], keys)
    retired = replace(one, version=one.version + 1, records=(), replaced_by=two.id)
    into = replace(two, version=two.version + 1, records=(*two.records, *one.records), replaces=(one.id,))
    retired, into = on_the_way(retired, into) if mark else (retired, into)
    moved = tuple(record.key for record in one.records)
    events = (
        LinkEvent(one.id, retired.version, LinkChange.MERGED, "2026-11-22", "s", "r", lost=moved, other=two.id),
        LinkEvent(two.id, into.version, LinkChange.MERGED, "2026-11-22", "s", "r", gained=moved, other=one.id),
    )
    index.relink((retired, into), events, keys={one.id: (), two.id: keys}, seen=seen)
    assert list(index.history(one.id))[-1:] == [events[0]]
    assert list(index.history(two.id))[-1:] == [events[1]]
    return retired, into


def test_a_merge_moves_records_and_files_only_who_is_left(index: PersonIndex) -> None:
    retired, into = merged(index, found(index, "1", "a"), found(index, "2", "b"), "a", "b")
    assert (index.get("p1"), index.get("p2")) == (retired, into)
    assert index.find("r1", []).known == index.find("r2", []).known == into
    assert index.find("r9", ["a"]).persons == index.find("r9", ["b"]).persons == (into,)


def test_a_merge_fails_if_a_rival_was_filed_or_news_came_meanwhile(index: PersonIndex) -> None:
    one, two = found(index, "1", "a"), found(index, "2", "b")
    read = index.read
    for meanwhile in (
        lambda: found(index, "3", "a"),
        lambda: index.save(one, record_key="r1", keys=["a"], seen=index.find("r1", ["a"])),
        lambda: index.decide(replace(DECISION, record_key="r1")),
    ):

        def late(*asked: Any, then: Callable[[], object] = meanwhile) -> Candidates:
            seen = read(*asked)
            then()
            return seen

        index.read = late  # type: ignore[method-assign]
        with pytest.raises(Retry):
            merged(index, one, two, "a", "b")
    assert (index.get("p1"), index.get("p2")) == (one, two)


def test_a_bucket_that_nobody_is_left_in_is_empty_and_can_be_filled_again(index: PersonIndex) -> None:
    merged(index, found(index, "1", "a"), found(index, "2", "b"), "b")
    assert [person.id for person in index.find("r9", ["a"]).persons] == []
    index.relink((), (), keys={"p1": ()}, seen=index.read([], [], ["a"]))
    assert index.find("r9", ["a"]).persons == ()
    found(index, "4", "a")
    assert [person.id for person in index.find("r9", ["a"]).persons] == ["p4"]


def test_the_history_of_a_person_begins_with_its_first_record(index: PersonIndex) -> None:
    person = found(index, "1", "a")
    seen = index.find("r2", ["a"])
    index.save(
        replace(person, version=2, records=(*person.records, record("r2"))), record_key="r2", keys=["a"], seen=seen
    )
    assert [(line.version, line.change, line.gained) for line in index.history("p1")] == [
        (1, LinkChange.FOUNDED, ("r1",)),
        (2, LinkChange.LINKED, ("r2",)),
    ]


def moves_of(index: PersonIndex) -> Moves:
    if isinstance(index, InMemoryPersonIndex):
        return InMemoryMoves(index)
    assert isinstance(index, DynamoDbPersonIndex)
    return DynamoDbMoves(index._client, PERSONS)


def test_a_record_that_changes_hands_leaves_a_note_that_its_facts_must_follow(index: PersonIndex) -> None:
    moves = moves_of(index)
    one, two = found(index, "1", "a"), found(index, "2", "b")
    assert moves.list() == [], "who is founded or linked has nothing stored elsewhere"
    merged(index, one, two, "a", "b")
    gained = index.history("p2")[-1]
    assert [(move.event, move.since) for move in moves.list()] == [(gained, "")]


def test_a_stewards_move_leaves_the_same_note(index: PersonIndex) -> None:
    one, two = found(index, "1", "a"), found(index, "2", "b")
    index.decide(replace(DECISION, record_key="r1", link_to="p2"))
    joined, left = replace(two, version=2, records=(*two.records, *one.records)), replace(one, version=2, records=())
    index.save(joined, record_key="r1", keys=["a"], seen=index.find("r1", ["a"]), left=left)
    (move,) = moves_of(index).list()
    assert (move.event.person_id, move.event.other, move.event.gained) == ("p2", "p1", ("r1",))


def test_when_a_move_was_begun_is_noted_once(index: PersonIndex) -> None:
    moves = moves_of(index)
    merged(index, found(index, "1", "a"), found(index, "2", "b"), "a", "b")
    for at in ("2026-11-22T12:00:00+00:00", "2026-11-22T13:00:00+00:00"):
        moves.begin(moves.list()[0], at)
    assert [move.since for move in moves.list()] == ["2026-11-22T12:00:00+00:00"]
    moves.begin(Move(LinkEvent("p9", 1, LinkChange.MERGED, "", "")), "2026")
    assert len(moves.list()) == 1, "a note that is gone does not come back"


def test_a_move_that_ends_is_forgotten_and_marks_nobody_any_more(index: PersonIndex) -> None:
    moves = moves_of(index)
    retired, into = merged(index, found(index, "1", "a"), found(index, "2", "b"), "a", "b", mark=True)
    assert retired.moving == into.moving == {"p2#2"}
    (move,) = moves.list()
    stale = index.find("r1", [])
    for _ in range(2):
        moves.end(move)
    assert moves.list() == []
    assert [index.get(one) for one in ("p1", "p2")] == [replace(one, moving=frozenset()) for one in (retired, into)]
    with pytest.raises(Retry):
        index.save(replace(into, version=3), record_key="r1", keys=[], seen=stale)


# ------------------------------------------------------------------------------------------------------ DynamoDB alone


def test_more_than_one_write_can_hold_is_refused_by_name(dynamodb: Any) -> None:
    index = DynamoDbPersonIndex(dynamodb, PERSONS)
    one, two = found(index, "1"), found(index, "2")
    with pytest.raises(Refuse, match=r"steward\.too_large"):
        merged(index, one, two, *map(str, range(98)))


def test_a_new_person_costs_one_read_and_one_write(dynamodb: Any, calls: Calls) -> None:
    with calls.counted() as made:
        found(DynamoDbPersonIndex(dynamodb, PERSONS), "1", *"abcdefg")
    assert made == ["dynamodb.BatchGetItem", "dynamodb.TransactWriteItems"]


def test_news_of_a_likely_person_costs_one_read_and_one_write(dynamodb: Any, calls: Calls) -> None:
    index = DynamoDbPersonIndex(dynamodb, PERSONS)
    person = found(index, "1", "a", "b")
    with calls.counted() as made:
        seen = index.find("r1", ["a", "b"], likely="p1")
        index.save(replace(person, records=(replace(RECORD, key="r1"),)), record_key="r1", keys=["a", "b"], seen=seen)
    assert made == ["dynamodb.BatchGetItem", "dynamodb.PutItem"]


def test_candidates_cost_one_read_more(dynamodb: Any, calls: Calls) -> None:
    index = DynamoDbPersonIndex(dynamodb, PERSONS)
    found(index, "1", "a")
    found(index, "2", "b")
    with calls.counted() as made:
        assert len(index.find("r3", ["a", "b"]).persons) == 2
    assert made == ["dynamodb.BatchGetItem"] * 2


def test_matching_a_message_costs_at_most_two_calls_in_the_common_case(dynamodb: Any, calls: Calls) -> None:
    """A first visit, news of a known patient, and news without news; a first visit to a second EHR costs a third."""
    index, policy = DynamoDbPersonIndex(dynamodb, PERSONS), load_policy(Path(__file__).parents[2] / "mappings")
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}

    def message(ehr: str, hour: int) -> list[str]:
        patient = {
            "resourceType": "Patient", "id": "x", "birthDate": "1971-04-23", "gender": "female",
            "identifier": [{"system": f"urn:{ehr}", "value": "1001", "type": kind}],
            "name": [{"family": "Ruiz", "given": ["Ana"]}], "telecom": [{"system": "phone", "value": "713-234-5678"}],
        }  # fmt: skip
        with calls.counted() as made:
            match(Converted("ADT_A08", (patient,), NOON.replace(hour=hour)), ehr, index, policy)
        return [call.removeprefix("dynamodb.") for call in made]

    assert message("north", 12) == ["BatchGetItem", "TransactWriteItems"]
    assert message("north", 13) == ["BatchGetItem", "PutItem"]
    assert message("north", 13) == ["BatchGetItem"]
    assert message("south", 14) == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


def test_every_read_is_strongly_consistent(dynamodb: Any) -> None:
    asked: list[dict[str, Any]] = []
    dynamodb.meta.events.register(
        "before-parameter-build.dynamodb.BatchGetItem", lambda params, **_: asked.append(params["RequestItems"])
    )
    index = DynamoDbPersonIndex(dynamodb, PERSONS)
    found(index, "1", "a")
    index.find("r2", ["a"])
    assert asked
    assert all(tables[PERSONS]["ConsistentRead"] is True for tables in asked)


def test_no_key_of_the_table_holds_an_mrn(dynamodb: Any) -> None:
    index = DynamoDbPersonIndex(dynamodb, PERSONS)
    index.save(PERSON, record_key=RECORD.key, keys=["a"], seen=index.find(RECORD.key, ["a"]))
    index.decide(replace(DECISION, record_key=RECORD.key))
    keys = [row["pk"]["S"] + row["sk"]["S"] for row in dynamodb.scan(TableName=PERSONS)["Items"]]
    assert len(keys) == 5
    assert not [key for key in keys if "|77" in key or "1.2.3" in key]


def test_keys_that_dynamodb_leaves_unread_are_asked_for_again() -> None:
    class Reluctant:
        asked = 0

        def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
            self.asked += 1
            return {"Responses": {PERSONS: []}, "UnprocessedKeys": RequestItems}

    client = Reluctant()
    with pytest.raises(Retry) as late:
        DynamoDbPersonIndex(client, PERSONS).find("r1", ["a"])
    assert late.value.code == "match.unavailable"
    assert client.asked == 3


class Broken:
    """A client whose every write fails with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        return {"Responses": {}}

    def transact_write_items(self, **_: Any) -> None:
        raise self.error


def cancelled(*codes: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "item: Núñez"},
        "CancellationReasons": [{"Code": code, "Message": "Núñez"} for code in codes],
    }
    return ClientError(response, "TransactWriteItems")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (cancelled("None", "ConditionalCheckFailed"), "match.conflict"),
        (cancelled("TransactionConflict", "None"), "match.conflict"),
        (cancelled("ThrottlingError"), "match.unavailable"),
        (cancelled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"), "match.unavailable"),
        (ConnectTimeoutError(endpoint_url="https://dynamodb"), "match.unavailable"),
    ],
)
def test_a_write_that_may_succeed_later_is_retried_without_a_word_of_the_rows(error: Exception, code: str) -> None:
    index = DynamoDbPersonIndex(Broken(error), PERSONS)
    with pytest.raises(Retry) as raised:
        found(index, "1", "a")
    assert raised.value.code == code
    assert "Núñez" not in f"{raised.value} {raised.value.__cause__}"


def test_a_write_that_will_never_succeed_is_not_retried() -> None:
    with pytest.raises(ClientError):
        found(DynamoDbPersonIndex(Broken(cancelled("ValidationError")), PERSONS), "1", "a")


def test_a_save_takes_only_what_find_gave() -> None:
    with pytest.raises(TypeError):
        DynamoDbPersonIndex(Broken(RuntimeError()), PERSONS).save(PERSON, record_key="r", keys=[], seen=Candidates())


def test_more_candidates_than_one_read_takes_are_too_many(dynamodb: Any) -> None:
    index = DynamoDbPersonIndex(dynamodb, PERSONS, bucket_limit=1000)
    ids = [f"p{number}" for number in range(100)]
    bucket = {"pk": {"S": "bucket#a"}, "sk": {"S": "bucket"}, "rev": {"N": "1"}, "persons": {"SS": ids}}
    dynamodb.put_item(TableName=PERSONS, Item=json.loads(json.dumps(bucket)))
    seen = index.find("r1", ["a"])
    assert seen.full
    assert seen.persons == ()
