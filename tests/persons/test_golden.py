"""golden: one Patient of all records, the same in whatever order they came, and never patched."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headwater.model import Person, Resource, SourceRecord, Traits
from headwater.persons.golden import golden_patient, renewed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"


def mrn(value: str, system: str = "urn:a") -> Resource:
    return {"system": system, "value": value, "type": {"coding": [{"system": KINDS, "code": "MR"}]}}


def record(key: str, minutes: int = 0, **patient: Any) -> SourceRecord:
    stated: Resource = {"resourceType": "Patient", "id": f"src-{key}"} | patient
    return SourceRecord(key, key, Traits(), NOON + timedelta(minutes=minutes), stated)


def golden(*records: SourceRecord) -> Resource:
    return golden_patient(Person("p1", 1, records))


def test_the_newest_that_says_it_wins() -> None:
    old = record("a", birthDate="1971-04-23", telecom=[{"value": "1"}], _birthDate={"extension": [{"url": "u"}]})
    new = record("b", 5, birthDate="1971-04-24", gender="male", telecom=[])
    assert golden(old, new) == {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "1971-04-24",
        "gender": "male",
        "telecom": [{"value": "1"}],
    }


def test_identifiers_of_all_records_are_united() -> None:
    shared = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "219345678"}
    united = golden(record("b", identifier=[mrn("2", "urn:b"), shared]), record("a", 5, identifier=[mrn("1"), shared]))
    assert united["identifier"] == [mrn("1"), shared, mrn("2", "urn:b")]


def test_a_choice_is_one_question() -> None:
    newest = golden(record("a", deceasedBoolean=False), record("b", 5, deceasedDateTime="2026-11-20"))
    assert "deceasedBoolean" not in newest
    assert newest["deceasedDateTime"] == "2026-11-20"


def test_what_belongs_to_the_source_stays_there() -> None:
    of_the_source: Resource = {
        "meta": {"versionId": "3"}, "text": {"status": "generated"}, "link": [{"type": "seealso"}],
        "contained": [{"resourceType": "Organization", "id": "o"}], "managingOrganization": {"reference": "#o"},
    }  # fmt: skip
    kept = golden(record("a", generalPractitioner=[{"reference": "Practitioner/p"}], **of_the_source))
    assert kept == {"resourceType": "Patient", "id": "p1", "generalPractitioner": [{"reference": "Practitioner/p"}]}


def test_making_it_changes_no_record() -> None:
    one = record("a", identifier=[mrn("1")], birthDate="1971-04-23")
    before = copy.deepcopy(one.patient)
    golden(one, record("b", 5, birthDate="1971-04-24"))
    assert one.patient == before


@given(st.permutations([record(key, minutes, gender=key, birthDate=f"1971-01-0{n}") for n, (key, minutes) in enumerate(
    [("a", 0), ("b", 5), ("c", 5), ("d", 3)], start=1
)]))  # fmt: skip
def test_the_order_of_the_records_does_not_matter(records: list[SourceRecord]) -> None:
    assert golden(*records)["gender"] == "c"
    assert golden(*records)["birthDate"] == "1971-01-03"


def test_news_that_is_silent_erases_nothing() -> None:
    old = record("a", birthDate="1971-04-23", identifier=[mrn("1"), mrn("9", "urn:ssn")], text={"div": "old"})
    new = record("a", 5, gender="male", identifier=[mrn("2")], telecom=[])
    assert renewed(old, new) == {
        "resourceType": "Patient",
        "id": "src-a",
        "birthDate": "1971-04-23",
        "gender": "male",
        "text": {"div": "old"},
        "identifier": [mrn("2"), mrn("9", "urn:ssn")],
    }
