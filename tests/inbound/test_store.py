"""store: whole, once, and never backwards in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headwater.inbound.store import Stored, store
from headwater.model import Matched, Resource
from tests.fakes import FakeFhirStore, FakeInbox

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def encounter(status: str) -> Resource:
    return {"resourceType": "Encounter", "id": "e1", "status": status}


PATIENT: Resource = {"resourceType": "Patient", "id": "p1"}
CONDITION: Resource = {"resourceType": "Condition", "id": "c1", "encounter": {"reference": "Encounter/e1"}}
REPORT: Resource = {"resourceType": "DiagnosticReport", "id": "r1", "result": [{"reference": "Observation/o1"}]}
RESULT: Resource = {"resourceType": "Observation", "id": "o1"}
OTHER: Resource = {"resourceType": "Observation", "id": "o2"}


class Room:
    def __init__(self) -> None:
        self.fhir, self.inbox = FakeFhirStore(), FakeInbox()

    def __call__(self, at: datetime, *resources: Resource) -> Stored:
        return store(Matched("p1", 1, resources), at, ehr="north", fhir=self.fhir, inbox=self.inbox)


def test_everything_is_written_in_one_transaction() -> None:
    room = Room()
    stored = room(NOON, PATIENT, encounter("in-progress"), CONDITION)
    assert stored.references == ("Patient/p1/_history/1", "Encounter/e1/_history/1", "Condition/c1/_history/1")
    assert room.fhir.transactions == 1


def test_older_news_does_not_reopen_a_visit() -> None:
    room = Room()
    room(NOON, PATIENT, encounter("finished"))
    stored = room(NOON - timedelta(hours=3), PATIENT, encounter("in-progress"), CONDITION)
    assert stored.superseded == ("Encounter/e1",)
    assert room.fhir.resources["Encounter/e1"]["status"] == "finished"
    assert "Condition/c1" not in room.fhir.resources


def test_results_of_an_older_report_are_left_out_and_no_others() -> None:
    room = Room()
    room(NOON, REPORT, RESULT)
    stored = room(NOON - timedelta(minutes=1), REPORT, RESULT, OTHER)
    assert stored.resources == (OTHER,)


def test_an_old_message_does_not_take_back_what_is_known_of_an_allergy() -> None:
    room = Room()
    allergy: Resource = {"resourceType": "AllergyIntolerance", "id": "a1", "criticality": "high"}
    room(NOON, PATIENT, allergy)
    stored = room(NOON - timedelta(days=900), PATIENT, encounter("finished"), {**allergy, "criticality": "low"})
    assert room.fhir.resources["AllergyIntolerance/a1"]["criticality"] == "high"
    assert room.fhir.resources["Encounter/e1"]["status"] == "finished"
    assert stored.superseded == ()  # the visit is news, and the message as well


def test_what_names_a_visit_goes_by_the_visit_and_costs_no_row_of_its_own() -> None:
    room = Room()
    room(NOON, PATIENT, encounter("finished"), CONDITION)
    assert list(room.inbox.threads) == ["north|Encounter/e1"]


def test_the_same_news_again_is_written_again() -> None:
    room = Room()
    room(NOON, encounter("finished"))
    assert room(NOON, encounter("finished")).superseded == ()
