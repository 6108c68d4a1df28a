"""headwater empi: a steward sees why a message is held, answers, and it goes on; figures come out of made-up people."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.inbound.follow import Follow
from headwater.inbound.relink import Relink
from headwater.model import Delivery, MessageState
from headwater.persons.links import Links
from headwater.persons.policy import load_policy
from headwater.pipeline import Ingest
from local.cli import empi_relink, empi_steward, main
from local.empi import bench, figures
from local.empi.population import population
from tests.fakes import FakeArchive, FakeClock, FakeFhirStore, FakeInbox, FakeQueue, FakeWatch
from tests.fakes_persons import InMemoryMoves, InMemoryPersonIndex

MAPPINGS = Path(__file__).resolve().parents[3] / "mappings"
SIGNED = ["--by", "steward", "--reason", "called the patient"]


def adt(mrn: str, *, phone: str, control: str) -> str:
    """Jonathan Quintero, born on one day; only the phone says whether he is the one or his namesake."""
    return (
        f"MSH|^~\\&|EHR|NORTH|HW|HW|20261122120000||ADT^A08^ADT_A01|{control}|P|2.5.1\r"
        "EVN|A08|20261122120000\r"
        f"PID|1||{mrn}^^^NORTH^MR||Quintero^Jonathan||19710423|M|||||{phone}\r"
        "PV1|1|O\r"
        "AL1|1|DA|7980^Penicillin^L\r"
    )


class Desk:
    """A way in memory, as `Target` for the command, with a queue that is taken through at once."""

    def __init__(self) -> None:
        self.persons, self.inbox = InMemoryPersonIndex(), FakeInbox()
        self.app = SimpleNamespace(
            ehrs=load(MAPPINGS), engine_for=engine_for(MAPPINGS), policy=load_policy(MAPPINGS),
            archive=FakeArchive(), inbox=self.inbox, persons=self.persons,
        )  # fmt: skip
        self.feed_queue_url = "queue"
        self.fhir = FakeFhirStore()
        self.ingest = Ingest(**vars(self.app), fhir=self.fhir, write_queue=FakeQueue(), watch=FakeWatch(),
                             clock=FakeClock())  # fmt: skip
        self.app.relink = Relink(links=Links(index=self.persons, policy=self.app.policy), fhir=self.fhir)
        self.clock, self.app.moves = FakeClock(), InMemoryMoves(self.persons)
        self.app.follow = Follow(
            index=self.persons, moves=self.app.moves, fhir=self.fhir, watch=FakeWatch(), clock=self.clock
        )

    def client(self, name: str) -> Any:
        return SimpleNamespace(send_message=self._sent)

    def _sent(self, *, MessageBody: str, MessageAttributes: dict[str, Any], **rest: Any) -> None:
        self.take(MessageBody, **{name: value["StringValue"] for name, value in MessageAttributes.items()})

    def take(self, body: str, ehr: str = "epic", **attributes: str) -> None:
        self.ingest(Delivery(body, {"ehr": ehr, **attributes}))

    def states(self) -> list[MessageState]:
        return [record.state for record in self.inbox.records.values()]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    for module in (empi_steward, empi_relink):
        monkeypatch.setattr(module, "target_of", lambda options: desk)
    monkeypatch.setenv("COLUMNS", "250")
    desk.take(adt("E1", phone="7132345678", control="1"))
    desk.take(adt("A7", phone="2815550199", control="2"), "athenahealth")
    assert desk.states() == [MessageState.STORED, MessageState.HELD]
    return desk


def held(desk: Desk) -> str:
    return next(record.key for record in desk.inbox.records.values() if record.state is MessageState.HELD)


def test_the_queue_says_why_without_saying_who(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "queue"]) == 0
    said = capsys.readouterr().out
    assert "match.possible" in said
    for value in ("Quintero", "Jonathan", "1971", "713"):
        assert value not in said


def test_a_steward_sees_the_message_beside_its_candidates(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "show", held(desk)]) == 0
    said = capsys.readouterr().out
    assert said.count("Quintero") == 2
    assert "birth date equal" in " ".join(said.split())


def test_a_held_message_is_linked_and_goes_on(desk: Desk) -> None:
    (person,) = desk.persons.persons
    assert main(["empi", "link", held(desk), person, *SIGNED]) == 0
    assert desk.states() == [MessageState.STORED, MessageState.STORED]
    assert [len(one.records) for one in desk.persons.persons.values()] == [2]


def test_a_held_message_is_kept_apart_and_goes_on_as_somebody_else(desk: Desk) -> None:
    assert main(["empi", "unlink", held(desk), *SIGNED]) == 0
    assert desk.states() == [MessageState.STORED, MessageState.STORED]
    assert [len(one.records) for one in desk.persons.persons.values()] == [1, 1]


def test_nobody_is_linked_to_a_person_who_is_not_there(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "link", held(desk), "nobody", *SIGNED]) == 2
    assert "steward.person_unknown" in capsys.readouterr().err
    assert MessageState.HELD in desk.states()


def test_persons_are_found_by_what_is_known(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "find", "--given", "Jonathan", "--family", "Quintero", "--born", "1971-04-23"]) == 0
    assert "1 persons" in capsys.readouterr().out
    assert main(["empi", "find", "--phone", "9175550000"]) == 1


def test_what_nobody_can_be_found_by_is_said(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "find", "--family", "Quintero"]) == 2
    assert "not enough to find by" in capsys.readouterr().err


def test_a_message_without_a_number_is_not_shown_beside_persons_but_says_why(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(adt("", phone="2815550142", control="3"))
    (key,) = [it.key for it in desk.inbox.records.values() if it.error_code == "match.no_identifier"]
    assert main(["empi", "show", key]) == 2
    assert capsys.readouterr().err.startswith("headwater: match.no_identifier at Patient.identifier: ")


@pytest.fixture
def two(desk: Desk) -> tuple[str, str]:
    """Two persons, kept apart by a steward."""
    main(["empi", "unlink", held(desk), *SIGNED])
    first, second = desk.persons.persons
    return first, second


def test_two_persons_are_merged_unmerged_and_their_history_tells(
    desk: Desk, two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = two
    assert main(["empi", "merge", second, first, *SIGNED]) == 0
    assert f"{second}  version 2  replaced by {first}\n{first}  version 2  2 records\n" in capsys.readouterr().out
    assert (desk.fhir.read(f"Patient/{second}") or {})["active"] is False
    assert main(["empi", "unmerge", second, *SIGNED]) == 0
    assert main(["empi", "history", second]) == 0
    said = capsys.readouterr().out
    assert [word for word in said.split() if word in ("founded", "merged", "unmerged")] == [
        "founded",
        "merged",
        "unmerged",
    ]
    assert "called the patient" in said


def test_what_was_stored_follows_a_merge_and_the_command_says_what_is_on_its_way(
    desk: Desk, two: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    allergies = [name for name in desk.fhir.resources if name.startswith("AllergyIntolerance/")]
    assert {desk.fhir.resources[one]["patient"]["reference"] for one in allergies} == {f"Patient/{one}" for one in two}
    main(["empi", "merge", second, first, *SIGNED])
    assert "headwater empi follow" in capsys.readouterr().out
    assert main(["empi", "follow"]) == 0
    assert f"{first}#2  merged  from {second} to {first}" in capsys.readouterr().out
    monkeypatch.setattr("time.sleep", desk.clock.move)
    assert main(["empi", "follow", "--wait"]) == 0
    assert capsys.readouterr().out.startswith("0 on the way")
    assert {desk.fhir.resources[one]["patient"]["reference"] for one in allergies} == {f"Patient/{first}"}


def test_a_record_is_split_off_by_its_number(desk: Desk, two: tuple[str, str]) -> None:
    first, second = two
    assert main(["empi", "merge", second, first, *SIGNED]) == 0
    assert main(["empi", "split", first, "1", *SIGNED]) == 0
    assert sorted(len(person.records) for person in desk.persons.persons.values()) == [0, 1, 1]


def test_a_change_that_cannot_be_says_why(desk: Desk, two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["empi", "split", two[0], "7", *SIGNED]) == 2
    assert "steward.not_theirs" in capsys.readouterr().err
    assert main(["empi", "unmerge", two[0], *SIGNED]) == 2
    assert "steward.not_merged at person: only a person that was merged can be unmerged" in capsys.readouterr().err


def test_made_up_people_are_the_same_for_the_same_seed_and_mostly_linked_right() -> None:
    policy = load_policy(MAPPINGS)
    records, updates = population(77, 400, policy)
    assert (records, updates) == population(77, 400, policy)
    gate = bench.measure_gate(records, policy)
    assert gate.right / gate.returning > 0.7
    assert gate.linked - gate.right <= 1
    overlays = bench.measure_overlays(updates, policy)
    assert overlays.caught / overlays.overlays > 0.97


def test_the_upper_bound_is_the_exact_one() -> None:
    assert figures.upper_bound(0, 2995) == pytest.approx(0.001, rel=0.01)
    assert figures.upper_bound(6, 22100) == pytest.approx(0.00054, rel=0.02)
