"""match by an EMPI outside: its word is taken when it is sure and fits, and held in every other case."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.errors import Hold
from headwater.inbound.match import match
from headwater.model import Converted, Grade, Identified, Matched, Resource, SourceRecord, Verdict
from headwater.persons.policy import load_policy
from headwater.persons.steward import keep_apart
from tests.fakes_persons import InMemoryPersonIndex
from tests.inbound.test_match_merge import IMOGEN, WALTER, patient

POLICY = load_policy(Path(__file__).parents[2] / "mappings")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Oracle:
    """An EMPI that says what it was told to."""

    name: str = "oracle"
    says: Identified = field(default_factory=lambda: certain("L1"))

    def identify(self, record: SourceRecord) -> Identified:
        return self.says


def certain(link_id: str) -> Identified:
    return Identified(Grade(Verdict.SAME, 1.0, ("the EMPI is certain",)), link_id)


NOBODY = Identified(Grade(Verdict.DIFFERENT, 1.0, ("the EMPI knows nobody like it",)))
UNSURE = Identified(Grade(Verdict.POSSIBLE, 0.8, ("the EMPI is not certain",)), "L1")


class Room:
    def __init__(self) -> None:
        self.index, self.empi = InMemoryPersonIndex(), Oracle()

    def take(self, resource: Resource, ehr: str = "north", hour: int = 12) -> Matched:
        converted = Converted("ADT_A08", (resource,), NOON.replace(hour=hour))
        return match(converted, ehr, self.index, POLICY, self.empi)


@pytest.fixture
def room() -> Room:
    return Room()


def test_records_that_the_empi_links_are_one_person(room: Room) -> None:
    one = room.take(patient("M1", **IMOGEN))
    two = room.take(patient("M2", **IMOGEN), "south")
    assert one.person_id == two.person_id
    assert two.known_at == {"north", "south"}
    room.empi.says = certain("L2")
    assert room.take(patient("M3", **WALTER)).person_id != one.person_id


def test_news_of_a_known_record_is_checked_against_itself_as_ever(room: Room) -> None:
    person = room.take(patient("M1", **IMOGEN)).person_id
    assert room.take(patient("M1", **IMOGEN), hour=13).person_id == person
    with pytest.raises(Hold, match=r"match\.overlay"):
        room.take(patient("M1", **WALTER), hour=14)


def test_whom_the_empi_does_not_know_is_matched_here(room: Room) -> None:
    room.empi.says = NOBODY
    person = room.take(patient("M1", **IMOGEN)).person_id
    assert room.take(patient("M1", **IMOGEN), hour=13).person_id == person


def test_what_the_empi_is_not_sure_of_waits(room: Room) -> None:
    room.empi.says = UNSURE
    with pytest.raises(Hold) as held:
        room.take(patient("M1", **IMOGEN))
    assert (held.value.code, held.value.place) == ("match.empi_possible", "oracle")
    assert not room.index.persons


def test_an_id_never_skips_the_comparison_with_who_is_known_under_it(room: Room) -> None:
    room.take(patient("M1", **IMOGEN))
    with pytest.raises(Hold, match=r"match\.empi_disagrees"):
        room.take(patient("M2", **WALTER), "south")


def test_an_empi_that_changes_its_mind_about_a_known_record_is_not_followed_blindly(room: Room) -> None:
    room.take(patient("M1", **IMOGEN))
    room.empi.says = certain("L9")
    with pytest.raises(Hold, match=r"match\.empi_disagrees"):
        room.take(patient("M1", **IMOGEN), hour=13)


def test_a_steward_answers_what_the_empi_could_not(room: Room) -> None:
    room.empi.says = UNSURE
    keep_apart(room.index, "north|urn:north|M1", [], by="s", at=NOON, reason="seen the papers")
    assert room.take(patient("M1", **IMOGEN)).person_id
