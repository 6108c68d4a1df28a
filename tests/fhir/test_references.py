from __future__ import annotations

from copy import deepcopy
from typing import Any

from headwater.fhir.references import references, rewrite_references

BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {
                "resourceType": "Observation",
                "contained": [
                    {"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/old"}},
                ],
                "subject": {"reference": "Patient/old", "display": "the patient"},
                "specimen": {"reference": "#s"},
                "performer": [{"identifier": {"value": "x"}}, {"reference": "urn:uuid:2"}],
                "extension": [{"url": "urn:x", "valueReference": {"reference": "Patient/old"}}],
            },
            "request": {"method": "PUT", "url": "Patient/old"},
        }
    ],
}


def test_all_literal_references_come_out_in_document_order() -> None:
    assert list(references(BUNDLE)) == ["Patient/old", "Patient/old", "#s", "urn:uuid:2", "Patient/old"]


def test_references_move_everywhere_and_nothing_else_does() -> None:
    before = deepcopy(BUNDLE)
    moved = rewrite_references(BUNDLE, {"Patient/old": "Patient/new", "urn:uuid:2": "Practitioner/2"})
    assert list(references(moved)) == ["Patient/new", "Patient/new", "#s", "Practitioner/2", "Patient/new"]
    assert moved["entry"][0]["fullUrl"] == "urn:uuid:1"
    assert moved["entry"][0]["request"]["url"] == "Patient/old"
    assert before == BUNDLE, "the given resource is not touched"


def test_the_copy_shares_nothing_with_the_given_resource() -> None:
    moved = rewrite_references(BUNDLE, {})
    assert moved == BUNDLE
    moved["entry"][0]["resource"]["performer"].clear()
    assert BUNDLE["entry"][0]["resource"]["performer"]


def test_an_attachment_follows_its_binary() -> None:
    document = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"contentType": "text/plain", "url": "urn:uuid:b"}}],
        "extension": [{"url": "urn:uuid:b", "valueString": "x"}],
    }
    moved = rewrite_references(document, {"urn:uuid:b": "Binary/b"})
    assert moved["content"][0]["attachment"]["url"] == "Binary/b"
    assert moved["extension"][0]["url"] == "urn:uuid:b"


def test_uris_that_happen_to_be_called_reference_are_not_references() -> None:
    for resource in (
        {"resourceType": "DetectedIssue", "status": "final", "reference": "http://literature.example/1"},
        {"resourceType": "Immunization", "education": [{"reference": "http://literature.example/1"}]},
        {"resourceType": "PlanDefinition", "expression": {"language": "text/cql", "reference": "http://l.example/1"}},
    ):
        assert list(references(resource)) == []
        assert rewrite_references(resource, {"http://literature.example/1": "no"}) == resource


def test_a_malformed_reference_is_left_for_the_validator() -> None:
    odd = {"resourceType": "Observation", "subject": {"reference": 5}, "encounter": "Encounter/1", "performer": [None]}
    assert list(references(odd)) == []
    assert rewrite_references(odd, {"Encounter/1": "Encounter/2"}) == odd
