"""follow: after a link has changed, what was stored is found at the person whose it is now, whatever comes between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine, Refuse, Retry
from headwater.fhir.source import STATEMENTS, SYSTEM, source_of
from headwater.fhir.validate import validate
from headwater.inbound.follow import SETTLED, Follow
from headwater.inbound.match import match
from headwater.inbound.relink import Relink
from headwater.inbound.store import store
from headwater.model import Converted, Matched, Resource
from headwater.persons.links import Links
from headwater.persons.steward import keep_apart, link
from tests.fakes import FakeClock, FakeFhirStore, FakeInbox, FakeWatch
from tests.fakes_persons import InMemoryMoves, InMemoryPersonIndex
from tests.inbound.test_match_races import patient
from tests.inbound.test_relink import NOON, POLICY, STEWARD, STRANGERS


class Killed(BaseException):
    """The process is gone."""


class CountedStore(FakeFhirStore):
    """Counts calls, and dies at the one that `kill_at` names."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.kill_at = 0

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        if self.kill_at and self.calls.total() == self.kill_at:
            raise Killed

    def transact(self, resources: Sequence[Resource]) -> Sequence[str]:
        self._called("transact")
        return super().transact(resources)

    def read(self, reference: str) -> Resource | None:
        self._called("read")
        return super().read(reference)

    def search(self, kind: str, tags: Sequence[str]) -> Iterator[Resource]:
        self._called("search")
        return super().search(kind, tags)

    def update(self, resource: Resource) -> bool:
        self._called("update")
        return super().update(resource)


class Town:
    """An index, a store and a clock. Each EHR's record of a human tells a result and a coverage."""

    def __init__(self) -> None:
        self.index, self.fhir, self.inbox, self.clock = InMemoryPersonIndex(), CountedStore(), FakeInbox(), FakeClock()
        self.moves, self.watch = InMemoryMoves(self.index), FakeWatch()
        self.follow = Follow(index=self.index, moves=self.moves, fhir=self.fhir, watch=self.watch, clock=self.clock)
        self.relink = Relink(links=Links(index=self.index, policy=POLICY), fhir=self.fhir)

    def matched(self, ehr: str, human: int, *, results: int = 1, hour: int = 12, number: int = 0) -> Matched:
        """`number` tells apart many strangers of one kind."""
        given_name, family, born = STRANGERS[human]
        letters = f"{number:02d}".translate(str.maketrans("0123456789", "abcdefghij")) * 3 if number else ""
        name = {"family": letters + family, "given": [given_name + letters]}
        telecom = [{"system": "phone", "value": f"713-{234 + number}-567{human}"}]
        who = patient(ehr, human + 100 * number, 0)
        who |= {"name": [name], "birthDate": f"{int(born[:4]) + number}{born[4:]}", "telecom": telecom}
        fact = f"{ehr}-{human}-{number}" if number else f"{ehr}-{human}"
        me = {"reference": f"Patient/{who['id']}"}
        observed = [
            {"resourceType": "Observation", "id": f"{fact}-{n}", "status": "final", "code": {"text": "x"},
             "subject": me}
            for n in range(results)
        ]  # fmt: skip
        covered = {
            "resourceType": "Coverage", "id": fact, "status": "active", "beneficiary": me, "payor": [me],
        }  # fmt: skip
        doctor = {"resourceType": "Practitioner", "id": f"{ehr}-doctor"}
        said = {"resourceType": "Provenance", "id": f"{fact}-{hour}", "target": [me], "recorded": "2026",
                "agent": [{"who": {"display": ehr}}]}  # fmt: skip
        told = (who, *observed, covered, doctor, said)
        return match(Converted("ADT_A08", told, NOON.replace(hour=hour)), ehr, self.index, POLICY)

    def arrive(self, ehr: str, human: int, **what: Any) -> str:
        matched = self.matched(ehr, human, **what)
        store(matched, NOON, ehr=ehr, fhir=self.fhir, inbox=self.inbox)
        return matched.person_id

    def settle(self) -> None:
        """Both looks, with the time between them."""
        self.follow()
        self.clock.move(SETTLED.total_seconds())
        assert self.follow() == 0

    def whose(self, reference: str) -> str:
        resource = self.fhir.resources[reference]
        return str((resource.get("subject") or resource["beneficiary"])["reference"].removeprefix("Patient/"))

    def facts(self) -> dict[str, str]:
        return {
            reference: self.whose(reference)
            for reference in self.fhir.resources
            if reference.startswith(("Observation/", "Coverage/"))
        }


@pytest.fixture
def town() -> Town:
    return Town()


