"""What a message does not speak of stays as it was: A01, A02 and A08 of one visit through convert, match and store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.fhir.unsaid import completed, deleted, members_of, policy_of, said, without
from headwater.fhir.validate import validate
from headwater.inbound.convert import convert
from headwater.inbound.match import match
from headwater.inbound.store import store
from headwater.model import Envelope, Resource
from headwater.persons.policy import load_policy
from tests.fakes import FakeFhirStore, FakeInbox
from tests.fakes_persons import InMemoryPersonIndex

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
EHRS, ENGINE_FOR, POLICY = load(MAPPINGS), engine_for(MAPPINGS), load_policy(MAPPINGS)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PID = "PID|1||4711^^^EPI^MR||Ravenscroft^Imogen||"  # and PID-7, PID-8 …
ATTENDING, REFERRING, CONSULTING = (
    "1001^Okafor^Ngozi^^^^^^NPI",
    "1002^Lindqvist^Per^^^^^^NPI",
    "1003^Sato^Rei^^^^^^NPI",
)
DIAGNOSIS = "DG1|1||J18.9^Pneumonia^I10|||A"


def pv1(bed: str = "", *, attending: str = "", referring: str = "", consulting: str = "", rest: str = "") -> str:
    """PV1 with 3, 7, 8, 9, the visit number in 19 and `rest` from 20 on."""
    return f"PV1|1|I|{bed}||||{attending}|{referring}|{consulting}||||||||||V1|{rest}"


ADMITTED = pv1("W^101^1", attending=ATTENDING, referring=REFERRING, rest="|" * 24 + "20261122100000")


class Ward:
    """The way of a message without queues; each is an hour later than the one before."""

    def __init__(self) -> None:
        self.index, self.fhir, self.inbox, self.hour = InMemoryPersonIndex(), FakeFhirStore(), FakeInbox(), 0
        self.reads = 0
        read = self.fhir.read

        def counted(reference: str) -> Resource | None:
            self.reads += 1
            return read(reference)

        self.fhir.read = counted  # type: ignore[method-assign]

    def patient(self) -> Resource:
        (patient,) = [one for one in self.fhir.resources.values() if one["resourceType"] == "Patient"]
        return patient

    def take(
        self, event: str, *segments: str, hour: int | None = None, pid: str = "|F", born: str = "19840217"
    ) -> Resource:
        """The Encounter as it is stored after one more message."""
        self.hour = self.hour + 1 if hour is None else hour
        at = f"{NOON + timedelta(hours=self.hour):%Y%m%d%H%M%S}"
        head = (
            f"MSH|^~\\&|EPIC|HOSP|HW|HW|{at}||ADT^{event}|{event}{at}|P|2.5.1",
            f"EVN|{event}|{at}",
            f"{PID}{born}{pid}",
        )
        body = "\r".join((*head, *segments)) + "\r"
        envelope = Envelope(f"epic/{at}", "epic", "x-application/hl7-v2+er7", body.encode(), "")
        converted = convert(envelope, EHRS["epic"], ENGINE_FOR(EHRS["epic"]))
        matched = match(converted, "epic", self.index, POLICY)
        store(matched, converted.event_time, ehr="epic", fhir=self.fhir, inbox=self.inbox)
        (encounter,) = [one for one in self.fhir.resources.values() if one["resourceType"] == "Encounter"]
        assert validate(encounter) == []
        return encounter


@pytest.fixture
def ward() -> Ward:
    return Ward()


def roles(encounter: Resource) -> dict[str, str]:
    return {
        one["type"][0]["coding"][0]["code"]: one["individual"]["reference"] for one in encounter.get("participant", ())
    }


def test_a_transfer_without_diagnoses_and_doctors_takes_none_away(ward: Ward) -> None:
    admitted = ward.take("A01", ADMITTED, DIAGNOSIS)
    assert len(admitted["diagnosis"]) == 1
    moved = ward.take("A02", pv1("S^204^2"))
    assert moved["diagnosis"] == admitted["diagnosis"]
    assert roles(moved) == roles(admitted)
    assert moved["period"] == admitted["period"], "an hour of admission is not forgotten"
    assert moved["location"] != admitted["location"], "what it says, it says"
    updated = ward.take("A08", pv1("S^204^2", attending=CONSULTING))
    assert roles(updated) == {"ATND": roles(updated)["ATND"], "REF": roles(admitted)["REF"]}
    assert roles(updated)["ATND"] != roles(admitted)["ATND"]
    assert updated["diagnosis"] == admitted["diagnosis"], "two messages later still"


def test_what_is_said_again_replaces_what_was_said(ward: Ward) -> None:
    ward.take("A01", ADMITTED, DIAGNOSIS, "DG1|2||E11.9^Diabetes^I10|||A")
    again = ward.take("A08", ADMITTED, "DG1|1||J18.9^Pneumonia^I10|||F")
    assert len(again["diagnosis"]) == 1


def test_an_explicit_null_deletes(ward: Ward) -> None:
    admitted = ward.take("A01", ADMITTED, DIAGNOSIS)
    assert {"ATND", "REF"} == set(roles(admitted))
    deleted = ward.take("A08", pv1("W^101^1", referring='""'), 'DG1|""')
    assert set(roles(deleted)) == {"ATND"}
    assert "diagnosis" not in deleted
    later = ward.take("A02", pv1("S^204^2"))
    assert set(roles(later)) == {"ATND"}, "and it stays deleted"
    assert "diagnosis" not in later


def test_people_in_segments_of_their_own_stay_until_there_are_such_segments_again(ward: Ward) -> None:
    rolled = "ROL|R1|AD|NE^Nurse^L|2001^Abara^Ife^^^^^^NPI"
    admitted = ward.take("A01", ADMITTED, rolled)
    assert len(roles(admitted)) == 3
    assert roles(ward.take("A02", pv1("S^204^2"))) == roles(admitted)
    replaced = ward.take("A08", pv1("S^204^2"), "ROL|R2|AD|CM^Case manager^L|2002^Weiss^Ada^^^^^^NPI")
    assert len(roles(replaced)) == 3
    assert roles(replaced).keys() != roles(admitted).keys()


def test_a_confidential_visit_stays_so_until_somebody_says_otherwise(ward: Ward) -> None:
    secret = f"PV2{'|' * 22}Y"
    labelled = ward.take("A01", ADMITTED, secret)["meta"]["security"]
    assert ward.take("A02", pv1("S^204^2"))["meta"]["security"] == labelled
    assert "security" not in ward.take("A08", pv1("S^204^2"), f"PV2{'|' * 22}N")["meta"]


def test_a_cancelled_discharge_leaves_no_discharge_behind(ward: Ward) -> None:
    ward.take("A01", ADMITTED)
    gone = ward.take("A03", pv1("W^101^1", rest="|" * 16 + "01^Home" + "|" * 8 + "20261122100000|20261122180000"))
    assert gone["hospitalization"]["dischargeDisposition"]
    assert gone["period"]["end"]
    back = ward.take("A13", pv1("W^101^1"))
    assert back["status"] == "in-progress"
    assert "end" not in back["period"]
    assert "dischargeDisposition" not in back.get("hospitalization", {})


def test_an_old_message_completes_nothing(ward: Ward) -> None:
    ward.take("A01", ADMITTED, DIAGNOSIS, hour=5)
    before = dict(ward.fhir.resources)
    after = ward.take("A02", pv1("S^204^2"), hour=2)
    assert after == next(one for one in before.values() if one["resourceType"] == "Encounter")


def test_the_store_is_read_only_when_something_is_to_be_kept(ward: Ward) -> None:
    ward.take("A01", ADMITTED, DIAGNOSIS)
    ward.take("A08", ADMITTED, DIAGNOSIS)
    assert ward.reads == 0, "nobody knows the visit; then everything is said again"
    ward.take("A02", pv1("S^204^2"))
    assert ward.reads == 1
    ward.take("A08", ADMITTED, DIAGNOSIS)
    assert ward.reads == 1


def test_a_visit_of_which_little_was_ever_said_is_never_read(ward: Ward) -> None:
    ward.take("A01", pv1("W^101^1"))
    ward.take("A02", pv1("S^204^2"))
    assert ward.reads == 0


def test_an_explicit_null_deletes_of_a_person_what_it_names_and_nothing_else(ward: Ward) -> None:
    born, address = "19840217", "2208 Larkspur Ave^^Dayton^OH^45402"
    ids = "||||||219384471"  # PID-19
    ward.take(
        "A01", pv1("W^1"), pid=f"|F|||{address}||^PRN^PH^^1^937^5550142|^WPN^PH^^1^937^5550199{ids[1:]}", born=born
    )
    full = ward.patient()
    assert {one["use"] for one in full["telecom"]} == {"home", "work"}
    assert "219384471" in {one["value"].replace("-", "") for one in full["identifier"]}
    silent = ward.take("A08", pv1("W^1"), born=born)
    assert ward.patient()["telecom"] == full["telecom"], silent["id"]
    ward.take("A08", pv1("W^1"), pid='|F|||""||""||||||""', born=born)
    left = ward.patient()
    assert [one["use"] for one in left["telecom"]] == ["work"]
    assert "219384471" not in {one["value"].replace("-", "") for one in left["identifier"]}
    assert "address" not in left
    assert left["birthDate"] == full["birthDate"]


def test_a_death_that_was_none_is_taken_back(ward: Ward) -> None:
    ward.take("A01", pv1("W^1"), pid="|F" + "|" * 21 + "20261120|Y")
    assert ward.patient()["deceasedDateTime"]
    ward.take("A08", pv1("W^1"), pid="|F" + "|" * 21 + '""|""')
    assert not {"deceasedDateTime", "deceasedBoolean"} & ward.patient().keys()


def test_the_policy_names_members_and_parts_that_there_are() -> None:
    policy = policy_of((MAPPINGS / "base/hl7v2/unsaid.toml").read_text())
    assert {"diagnosis", "participant[ATND]", "participant[*]", "period.start"} <= policy["Encounter"].keys()
    spoken = said(policy, lambda place: place == "PV1-7")
    assert [member for member, is_said in spoken["Encounter"].items() if is_said] == ["participant[ATND]"]


def test_nothing_given_is_changed() -> None:
    spoken = {"period.start": False, "participant[A]": False, "participant[*]": False, "diagnosis": True}
    typed = [{"type": [{"coding": [{"code": code}]}]} for code in "AB"]
    stored: Resource = {"period": {"start": "1", "end": "2"}, "participant": typed, "diagnosis": [1]}
    news: Resource = {"period": {"end": "3"}}
    assert completed(news, stored, spoken) == {"period": {"start": "1", "end": "3"}, "participant": typed}
    assert news == {"period": {"end": "3"}}
    assert members_of(stored, spoken) == spoken.keys()
    assert members_of(news, spoken) == frozenset()
    assert without(stored, ["participant[A]", "diagnosis"]) == {"period": stored["period"], "participant": typed[1:]}
    assert without(stored, ["participant[A]", "participant[B]", "period"]) == {"diagnosis": [1]}
    assert stored.keys() == {"period", "participant", "diagnosis"}


def test_a_member_is_deleted_if_one_part_says_so_and_none_says_otherwise() -> None:
    parts = {"a": ["PID-1", "PID-2"]}
    for nulls, filled, gone in (
        ("12", "", True),
        ("1", "", True),
        ("1", "2", False),
        ("", "12", False),
        ("", "", False),
    ):
        found = deleted(
            parts, lambda place, said=nulls + filled: place[-1] in said, lambda place, null=nulls: place[-1] in null
        )
        assert bool(found) is gone, (nulls, filled)
