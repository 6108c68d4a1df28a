"""relink: merges, unmerges and splits of persons, what they leave behind, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.errors import Refuse, Retry
from headwater.fhir.validate import validate
from headwater.inbound.match import match
from headwater.inbound.relink import Relink
from headwater.model import Candidates, Converted, LinkChange, Person
from headwater.persons.blocking import lookup_keys
from headwater.persons.history import records_after
from headwater.persons.links import Links, Signed
from headwater.persons.policy import load_policy
from headwater.persons.profile import profile_of
from headwater.persons.steward import link
from tests.fakes import FakeFhirStore
from tests.fakes_persons import InMemoryPersonIndex
from tests.inbound.test_match_races import patient

POLICY = load_policy(Path(__file__).parents[2] / "mappings")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STEWARD = Signed("steward@example.org", NOON, "saw both papers")


STRANGERS = (("Ana", "Ruiz", "1980-02-03"), ("Mei", "Chen", "1991-07-14"), ("Walter", "Quist", "1950-12-30"))


class Room:
    """An index, a store, and two strangers of two EHRs."""

    def __init__(self) -> None:
        self.index, self.fhir = InMemoryPersonIndex(), FakeFhirStore()
        self.relink = Relink(links=Links(index=self.index, policy=POLICY), fhir=self.fhir)
        self.ana, self.walter = self.arrive("north", 0), self.arrive("south", 2)

    def arrive(self, ehr: str, human: int, hour: int = 12) -> str:
        given, family, born = STRANGERS[human]
        named = {"name": [{"family": family, "given": [given]}], "birthDate": born}
        telecom = [{"system": "phone", "value": f"713-234-567{human}"}]
        resource = patient(ehr, human, 0) | named | {"telecom": telecom}
        converted = Converted("ADT_A08", (resource,), NOON.replace(hour=hour))
        return match(converted, ehr, self.index, POLICY).person_id

    def person(self, person_id: str) -> Person:
        person = self.index.get(person_id)
        assert person is not None
        return person

    def found_like(self, person: Person) -> Candidates:
        return self.index.find("new", lookup_keys(profile_of(person.records[0].traits, POLICY), POLICY))


@pytest.fixture
def room() -> Room:
    return Room()


def keys(person: Person) -> set[str]:
    return {record.key for record in person.records}


def code_of(refused: pytest.ExceptionInfo[Refuse]) -> str:
    return refused.value.code


def test_a_merge_gives_all_records_to_one_and_leaves_a_sign(room: Room) -> None:
    ana = room.person(room.ana)
    room.relink.merge(room.ana, room.walter, STEWARD)
    retired, into = room.person(room.ana), room.person(room.walter)
    assert (keys(retired), retired.replaced_by, len(into.records), into.replaces) == (set(), into.id, 2, (retired.id,))
    assert room.index.find("north|urn:north|NORTH0", []).known == into
    assert [one.id for one in room.found_like(ana).persons] == [into.id], "who looks like her finds the one who is left"


def test_the_store_shows_who_replaces_whom(room: Room) -> None:
    room.relink.merge(room.ana, room.walter, STEWARD)
    sign, golden = room.fhir.read(f"Patient/{room.ana}"), room.fhir.read(f"Patient/{room.walter}")
    assert sign == {
        "resourceType": "Patient", "id": room.ana, "active": False, "meta": {"versionId": "1"},
        "link": [{"other": {"reference": f"Patient/{room.walter}"}, "type": "replaced-by"}],
    }  # fmt: skip
    assert golden is not None
    assert golden["link"] == [{"other": {"reference": f"Patient/{room.ana}"}, "type": "replaces"}]
    assert {one["system"] for one in golden["identifier"]} == {"urn:north", "urn:south"}
    assert validate(sign) == validate(golden) == []


def test_a_merge_repeated_changes_nothing_and_mends_the_store(room: Room) -> None:
    once = room.relink.merge(room.ana, room.walter, STEWARD)
    room.fhir.history.clear()
    assert room.relink.merge(room.ana, room.walter, STEWARD) == once
    assert room.fhir.read(f"Patient/{room.ana}") is not None


def test_an_unmerge_puts_everything_back(room: Room) -> None:
    before = room.person(room.ana), room.person(room.walter)
    room.relink.merge(room.ana, room.walter, STEWARD)
    room.relink.unmerge(room.ana, STEWARD)
    after = room.person(room.ana), room.person(room.walter)
    assert [keys(one) for one in after] == [keys(one) for one in before]
    assert [(one.version, one.replaced_by, one.replaces) for one in after] == [(3, "", ()), (3, "", ())]
    assert "link" not in (room.fhir.read(f"Patient/{room.walter}") or {})
    assert [one.id for one in room.found_like(before[0]).persons] == [room.ana]


def test_an_unmerge_takes_only_what_the_merge_brought(room: Room) -> None:
    room.relink.merge(room.ana, room.walter, STEWARD)
    link(room.index, "west|urn:west|WEST2", room.walter, by=STEWARD.by, at=NOON, reason="his card")
    assert room.arrive("west", 2) == room.walter, "a record that came to the merged person later"
    room.relink.unmerge(room.ana, STEWARD)
    assert keys(room.person(room.ana)) == {"north|urn:north|NORTH0"}
    assert len(room.person(room.walter).records) == 2


def test_a_split_makes_a_new_person_of_some_records(room: Room) -> None:
    room.arrive("west", 2)
    _, new = room.relink.split(room.walter, ["west|urn:west|WEST2"], STEWARD)
    assert keys(room.person(room.walter)) == {"south|urn:south|SOUTH2"}
    assert keys(room.person(new.id)) == {"west|urn:west|WEST2"}
    assert room.arrive("west", 2, hour=13) == new.id, "its news goes to the new person"


def test_every_change_is_a_line_in_both_histories(room: Room) -> None:
    room.relink.merge(room.ana, room.walter, STEWARD)
    room.relink.unmerge(room.ana, STEWARD)
    for person_id in (room.ana, room.walter):
        lines = room.index.history(person_id)
        assert [line.change for line in lines] == [LinkChange.FOUNDED, LinkChange.MERGED, LinkChange.UNMERGED]
        assert [line.version for line in lines] == [1, 2, 3]
        assert [(line.by, line.reason) for line in lines[1:]] == [(STEWARD.by, STEWARD.reason)] * 2
        assert records_after(lines) == keys(room.person(person_id))
        assert records_after(lines[:1]) == records_after(lines)


def test_what_cannot_be_is_refused(room: Room) -> None:
    third = room.arrive("west", 1)
    room.relink.merge(room.ana, room.walter, STEWARD)
    for code, change in (
        ("steward.same_person", lambda: room.relink.merge(room.walter, room.walter, STEWARD)),
        ("steward.person_unknown", lambda: room.relink.merge("nobody", room.walter, STEWARD)),
        ("steward.merged_already", lambda: room.relink.merge(room.ana, third, STEWARD)),
        ("steward.merged_already", lambda: room.relink.merge(third, room.ana, STEWARD)),
        ("steward.unsigned", lambda: room.relink.merge(third, room.walter, Signed("s", NOON, " "))),
        ("steward.not_merged", lambda: room.relink.unmerge(room.walter, STEWARD)),
        ("steward.not_theirs", lambda: room.relink.split(room.walter, ["west|x|1"], STEWARD)),
        ("steward.none_left", lambda: room.relink.split(third, keys(room.person(third)), STEWARD)),
    ):
        with pytest.raises(Refuse) as refused:
            change()
        assert code_of(refused) == code


def test_news_that_comes_between_look_and_write_is_not_lost(room: Room) -> None:
    read = room.index.read

    def overtaken(*asked: list[str]) -> Candidates:
        seen = read(*asked)
        room.index.read = read  # type: ignore[method-assign]
        room.arrive("north", 0, hour=14)
        return seen

    room.index.read = overtaken  # type: ignore[assignment, method-assign]
    with pytest.raises(Retry):
        room.relink.merge(room.ana, room.walter, STEWARD)
    assert room.person(room.ana).records[0].event_time.hour == 14
