"""The way in for deliveries that are no HL7 v2: cut into messages, each on its own record, stored as one person's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.ehrs.profile import CsvDialect, Feed, PatientIdentity
from headwater.model import Delivery
from headwater.persons.policy import load_policy
from headwater.pipeline import Ingest
from tests.fakes import FakeArchive, FakeClock, FakeFhirStore, FakeInbox, FakeQueue, FakeWatch
from tests.fakes_persons import InMemoryPersonIndex

MAPPINGS = Path(__file__).resolve().parents[1] / "mappings"
MRN = "urn:oid:2.16.840.1.113883.19.700"
FEED = Feed(
    time_zone="America/New_York",
    authorities={"NORTHSHORE": MRN},
    templates={"csv": "csv/roster", "json": "json/vitals"},
    csv=CsvDialect(group_by="mrn"),
)
NORTH = replace(load(MAPPINGS)["epic"], name="north", folders=(), feed=FEED, patient=PatientIdentity(MRN), rules=())
ROSTER = (MAPPINGS / "base/csv/examples/roster.csv").read_text("utf-8")
CCD = (MAPPINGS / "base/ccda/examples/ccd-outpatient.xml").read_text("utf-8")
BUNDLE = (MAPPINGS / "base/fhir/examples/bundle-transaction.fhir").read_text("utf-8")
VITALS = (MAPPINGS / "base/json/examples/vitals.jsonl").read_text("utf-8")


class Way:
    def __init__(self) -> None:
        self.archive, self.inbox, self.fhir = FakeArchive(), FakeInbox(), FakeFhirStore()
        self.ingest = Ingest(
            ehrs={"north": NORTH}, engine_for=engine_for(MAPPINGS), policy=load_policy(MAPPINGS), archive=self.archive,
            inbox=self.inbox, persons=InMemoryPersonIndex(), fhir=self.fhir, write_queue=FakeQueue(), watch=FakeWatch(),
            clock=FakeClock(),
        )  # fmt: skip

    def take(self, body: str, content_type: str) -> list[str]:
        self.ingest(Delivery(body, {"ehr": "north", "content-type": content_type}))
        return sorted(record.state.value for record in self.inbox.records.values())

    def stored(self, kind: str) -> int:
        return sum(one["resourceType"] == kind for one in self.fhir.resources.values())


@pytest.fixture
def way() -> Way:
    return Way()


def test_one_person_told_of_in_four_formats_is_one_patient(way: Way) -> None:
    for body, content_type in (
        (ROSTER, "text/csv"),
        (CCD, "application/cda+xml"),
        (BUNDLE, "application/fhir+json"),
        (VITALS, "application/json"),
    ):
        assert set(way.take(body, content_type)) == {"stored"}
    assert len(way.inbox.records) == 4
    assert way.stored("Patient") == 1
    assert way.stored("Observation") == 4 + 1 + 1 + 2


def test_a_roster_goes_on_as_its_rows_and_a_bad_one_harms_no_other(way: Way) -> None:
    header, row = ROSTER.splitlines()
    other = row.replace("8842017", "8842018").replace("Castellano", "Ito").replace("999-55-0101", "")
    other = other.replace("05/23/1984", "1990-02-01").replace("Marisol", "Ken").replace("978-555-0114", "")
    other = other.replace("marisol.castellano", "ito").replace("14 Harbor Street", "9 Elm Road").replace(",F,", ",M,")
    bad = row.replace("8842017", "")
    roster = "\n".join([header, row, other, bad, ""])
    assert way.take(roster, "text/csv") == ["forwarded", "quarantined", "stored", "stored"]
    assert way.take(roster, "text/csv") == ["forwarded", "quarantined", "stored", "stored"]
    assert way.stored("Patient") == 2


def test_lines_of_fhir_are_a_message_a_patient_and_a_replay_writes_nothing_new(way: Way) -> None:
    resources = [entry["resource"] for entry in json.loads(BUNDLE)["entry"]]
    ben = {
        **resources[0],
        "id": "eX2",
        "identifier": [{"system": MRN, "value": "8842019"}],
        "name": [{"family": "Ito", "given": ["Ben"]}],
        "birthDate": "1991-03-04",
    }
    resources[2]["subject"] = {"reference": "Patient/eX1"}
    resources[3]["target"] = [{"reference": "Encounter/eV9"}]
    body = "\n".join(json.dumps(one) for one in (*resources, ben))
    assert way.take(body, "application/fhir+ndjson") == ["forwarded", "stored", "stored"]
    assert (way.stored("Patient"), way.stored("Encounter"), way.stored("Provenance")) == (2, 1, 3)


def test_an_unknown_type_is_set_aside_with_its_bytes(way: Way) -> None:
    assert way.take("%PDF-1.7", "application/pdf") == ["quarantined"]
    (record,) = way.inbox.records.values()
    assert record.error_code == "convert.format_unknown"
    assert way.archive.objects[record.archive_key] == b"%PDF-1.7"
