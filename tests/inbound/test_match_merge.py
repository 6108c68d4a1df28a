"""match of an EHR's merge (HL7 v2 ADT^A40): the number that goes is the person's who stays, if it is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import Hold
from headwater.inbound.match import match
from headwater.model import Converted, LinkChange, Matched, Person, Resource
from headwater.persons.policy import load_policy
from headwater.persons.steward import keep_apart, link
from tests.fakes_persons import InMemoryPersonIndex
from tests.inbound.test_match_races import KINDS

POLICY = load_policy(Path(__file__).parents[2] / "mappings")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
IMOGEN = {"name": [{"family": "Ravenscroft", "given": ["Imogen"]}], "birthDate": "1984-02-17", "gender": "female"}
WALTER = {"name": [{"family": "Quist", "given": ["Walter"]}], "birthDate": "1950-12-30", "gender": "male"}


def patient(number: str, **what: Any) -> Resource:
    typed = {"coding": [{"system": KINDS, "code": "MR"}]}
    return {
        "resourceType": "Patient", "id": f"local-{number}", **what,
        "identifier": [{"system": "urn:north", "value": number, "type": typed}],
    }  # fmt: skip


def merge_of(retired: str, into: Resource) -> Converted:
    link = [{"other": {"reference": f"Patient/{into['id']}"}, "type": "replaced-by"}]
    visit = {"resourceType": "Encounter", "id": "e1", "subject": {"reference": f"Patient/local-{retired}"}}
    gone = patient(retired, active=False, link=link)
    gone["identifier"] = [{**one, "use": "old"} for one in gone["identifier"]]  # as MRG.liquid has it
    return Converted("ADT_A39", (into, gone, visit), NOON.replace(hour=15))


class Desk:
    def __init__(self) -> None:
        self.index = InMemoryPersonIndex()

    def take(self, converted: Converted, ehr: str = "north") -> Matched:
        return match(converted, ehr, self.index, POLICY)

    def admit(self, resource: Resource, ehr: str = "north") -> str:
        return self.take(Converted("ADT_A01", (resource,), NOON), ehr).person_id

    def admit_apart(self, resource: Resource, other: str) -> str:
        """Under a number that a steward said is not `other`'s."""
        key = f"north|urn:north|{resource['identifier'][0]['value']}"
        keep_apart(self.index, key, [other], by="steward", at=NOON, reason="thought they were two")
        return self.admit(resource)

    def owner(self, number: str) -> Person:
        person = self.index.find(f"north|urn:north|{number}", []).known
        assert person is not None
        return person


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_two_persons_of_one_ehr_become_one(desk: Desk) -> None:
    stays = desk.admit(patient("M44", **IMOGEN))
    old = desk.admit_apart(patient("M33", **IMOGEN), stays)
    matched = desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    assert matched.person_id == stays == desk.owner("M33").id
    assert [(record.key, record.retired) for record in desk.owner("M44").records] == [
        ("north|urn:north|M33", True),
        ("north|urn:north|M44", False),
    ]
    assert desk.index.history(stays)[-1].change is LinkChange.MERGED
    sign = next(one for one in matched.resources if one["id"] == old)
    assert (sign["active"], sign["link"][0]["type"]) == (False, "replaced-by")
    golden = next(one for one in matched.resources if one["id"] == stays)
    assert {one["value"]: one.get("use") for one in golden["identifier"]} == {"M33": "old", "M44": None}


def test_a_person_with_records_elsewhere_keeps_those(desk: Desk) -> None:
    stays = desk.admit(patient("M44", **IMOGEN))
    old = desk.admit_apart(patient("M33", **IMOGEN), stays)
    link(desk.index, "south|urn:north|S1", old, by="steward", at=NOON, reason="her card")
    desk.admit(patient("S1", **IMOGEN), "south")
    matched = desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    left = desk.index.get(old)
    assert left is not None
    assert ([record.ehr for record in left.records], left.replaced_by) == (["south"], "")
    assert {one["id"] for one in matched.resources if one["resourceType"] == "Patient"} == {old, stays}


def test_the_same_merge_again_changes_nothing_more(desk: Desk) -> None:
    stays = desk.admit(patient("M44", **IMOGEN))
    desk.admit_apart(patient("M33", **IMOGEN), stays)
    desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    before = desk.index.get(stays), len(desk.index.history(stays))
    desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    assert (desk.index.get(stays), len(desk.index.history(stays))) == before


def test_a_number_that_nobody_has_heard_of_leaves_no_patient_behind(desk: Desk) -> None:
    matched = desk.take(merge_of("M99", patient("M44", **IMOGEN)))
    assert [one["id"] for one in matched.resources if one["resourceType"] == "Patient"] == [matched.person_id]
    (visit,) = [one for one in matched.resources if one["resourceType"] == "Encounter"]
    assert visit["subject"]["reference"] == f"Patient/{matched.person_id}"


def test_two_numbers_of_one_person_leave_one_live(desk: Desk) -> None:
    person = desk.admit(patient("M44", **IMOGEN))
    link(desk.index, "north|urn:north|M33", person, by="steward", at=NOON, reason="one card, two numbers")
    assert desk.admit(patient("M33", **IMOGEN)) == person
    desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    assert [record.retired for record in desk.owner("M44").records] == [True, False]


def test_a_merge_of_two_who_seem_two_waits_for_a_steward(desk: Desk) -> None:
    desk.admit(patient("M33", **WALTER))
    desk.admit(patient("M44", **IMOGEN))
    with pytest.raises(Hold) as held:
        desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    assert held.value.code == "match.merge_doubtful"
    assert desk.owner("M33").id != desk.owner("M44").id
    assert not any(word in str(held.value) for word in ("Quist", "Ravenscroft", "M33"))


def test_news_under_the_retired_number_is_of_the_person_who_stays(desk: Desk) -> None:
    stays = desk.admit(patient("M44", **IMOGEN))
    desk.admit_apart(patient("M33", **IMOGEN), stays)
    desk.take(merge_of("M33", patient("M44", **IMOGEN)))
    assert desk.admit(patient("M33", **IMOGEN, active=True)) == stays
    assert [record.retired for record in desk.owner("M33").records] == [True, False]
