"""The contract of `Empi`, for each transport against a simulated EMPI over HTTP; and the folders of mappings/empis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from headwater.adapters.ehr.http import Timeouts
from headwater.adapters.empi import connect
from headwater.adapters.empi.profile import Access, EmpiProfile
from headwater.errors import HeadwaterError, Hold
from headwater.fhir.validate import validate
from headwater.model import Identifier, SourceRecord, Traits, Verdict
from headwater.ports import Empi
from headwater.templates import Engine
from local.empis.server import FAULTS, SimulatedEmpi, running

MAPPINGS = Path(__file__).resolve().parents[3] / "mappings"
NAMES = ("verato", "rest-example", "fhir-match", "pixm")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DOMAIN = "urn:oid:2.16.840.1.113883.3.72.5.9.1"
PATIENT = {
    "resourceType": "Patient",
    "id": "x",
    "name": [{"family": "Ruiz", "given": ["Ana"]}],
    "birthDate": "1980-02-03",
}
ANA = SourceRecord(
    "north|urn:oid:1.2.3|77", "north",
    Traits(family=("Ruiz",), given=("Ana", "Maria"), birth_date=date(1980, 2, 3), gender="female", phones=("555-0100",),
           identifiers=(Identifier("urn:oid:1.2.3", "77", "MR"), Identifier("", "123456789", "SS"))),
    NOON, PATIENT,
)  # fmt: skip
ANA_ELSEWHERE = replace(ANA, key="south|urn:oid:9.9|5", ehr="south")


@dataclass
class Room:
    empi: Empi
    simulated: SimulatedEmpi
    name: str

    def knows_ana(self) -> str:
        """The simulated EMPI has her, by name and by both numbers."""
        one = self.simulated.enrol("Ruiz", "1980-02-03", "Ana")
        for number in ("urn:oid:1.2.3|77", "urn:oid:9.9|5"):
            self.simulated.known_as.setdefault(number, set()).add(one)
        return one


def build(folder: Path) -> Callable[[str, Any], Any]:
    return Engine([folder]).build


@pytest.fixture(params=NAMES)
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    simulated = SimulatedEmpi()
    with running(simulated) as url:
        secret = json.dumps({"base_url": url, "headers": {"Authorization": simulated.opens_with}})
        access, profile = Access.read(secret, place="s"), EmpiProfile.read(MAPPINGS, request.param)
        timeouts = Timeouts(connect=2, read=0.5)
        empi = connect(profile, access, build=build(MAPPINGS / "empis" / request.param), timeouts=timeouts)
        yield Room(empi, simulated, request.param)


def test_one_human_of_two_ehrs_is_one_person(room: Room) -> None:
    one = room.knows_ana()
    for record in (ANA, ANA_ELSEWHERE):
        found = room.empi.identify(record)
        assert (found.grade.verdict, found.link_id) == (Verdict.SAME, one)
    assert room.empi.identify(ANA) == room.empi.identify(ANA), "asked again, the same answer"


def test_who_is_not_certain_is_never_the_same(room: Room) -> None:
    room.simulated.enrol("Ruiz", "1980-02-03", "Anabel")
    if room.name == "pixm":
        room.simulated.known_as["urn:oid:1.2.3|77"] = {"L1", "L2"}
    if room.name == "verato":
        pytest.skip("postIdentity always gives one link id: its stewards' tasks are its own")
    assert room.empi.identify(ANA).grade.verdict is Verdict.POSSIBLE


def test_somebody_new_is_either_nobody_or_enrolled(room: Room) -> None:
    found = room.empi.identify(ANA)
    if room.name in ("verato", "rest-example"):
        assert (found.grade.verdict, found.link_id) == (Verdict.SAME, "L000001")
    else:
        assert (found.grade.verdict, found.link_id) == (Verdict.DIFFERENT, "")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_holds_the_message_and_says_nothing_of_the_human(room: Room, fault: str) -> None:
    if fault in ("says_no", "retry_later") and room.name != "verato":
        pytest.skip("only Verato's envelope says so")
    room.simulated.fault = fault
    with pytest.raises(Hold) as held:
        room.empi.identify(ANA)
    expected = {"denied": "refused", "says_no": "refused", "nonsense": "unreadable"}.get(fault, "silent")
    assert (held.value.code, held.value.place) == (f"match.empi_{expected}", room.name)
    assert not any(word in str(held.value) for word in ("Ruiz", "77", "Basic"))


def test_what_is_sent_is_what_the_documents_ask_for(room: Room) -> None:
    room.knows_ana()
    room.empi.identify(ANA)
    (asked,) = room.simulated.asked
    if room.name == "verato":
        identity = asked["content"]["identity"]
        assert identity["sources"] == [{"name": "north", "id": "77"}]
        assert identity["names"] == [{"first": "Ana", "middle": "Maria", "last": "Ruiz"}]
        assert identity["ssns"] == [{"ssn": "123456789"}]
        assert "addresses" not in identity, "what is not known is not sent"
    elif room.name == "fhir-match":
        assert validate(asked) == []
    elif room.name == "pixm":
        assert asked == {"sourceIdentifier": ["urn:oid:1.2.3|77"], "targetSystem": [DOMAIN]}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"resourceType": "Bundle", "entry": []}, Verdict.DIFFERENT),
        ({"resourceType": "Bundle", "entry": [("A", "certain"), ("B", "certain")]}, Verdict.POSSIBLE),
        ({"resourceType": "Bundle", "entry": [("A", "certain"), ("B", "probable")]}, Verdict.POSSIBLE),
        ({"resourceType": "Bundle", "entry": [("A", "certain"), ("B", "certainly-not")]}, Verdict.SAME),
        ({"resourceType": "Bundle", "entry": [("A", "probable")]}, Verdict.POSSIBLE),
        ({"resourceType": "OperationOutcome"}, None),
        ({"resourceType": "Bundle", "entry": [("A", "")]}, None),
    ],
)
def test_match_grades_are_taken_at_their_word(answer: Any, verdict: Verdict | None, monkeypatch: Any) -> None:
    grade = "http://hl7.org/fhir/StructureDefinition/match-grade"
    told = {**answer}
    if "entry" in answer:
        told["entry"] = [
            {
                "resource": {"resourceType": "Patient", "id": one},
                "search": {"extension": [{"url": grade, "valueCode": code}] if code else []},
            }
            for one, code in answer["entry"]
        ]
    simulated = SimulatedEmpi()
    monkeypatch.setattr(simulated, "match", lambda asked: told)
    with running(simulated) as url:
        access = Access(url, {"Authorization": simulated.opens_with})
        empi = connect(EmpiProfile.read(MAPPINGS, "fhir-match"), access, build=build(MAPPINGS))
        if verdict is None:
            with pytest.raises(Hold, match=r"match\.empi_unreadable"):
                empi.identify(ANA)
        else:
            assert empi.identify(ANA).grade.verdict is verdict


@pytest.mark.parametrize("name", [path.parent.name for path in sorted(MAPPINGS.glob("empis/*/empi.toml"))])
def test_every_folder_of_an_empi_can_be_read(name: str) -> None:
    profile = EmpiProfile.read(MAPPINGS, name)
    assert profile.title
    if profile.transport == "rest":
        assert profile.link_id
        Engine([MAPPINGS / "empis" / name]).build(profile.template, {})


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("transport = 'soap'\npath = '/'", "transport is one of"),
        ("transport = 'rest'", "unknown or missing: path"),
        ("transport = 'rest'\npath = '/'\nurl = 'x'", "unknown or missing: url"),
        ("transport", "not TOML"),
        (None, "there is no such file"),
    ],
)
def test_a_wrong_folder_is_named(tmp_path: Path, told: str | None, hint: str) -> None:
    if told is not None:
        (tmp_path / "empis" / "x").mkdir(parents=True)
        (tmp_path / "empis" / "x" / "empi.toml").write_text(told)
    with pytest.raises(HeadwaterError, match=hint):
        EmpiProfile.read(tmp_path, "x")


@pytest.mark.parametrize("secret", ["{}", "x", '{"base_url": "http://elsewhere.example/x"}', '{"base_url": 5}'])
def test_a_wrong_secret_is_refused_without_a_word_of_it(secret: str) -> None:
    with pytest.raises(HeadwaterError) as refused:
        Access.read(secret, place="headwater/empis/x")
    assert "elsewhere" not in str(refused.value)
