"""traits_of: what a FHIR Patient says of a human, and nothing that it does not say."""

from __future__ import annotations

from datetime import date

import pytest

from headwater.model import Identifier, Resource, Traits
from headwater.persons.traits import traits_of

KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"


def test_a_full_patient() -> None:
    patient: Resource = {
        "resourceType": "Patient",
        "identifier": [
            {"use": "old", "system": "urn:a", "value": "0"},
            {"system": "urn:a", "value": "77", "type": {"coding": [{"system": KINDS, "code": "MR"}]}},
            {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "219-34-5678"},
            {"assigner": {"display": "Plan"}, "value": "W1", "type": {"coding": [{"code": "MB"}]}},
            {"system": "urn:a"},
        ],
        "name": [
            {"use": "maiden", "family": "Old", "given": ["Ana"]},
            {"use": "official", "family": "New", "given": ["Ana", None, "María"], "suffix": ["Jr"]},
        ],
        "birthDate": "1980-02-03",
        "gender": "female",
        "telecom": [
            {"system": "phone", "value": "2", "use": "work"},
            {"system": "phone", "value": "1", "use": "home"},
            {"system": "fax", "value": "3"},
            {"system": "phone", "value": "4", "use": "old"},
            {"system": "email", "value": "a@b"},
        ],
        "address": [
            {"use": "old", "line": ["elsewhere"]},
            {"use": "home", "line": ["120 Oak"], "city": "Houston", "state": "TX", "postalCode": "77002"},
        ],
        "deceasedDateTime": "2020",
        "multipleBirthInteger": 2,
    }
    assert traits_of(patient) == Traits(
        family=("New", "Old"),
        given=("Ana", "María"),
        suffix="Jr",
        birth_date=date(1980, 2, 3),
        gender="female",
        phones=("1", "2"),
        emails=("a@b",),
        address_lines=("120 Oak",),
        city="Houston",
        state="TX",
        postal_code="77002",
        identifiers=(
            Identifier("urn:a", "77", "MR"),
            Identifier("http://hl7.org/fhir/sid/us-ssn", "219-34-5678", "SS"),
            Identifier("Plan", "W1", "MB"),
        ),
        deceased=True,
        multiple_birth=True,
    )


@pytest.mark.parametrize(
    "patient",
    [
        {"resourceType": "Patient"},
        {"name": [], "telecom": None, "identifier": [None], "address": [{}]},
        {"name": [{"given": [None]}], "birthDate": None, "gender": None},
        {"birthDate": "1980"},
        {"birthDate": "1980-02"},
        {"birthDate": "1980-02-31"},
        {"deceasedBoolean": False, "multipleBirthBoolean": False},
    ],
)
def test_what_is_not_said_is_empty(patient: Resource) -> None:
    assert traits_of(patient) == Traits()


@pytest.mark.parametrize("text", ["Quintero, Jon Paul", "Jon Paul Quintero"])
def test_a_name_that_is_only_text(text: str) -> None:
    traits = traits_of({"name": [{"text": text}]})
    assert (traits.given, traits.family) == (("Jon", "Paul"), ("Quintero",))
