"""fhir/assemble: resources in the places of references, lifted out."""

from __future__ import annotations

from headwater.fhir.assemble import lift, merge

DOCTOR = {"resourceType": "Practitioner", "id": "p1"}


def test_a_reference_may_say_more_than_where_it_points_to() -> None:
    function = [{"url": "urn:function", "valueCode": "SPRF"}]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "performer": [{"reference": DOCTOR, "extension": function}],
    }
    assert lift([report]) == [
        {**report, "performer": [{"reference": "Practitioner/p1", "extension": function}]},
        DOCTOR,
    ]


def test_nobody_is_referred_to_when_the_resource_has_no_id() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "performer": [{"reference": {"resourceType": "Practitioner"}}],
    }
    assert lift([report]) == [{"resourceType": "DiagnosticReport", "id": "r1"}]


def test_what_is_said_again_in_another_type_is_not_said_twice() -> None:
    planned = {"resourceType": "ServiceRequest", "id": "s1", "occurrenceDateTime": "2026-09-14", "priority": "stat"}
    again = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "occurrenceTiming": {"event": ["2026-09-15"]},
        "intent": "order",
    }
    assert merge([planned, again]) == [{**planned, "intent": "order"}]


def test_a_provenance_is_lifted_from_wherever_it_was_written_and_leaves_no_reference() -> None:
    written = {"resourceType": "Provenance", "id": "v1", "target": [{"reference": "Condition/c1"}]}
    condition = {"resourceType": "Condition", "id": "c1"}
    assert lift([{**condition, "provenance": [written]}]) == [condition, written]


def test_two_resources_with_the_same_provenance_are_its_two_targets() -> None:
    about = [{"resourceType": "Provenance", "id": "v1", "target": [{"reference": f"Condition/{n}"}]} for n in "ab"]
    assert merge(about) == [
        {**about[0], "target": [{"reference": "Condition/a"}, {"reference": "Condition/b"}]},
    ]


def test_what_is_said_twice_of_a_type_that_r4_does_not_have_is_left_to_validation() -> None:
    assert merge([{"resourceType": "Patent", "id": "1"}, {"resourceType": "Patent", "id": "1", "a": 2}]) == [
        {"resourceType": "Patent", "id": "1", "a": 2}
    ]
