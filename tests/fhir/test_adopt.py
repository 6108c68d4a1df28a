"""fhir/adopt: a sender's own resources get ids that last, references that hold, and nobody else's facts."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.fhir.adopt import adopt
from headwater.fhir.references import references

MRN = {"system": "urn:oid:1.2.3", "value": "8842017"}
ANA: dict[str, Any] = {"resourceType": "Patient", "id": "a", "identifier": [MRN]}


def result(subject: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "subject": {"reference": subject}, **more}


def test_an_id_is_made_of_sender_type_and_the_senders_id() -> None:
    (first,), (again,), (other,) = (adopt([("", ANA)], ehr) for ehr in ("north", "north", "south"))
    assert first["id"] == again["id"] != other["id"] != "a"
    assert first["meta"] == {"source": "urn:headwater:north:Patient/a"}


def test_what_the_server_said_of_its_copy_is_left_behind_and_the_rest_of_meta_stays() -> None:
    meta = {"versionId": "3", "lastUpdated": "2025-07-11T08:30:00Z", "source": "urn:x", "tag": [{"code": "t"}]}
    (patient,) = adopt([("", {**ANA, "meta": meta})], "north")
    assert patient["meta"] == {"source": "urn:x", "tag": [{"code": "t"}]}
    assert meta["versionId"] == "3"


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("", "Patient/a"),
        ("", "Patient/a/_history/7"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("https://north.example.org/r4/Patient/a", "https://north.example.org/r4/Patient/a"),
        ("", "Patient?identifier=urn:oid:1.2.3|8842017"),
    ],
)
def test_a_reference_in_any_form_is_followed(url: str, reference: str) -> None:
    patient, seen = adopt([(url, ANA), ("", result(reference))], "north")
    assert list(references(seen)) == [f"Patient/{patient['id']}"]


def test_without_an_id_the_number_counts_and_without_a_number_the_content() -> None:
    nameless = {"resourceType": "Patient", "identifier": [MRN]}
    told = [adopt([(f"urn:uuid:{n}", nameless), ("", result(f"urn:uuid:{n}", value=1))], "north") for n in (1, 2)]
    assert told[0] == told[1]
    _, changed = adopt([("urn:uuid:1", nameless), ("", result("urn:uuid:1", value=2))], "north")
    assert changed["id"] != told[0][1]["id"]


def test_results_that_share_an_accession_number_are_still_several() -> None:
    shared = [result("Patient/a", identifier=[{"system": "acc", "value": "1"}], value=value) for value in (1, 2)]
    _, first, second = adopt([("", ANA), *(("", one) for one in shared)], "north")
    assert first["id"] != second["id"]


def test_resources_without_ids_may_refer_to_each_other() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "result": [{"reference": "urn:uuid:2"}],
        "subject": {"reference": "Patient/a"},
    }
    patient, made, seen = adopt([("", ANA), ("urn:uuid:1", report), ("urn:uuid:2", result("Patient/a"))], "north")
    assert list(references(made)) == [f"Observation/{seen['id']}", f"Patient/{patient['id']}"]


def test_what_did_not_come_along_is_named_by_its_identifier_and_not_pretended() -> None:
    performers = [
        {"reference": "Practitioner/p", "display": "Okafor"},
        {"reference": "Organization?identifier=http://npi|1"},
        {"reference": "urn:uuid:9"},
        {"reference": "https://elsewhere.example.org/Practitioner/p"},
        {"reference": "#inside"},
    ]
    _, seen = adopt([("", ANA), ("", result("Patient/a", performer=performers))], "north")
    assert seen["performer"] == [
        {
            "type": "Practitioner",
            "identifier": {"system": "urn:headwater:north:fhir", "value": "Practitioner/p"},
            "display": "Okafor",
        },
        {"type": "Organization", "identifier": {"system": "http://npi", "value": "1"}},
        {"identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:9"}},
        {"reference": "https://elsewhere.example.org/Practitioner/p"},
        {"reference": "#inside"},
    ]


@pytest.mark.parametrize(
    "who", ["Patient/b", "Patient/b/_history/1", "https://x.example.org/Patient/b", "Patient?identifier=s|b"]
)
def test_facts_about_a_patient_who_did_not_come_along_are_refused(who: str) -> None:
    with pytest.raises(Quarantine) as error:
        adopt([("", ANA), ("", result(who))], "north")
    assert (error.value.code, error.value.place) == ("convert.patient_several", "Observation")


def test_facts_about_a_contained_patient_are_refused() -> None:
    with pytest.raises(Quarantine) as error:
        adopt([("", ANA), ("", result("#p", contained=[{"resourceType": "Patient", "id": "p"}]))], "north")
    assert (error.value.code, error.value.place) == ("convert.patient_several", "Observation.contained")


def test_a_patient_may_name_another_one_as_a_link() -> None:
    linked = {**ANA, "link": [{"other": {"reference": "Patient/b"}, "type": "seealso"}]}
    (patient,) = adopt([("", linked)], "north")
    assert patient["link"][0]["other"]["identifier"]["value"] == "Patient/b"


def test_the_record_number_is_known_by_its_system() -> None:
    (patient,) = adopt(
        [("", {**ANA, "identifier": [MRN, {"system": "other", "value": "1"}]})], "north", "urn:oid:1.2.3"
    )
    assert patient["identifier"][0]["type"]["coding"][0]["code"] == "MR"
    assert "type" not in patient["identifier"][1]
