"""fhir/assemble: resources in the places of references, lifted out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headwater.fhir.assemble import Lifting, lift, merge
from headwater.templates.engine import Engine

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


SURE = [
    """{ "resourceType": "Encounter", "id": "e", "participant": [{ "individual": {% render 'Doctor', id: 'p1' %} }],
        "subject": { "resourceType": "Patient", "id": "p", "managingOrganization": {% render 'Ward', id: 'w' %} },
        "location": [{% render 'Ward', id: 'w' %}{% render 'Ward', id: nil %}], "class": { "code": "IMP" } },
       {% render 'Doctor', id: 'p3' %}""",
    """{ "resourceType": "List", "id": "l", "entry": [{ "item": {% render 'Doctor', id: nil %} }, { "date": "2026" }
        ], "source": { "reference": {% render 'Doctor', id: 'p1' %}, "extension": [{ "url": "u", "valueCode": "c" }] },
        "subject": { "reference": {% if id %}{% render 'Ward', id: 'w' %}{% else %}"Patient/1"{% endif %} } }""",
    """{ "resourceType": "Encounter", "contained": [{ "resourceType": "Patient", "id": "c",
        "generalPractitioner": [{% render 'Doctor', id: 'p2' %}] }], "provenance": [{ "resourceType": "Provenance",
        "id": "v", "agent": [{ "who": {% render 'Doctor', id: 'p1' %} }] }] }""",
    """{ {% if id %}"id": "d",{% endif %} "location": {% render 'Ward', id: 'v' %} "resourceType": "Device",
        "owner": {% render 'Ward', id: 'w' %} }""",
]
UNSURE = [
    """{ "resourceType": "Device", "id": "d", "owner": {% render 'Ward', id: 'w' %}
        "owner": {% render 'Ward', id: 'x' %} }""",
    """{ "id": "d", {% if id %}"resourceType": "Device"{% else %}"resourceType": "List"{% endif %},
        "owner": {% render 'Ward', id: 'w' %} }""",
    """{ "resourceType": "Patient", "contained": [{% render 'Ward', id: 'w' %}],
        "contact": [{% render 'Doctor', id: '' %}] }""",
]
PARTIALS = {
    "Doctor": """{ "resourceType": "Practitioner", "id": "{{ id }}", "name": [{ "text": "{{ id }}" }],
        "qualification": [{ "issuer": {% render 'Ward', id: 'issuer' %} }], "active": true },""",
    "Ward": """{% if id %}{ "resourceType": "Location", "id": "{{ id }}" } {%- else %}{}{% endif %},""",
}


@pytest.mark.parametrize("written", [*SURE, *UNSURE])
@pytest.mark.parametrize("id", [None, "1"])
def test_lifted_while_it_is_built_or_afterwards_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, id: str | None
) -> None:
    for name, source in {**PARTIALS, "root": f'{{ "resources": [{written}] }}'}.items():
        (tmp_path / f"{name}.liquid").write_text(source)
    engine = Engine([tmp_path])
    afterwards = lift(engine.dialect.read(engine.write("root", {"id": id}, "value"), "root")["resources"])

    def lifted() -> list[dict[str, Any]]:
        lifting = Lifting()
        return lifting.lifted(engine.build("root", {"id": id}, lifting)["resources"])

    assert afterwards
    assert [repr(lifted()) for _ in range(2)] == [repr(afterwards)] * 2  # by text, then by objects where that can be
    if written in SURE:
        monkeypatch.setattr("headwater.fhir.assemble.lift", None)
        assert lifted() == afterwards


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