def test_what_comes_in_is_stored_with_the_record_it_came_from_and_others_are_not_told_of_it(town: Town) -> None:
    matched = town.matched("north", 0)
    stored = store(matched, NOON, ehr="north", fhir=town.fhir, inbox=town.inbox)
    written = town.fhir.resources
    assert source_of(written["Observation/north-0-0"]) == source_of(written["Coverage/north-0"]) != ""
    assert source_of(written["Practitioner/north-doctor"]) == "", "many patients' doctor"
    assert source_of(written[f"Patient/{matched.person_id}"]) == "", "made of many records"
    assert not any(source_of(resource) for resource in stored.resources)
    assert "NORTH0" not in source_of(written["Observation/north-0-0"]), "the MRN is not in it"


def test_after_a_merge_everything_is_found_at_the_one_who_stays(town: Town) -> None:
    ana, walter = town.arrive("north", 0, results=3), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.settle()
    assert set(town.facts().values()) == {walter}
    assert town.fhir.resources["Coverage/north-0"]["payor"] == [{"reference": f"Patient/{walter}"}]
    assert all(not validate(resource) for resource in town.fhir.resources.values() if "target" not in resource)


def test_a_statement_of_the_past_is_not_rewritten(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.settle()
    assert town.fhir.resources["Provenance/north-0-12"]["target"] == [{"reference": f"Patient/{ana}"}]


def test_after_an_unmerge_exactly_what_came_from_the_record_goes_back(town: Town) -> None:
    ana, walter = town.arrive("north", 0, results=2), town.arrive("south", 2, results=2)
    before = town.facts()
    town.relink.merge(ana, walter, STEWARD)
    town.settle()
    town.arrive("north", 0, results=3, hour=14)  # her news, told of him while they were one
    town.relink.unmerge(ana, STEWARD)
    town.settle()
    assert town.facts() == before | {"Observation/north-0-2": ana}


def test_a_split_takes_along_what_the_records_told(town: Town) -> None:
    walter = town.arrive("south", 2)
    assert town.arrive("west", 2) == walter
    _, new = town.relink.split(walter, ["west|urn:west|WEST2"], STEWARD)
    town.settle()
    assert town.facts() == {
        "Observation/south-2-0": walter, "Coverage/south-2": walter,
        "Observation/west-2-0": new.id, "Coverage/west-2": new.id,
    }  # fmt: skip


def test_a_stewards_answer_that_moves_a_record_takes_its_facts_along_and_mends_both_patients(town: Town) -> None:
    walter, ana = town.arrive("south", 2), town.arrive("north", 0)
    assert town.arrive("west", 2) == walter
    link(town.index, "west|urn:west|WEST2", ana, by=STEWARD.by, at=NOON, reason="her card")
    town.arrive("west", 2, hour=14)
    assert {one["system"] for one in town.fhir.resources[f"Patient/{walter}"]["identifier"]} == {
        "urn:south",
        "urn:west",
    }
    town.settle()
    assert town.whose("Observation/west-2-0") == ana
    assert {one["system"] for one in town.fhir.resources[f"Patient/{walter}"]["identifier"]} == {"urn:south"}


def test_what_a_steward_keeps_apart_from_its_own_person_leaves_it(town: Town) -> None:
    walter = town.arrive("south", 2)
    town.arrive("west", 2, results=2)
    keep_apart(town.index, "west|urn:west|WEST2", [walter], by=STEWARD.by, at=NOON, reason="another Walter")
    other = town.arrive("west", 2, hour=14)
    assert other != walter
    town.settle()
    assert town.whose("Observation/west-2-1") == other, "of which the later message said nothing"


def test_each_move_is_told_by_a_provenance_that_names_the_change(town: Town) -> None:
    ana, walter = town.arrive("north", 0, results=2), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.settle()
    told = [one for one in town.fhir.resources.values() if one["resourceType"] == "Provenance" and "entity" in one]
    assert {one["entity"][0]["what"]["identifier"]["value"] for one in told} == {f"{walter}#2"}
    named = [target["reference"] for one in told for target in one["target"]]
    assert sorted(named) == ["Coverage/north-0", "Observation/north-0-0", "Observation/north-0-1"]
    assert [validate(one) for one in told] == [[], []]
    assert all(one["agent"][0]["who"]["display"] == STEWARD.by for one in told)


def test_a_message_matched_before_the_merge_and_stored_after_it_is_put_right(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    late = town.matched("north", 0, results=2, hour=13)
    town.relink.merge(ana, walter, STEWARD)
    town.follow()
    store(late, NOON.replace(hour=13), ehr="north", fhir=town.fhir, inbox=town.inbox)
    assert town.whose("Observation/north-0-1") == ana
    town.clock.move(SETTLED.total_seconds())
    assert town.follow() == 0
    assert set(town.facts().values()) == {walter}


def test_news_that_comes_between_search_and_write_is_kept(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    update = town.fhir.update

    def overtaken(resource: Resource) -> bool:
        town.fhir.update = update  # type: ignore[method-assign]
        newest = town.fhir.resources["Coverage/north-0"]
        town.fhir.transact([newest | {"status": "cancelled"}])
        return update(resource)

    town.fhir.update = overtaken  # type: ignore[method-assign]
    town.settle()
    covered = town.fhir.resources["Coverage/north-0"]
    assert (covered["status"], covered["beneficiary"]["reference"]) == ("cancelled", f"Patient/{walter}")


def test_nothing_may_be_written_back_of_either_until_all_has_followed(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    for passing in (timedelta(0), timedelta(seconds=1), SETTLED):
        assert [town.index.persons[one].moving for one in (ana, walter)] == [{f"{walter}#2"}] * 2
        town.clock.move(passing.total_seconds())
        town.follow()
    assert [town.index.persons[one].moving for one in (ana, walter)] == [frozenset()] * 2
    assert town.watch.outcomes == ["follow.waiting", "follow.done"]


def test_a_merge_and_its_reverse_before_anything_followed_leave_all_where_it_was(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    before = town.facts()
    town.relink.merge(ana, walter, STEWARD)
    town.relink.unmerge(ana, STEWARD)
    town.settle()
    assert town.facts() == before
    assert not any(person.moving for person in town.index.persons.values())


def test_what_the_store_will_not_have_holds_up_nothing_else_and_is_not_forgotten(town: Town) -> None:
    ana, walter = town.arrive("north", 0, results=2), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    update = town.fhir.update

    def picky(resource: Resource) -> bool:
        if resource["id"] == "north-0-0":
            raise Quarantine("store.invalid")
        return update(resource)

    town.fhir.update = picky  # type: ignore[method-assign]
    town.follow()
    town.clock.move(SETTLED.total_seconds())
    assert town.follow() == 1
    assert [(outcome, ids["code"]) for _, outcome, ids in town.watch.notes] == [("failed", "follow.refused")] * 2
    assert (town.whose("Observation/north-0-0"), town.whose("Observation/north-0-1")) == (ana, walter)
    town.fhir.update = update  # type: ignore[method-assign]
    assert town.follow() == 0
    assert town.whose("Observation/north-0-0") == walter


def test_what_changes_all_the_time_is_left_to_the_next_run(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.fhir.update = lambda resource: False  # type: ignore[method-assign]
    assert town.follow() == 1
    assert [(outcome, ids["code"]) for _, outcome, ids in town.watch.notes] == [("failed", "follow.contended")]


def test_a_store_that_is_down_loses_nothing(town: Town) -> None:
    ana, walter = town.arrive("north", 0), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.fhir.down = Retry("store.unavailable")
    assert town.follow() == 1
    town.fhir.down = None
    town.clock.move(SETTLED.total_seconds())
    assert town.follow() == 0
    assert set(town.facts().values()) == {walter}


def test_a_merge_costs_a_search_a_type_and_a_call_a_moved_resource(town: Town) -> None:
    ana, walter = town.arrive("north", 0, results=250), town.arrive("south", 2)
    town.relink.merge(ana, walter, STEWARD)
    town.fhir.calls.clear()
    town.follow()
    assert town.fhir.calls == {"read": 2, "search": 67, "update": 251, "transact": 4}, "a Provenance for a hundred"
    town.fhir.calls.clear()
    town.clock.move(SETTLED.total_seconds())
    town.follow()
    assert town.fhir.calls == {"read": 2, "search": 67}
    town.fhir.calls.clear()
    town.follow()
    assert not town.fhir.calls, "nothing is due: the store is not asked"


def test_many_merges_cost_the_searches_of_one(town: Town) -> None:
    pairs = [(town.arrive("north", 0, number=n), town.arrive("south", 2, number=n)) for n in range(20)]
    for ana, walter in pairs:
        town.relink.merge(ana, walter, STEWARD)
    town.fhir.calls.clear()
    assert town.follow() == 20
    assert town.fhir.calls["search"] == 67
    town.clock.move(SETTLED.total_seconds())
    town.fhir.calls.clear()
    assert town.follow() == 0
    assert town.fhir.calls == {"read": 40, "search": 67}
    assert set(town.facts().values()) == {walter for _, walter in pairs}


def test_one_that_fails_holds_up_no_other(town: Town) -> None:
    pairs = [(town.arrive("north", 0, number=n), town.arrive("south", 2, number=n)) for n in range(3)]
    for ana, walter in pairs:
        town.relink.merge(ana, walter, STEWARD)
    update = town.fhir.update

    def picky(resource: Resource) -> bool:
        if resource["id"].startswith("north-0-1-"):
            raise Quarantine("store.invalid")
        return update(resource)

    town.fhir.update = picky  # type: ignore[method-assign]
    town.follow()
    town.clock.move(SETTLED.total_seconds())
    assert town.follow() == 1
    assert [move.event.other for move in town.moves.list()] == [pairs[1][0]]
    assert [bool(person.moving) for person in map(town.index.persons.get, pairs[0]) if person] == [False, False]


def ends_of(kill_at: int, change: Callable[[Town, str, str], object]) -> tuple[object, ...]:
    """What is true after a run that was killed at the store's call of that number, and the runs after it."""
    town = Town()
    ana, walter = town.arrive("north", 0, results=2), town.arrive("south", 2, results=2)
    change(town, ana, walter)
    town.fhir.calls.clear()
    town.fhir.kill_at = kill_at
    with suppress(Killed):
        town.settle()
    town.fhir.kill_at = 0
    for _ in range(2):
        town.clock.move(SETTLED.total_seconds())
        town.follow()
    patients = {
        name: {**one, "meta": None} for name, one in town.fhir.resources.items() if one["resourceType"] == "Patient"
    }
    named = {
        target["reference"]
        for one in town.fhir.resources.values()
        if one["resourceType"] == "Provenance" and "entity" in one
        for target in one["target"]
    }
    return town.facts(), patients, named, town.index.persons, town.moves.list()


def _merge(town: Town, ana: str, walter: str) -> None:
    town.relink.merge(ana, walter, STEWARD)


def _merge_and_back(town: Town, ana: str, walter: str) -> None:
    _merge(town, ana, walter)
    town.settle()
    town.relink.unmerge(ana, STEWARD)


@pytest.mark.parametrize("change", [_merge, _merge_and_back])
def test_killed_at_any_call_and_run_again_the_end_is_the_same(change: Callable[[Town, str, str], object]) -> None:
    whole = ends_of(0, change)
    assert whole[-1] == []
    for kill_at in [*range(1, 12), *range(12, 160, 7)]:
        assert ends_of(kill_at, change) == whole, kill_at


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["merge", "unmerge", "split", "arrive", "follow", "pass"]), st.integers(0, 2)),
        max_size=14,
    )
)
def test_in_whatever_order_links_change_each_fact_ends_at_its_records_person(steps: list[tuple[str, int]]) -> None:
    town = Town()
    ehrs = ("north", "south", "west")
    people = [town.arrive(ehr, human) for human, ehr in enumerate(ehrs)]
    for hour, (step, n) in enumerate(steps):
        one, other = people[n % len(people)], people[(n + 1) % len(people)]
        with suppress(Refuse):
            match step:
                case "merge":
                    town.relink.merge(one, other, STEWARD)
                case "unmerge":
                    town.relink.unmerge(one, STEWARD)
                case "split":
                    records = town.index.persons[one].records
                    people.append(town.relink.split(one, [record.key for record in records[:1]], STEWARD)[1].id)
                case "arrive":
                    town.arrive(ehrs[n], n, results=n + 2, hour=hour % 12 + 12)
                case "follow":
                    town.follow()
                case "pass":
                    town.clock.move(100)
    town.settle()
    for human, ehr in enumerate(ehrs):
        owner = town.index.find(f"{ehr}|urn:{ehr}|{ehr.upper()}{human}", []).known
        assert owner is not None
        assert {whose for name, whose in town.facts().items() if f"/{ehr}-" in name} == {owner.id}
    assert not any(person.moving for person in town.index.persons.values())


def test_the_tag_is_one_and_others_stay() -> None:
    from headwater.fhir.source import source_code, types_about_patients, with_source

    tagged = with_source({"resourceType": "Observation", "meta": {"tag": [{"code": "a"}]}}, source_code("k1"))
    again = with_source(tagged, source_code("k2"))
    assert [tag.get("system", "") for tag in again["meta"]["tag"]] == ["", SYSTEM]
    assert source_of(again) == source_code("k2") != source_code("k1")
    assert not STATEMENTS & set(types_about_patients())
    assert {"Observation", "Coverage", "Device", "Task", "Account"} <= set(types_about_patients())
