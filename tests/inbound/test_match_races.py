"""match under concurrency: however messages and stewards interleave, no record is in two persons and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from moto import mock_aws

from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.errors import Hold, Refuse, Retry
from headwater.inbound.match import match, person_id_of
from headwater.inbound.relink import Relink
from headwater.model import Converted, Person, Resource
from headwater.persons.history import records_after
from headwater.persons.links import Links, Signed
from headwater.persons.policy import load_policy
from headwater.persons.steward import keep_apart, link
from headwater.ports import PersonIndex
from tests.adapters.test_person_index import PERSONS, make_table
from tests.fakes import FakeFhirStore
from tests.fakes_persons import InMemoryPersonIndex

POLICY = load_policy(Path(__file__).parents[2] / "mappings")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STEWARD = Signed("steward@example.org", NOON, "saw the papers")
KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"
EHRS = ("north", "south", "west")
# Two brothers, one of them a twin of the other in all but the name, and a stranger.
HUMANS = (("Jonathan", "1971-04-23"), ("Nathaniel", "1971-04-23"), ("Walter", "1950-12-30"))

ehrs, humans = st.sampled_from(EHRS), st.integers(0, len(HUMANS) - 1)


def patient(ehr: str, number: int, human: int) -> Resource:
    given, born = HUMANS[human]
    return {
        "resourceType": "Patient",
        "id": f"src-{number}",
        "identifier": [
            {"system": f"urn:{ehr}", "value": f"{ehr}{number}", "type": {"coding": [{"system": KINDS, "code": "MR"}]}}
        ],
        "name": [{"family": "Quintero", "given": [given]}],
        "birthDate": born,
        "gender": "male",
        "telecom": [{"system": "phone", "value": "713-234-5678"}],
    }


def key_of(ehr: str, number: int) -> str:
    return f"{ehr}|urn:{ehr}|{ehr.upper()}{number}"


class Overtaken:
    """An index whose saves wait until they are let through: a Lambda that was overtaken between read and write."""

    def __init__(self, index: PersonIndex) -> None:
        self.find, self.get, self.decide, self.decisions = index.find, index.get, index.decide, index.decisions
        self.read, self.relink, self.history = index.read, index.relink, index.history
        self.late: Callable[[], None] | None = None
        self._save = index.save

    def save(self, person: Person, **rest: Any) -> None:
        self.late = lambda: self._save(person, **rest)


class Races(RuleBasedStateMachine):
    late = Bundle("late")

    def __init__(self) -> None:
        super().__init__()
        self.index: PersonIndex = self.make()
        self.minute = 0
        self.known: set[str] = set()
        self.linked: dict[str, str] = {}

    def make(self) -> PersonIndex:
        return InMemoryPersonIndex()

    def arrive(self, index: PersonIndex, ehr: str, human: int, says: int) -> str:
        """A message of an EHR's record of `human` that now speaks of `says`; gives the person's id."""
        self.minute += 1
        converted = Converted("ADT_A08", (patient(ehr, human, says),), NOON + timedelta(minutes=self.minute))
        self.known.add(key_of(ehr, human))
        return match(converted, ehr, index, POLICY).person_id

    @rule(ehr=ehrs, human=humans)
    def message(self, ehr: str, human: int) -> None:
        with suppress(Hold):
            self.linked[key_of(ehr, human)] = self.arrive(self.index, ehr, human, human)

    @rule(ehr=ehrs, human=humans, says=humans)
    def message_that_may_be_an_overlay(self, ehr: str, human: int, says: int) -> None:
        with suppress(Hold):
            self.arrive(self.index, ehr, human, says)

    @rule(target=late, ehr=ehrs, human=humans)
    def message_that_is_overtaken(self, ehr: str, human: int) -> Callable[[], None] | None:
        overtaken = Overtaken(self.index)
        with suppress(Hold):
            self.arrive(overtaken, ehr, human, human)
        return overtaken.late

    @rule(write=consumes(late))
    def late_write(self, write: Callable[[], None] | None) -> None:
        if write:
            with suppress(Retry):
                write()

    @rule(ehr=ehrs, human=humans, other=ehrs, whose=humans)
    def steward_links(self, ehr: str, human: int, other: str, whose: int) -> None:
        known = self.index.find(key_of(other, whose), []).known
        if known:
            self.known.add(key_of(ehr, human))
            link(self.index, key_of(ehr, human), known.id, by="s", at=NOON, reason="r")

    @rule(ehr=ehrs, human=humans, other=ehrs, whose=humans)
    def steward_keeps_apart(self, ehr: str, human: int, other: str, whose: int) -> None:
        known = self.index.find(key_of(other, whose), []).known
        if known:
            self.known.add(key_of(ehr, human))
            keep_apart(self.index, key_of(ehr, human), [known.id], by="s", at=NOON, reason="r")

    @rule(ehr=ehrs, human=humans, other=ehrs, whose=humans)
    def steward_merges(self, ehr: str, human: int, other: str, whose: int) -> None:
        retired, into = (self.index.find(key_of(*one), []).known for one in ((ehr, human), (other, whose)))
        if retired and into:
            with suppress(Refuse):
                self.relink().merge(retired.id, into.id, STEWARD)

    @rule(ehr=ehrs, human=humans)
    def steward_unmerges(self, ehr: str, human: int) -> None:
        for retired in self.persons_ever():
            with suppress(Refuse):
                self.relink().unmerge(retired.id, STEWARD)

    @rule(ehr=ehrs, human=humans)
    def steward_splits(self, ehr: str, human: int) -> None:
        person = self.index.find(key_of(ehr, human), []).known
        if person:
            with suppress(Refuse):
                self.relink().split(person.id, [key_of(ehr, human)], STEWARD)

    def relink(self) -> Relink:
        return Relink(links=Links(index=self.index, policy=POLICY), fhir=FakeFhirStore())

    def persons_ever(self) -> list[Person]:
        """Everyone that a record was ever linked to, as far as histories lead."""
        waiting = {person_id_of(key) for key in self.known} | set(self.linked.values())
        seen: set[str] = set()
        while waiting - seen:
            one = min(waiting - seen)
            seen.add(one)
            waiting |= {event.other for event in self.index.history(one) if event.other}
        return [person for person in map(self.index.get, sorted(seen)) if person]

    @invariant()
    def every_history_replays_to_the_records_there_are(self) -> None:
        for person in self.persons_ever():
            events = self.index.history(person.id)
            assert records_after(events) == {record.key for record in person.records}
            assert [event.version for event in events] == list(range(1, person.version + 1))

    @invariant()
    def who_was_merged_has_nothing_and_points_on(self) -> None:
        for person in self.persons_ever():
            if person.replaced_by:
                assert not person.records
                assert self.index.get(person.replaced_by) is not None

    @invariant()
    def every_linked_record_is_in_its_person_and_in_no_other(self) -> None:
        persons: dict[str, Person] = {}
        for key in self.known:
            person = self.index.find(key, []).known
            if person:
                persons[person.id] = person
                assert [record.key for record in person.records].count(key) == 1
        held = [record.key for person in persons.values() for record in person.records]
        assert len(held) == len(set(held))

    @invariant()
    def no_person_is_left_with_a_record_that_points_elsewhere(self) -> None:
        for person in self.persons_ever():
            for record in person.records:
                pointed = self.index.find(record.key, []).known
                assert pointed is not None
                assert pointed.id == person.id

    @invariant()
    def a_record_once_linked_is_never_lost(self) -> None:
        for key in self.linked:
            assert self.index.find(key, []).known is not None


class RacesOnDynamoDb(Races):
    def make(self) -> PersonIndex:
        self.aws = mock_aws()
        self.aws.start()
        client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        return DynamoDbPersonIndex(make_table(client), PERSONS)

    def teardown(self) -> None:
        self.aws.stop()


TestRaces = Races.TestCase
TestRaces.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRacesOnDynamoDb = RacesOnDynamoDb.TestCase
TestRacesOnDynamoDb.settings = settings(
    max_examples=4, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_everybody_who_sees_one_new_human_at_once_ends_in_one_person() -> None:
    index = InMemoryPersonIndex()
    waiting = []
    for ehr in EHRS:
        overtaken = Overtaken(index)
        match(Converted("ADT_A01", (patient(ehr, 0, 0),), NOON), ehr, overtaken, POLICY)
        waiting.append((ehr, overtaken.late))
    outcomes = []
    for _, write in waiting:
        assert write is not None
        try:
            write()
            outcomes.append("saved")
        except Retry:
            outcomes.append("lost")
    assert outcomes == ["saved", "lost", "lost"]
    for ehr in EHRS:
        match(Converted("ADT_A01", (patient(ehr, 0, 0),), NOON), ehr, index, POLICY)
    assert len(index.persons) == 1
