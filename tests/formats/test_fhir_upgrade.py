"""formats/fhir/upgrade: what STU3 and DSTU2 say is said in R4, or refused by type; nothing is dropped unsaid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine
from headwater.fhir import tables
from headwater.formats.fhir import upgrade
from headwater.formats.fhir.upgrade import can_upgrade, upgraded
from tests.mappings.examples import MAPPINGS

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
EXAMPLES = {"STU3": "bundle-stu3", "DSTU2": "bundle-dstu2"}


def made(version: str, kind: str, **said: Any) -> dict[str, Any]:
    return upgraded({"resourceType": kind, **said}, version)


@pytest.mark.parametrize(
    ("version", "kind", "said", "is_now"),
    [
        ("STU3", "Observation", {"context": 1, "comment": "x"}, {"encounter": 1, "note": [{"text": "x"}]}),
        ("STU3", "Condition", {"clinicalStatus": "active"},
         {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]}}),
        ("STU3", "Condition", {"verificationStatus": "unknown"}, {}),
        ("STU3", "Procedure", {"notDone": True, "status": "suspended"}, {"status": "not-done"}),
        ("STU3", "Procedure", {"notDone": False, "status": "aborted"}, {"status": "stopped"}),
        ("STU3", "MedicationRequest",
         {"status": "active", "intent": "plan", "dosageInstruction": [{"text": "t", "rateRatio": {"x": 1}}]},
         {"status": "active", "intent": "plan",
          "dosageInstruction": [{"text": "t", "doseAndRate": [{"rateRatio": {"x": 1}}]}]}),
        ("STU3", "Provenance", {"agent": [{"whoUri": "urn:x"}]},
         {"agent": [{"who": {"identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:x"}}}]}),
        ("STU3", "Observation", {"basedOn": [{"reference": "ProcedureRequest/7"}]},
         {"basedOn": [{"reference": "ServiceRequest/7"}]}),
        ("STU3", "Patient", {"_birthDate": {"extension": []}}, {"_birthDate": {"extension": []}}),
        ("DSTU2", "Patient", {"name": [{"family": ["van", "Doorn"]}]}, {"name": [{"family": "van Doorn"}]}),
        ("DSTU2", "Encounter", {"class": "emergency", "patient": 1},
         {"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"}, "subject": 1}),
        ("DSTU2", "Immunization", {"reported": True, "wasNotGiven": True, "performer": {"reference": "Practitioner/1"}},
         {"primarySource": False, "status": "not-done", "performer": [{"actor": {"reference": "Practitioner/1"}}]}),
        ("DSTU2", "Goal", {"targetDate": "2025-06-01", "status": "achieved"},
         {"target": [{"dueDate": "2025-06-01"}], "lifecycleStatus": "completed"}),
    ],
)  # fmt: skip
def test_an_element_is_what_r4_calls_it(version: str, kind: str, said: Any, is_now: Any) -> None:
    assert made(version, kind, **said) == {"resourceType": kind, **is_now}


def test_a_related_observation_is_a_member_or_a_source() -> None:
    related = [
        {"type": "has-member", "target": {"x": 1}},
        {"target": {"x": 2}},
        {"type": "derived-from", "target": {"x": 3}},
    ]
    now = made("STU3", "Observation", related=related)
    assert (now["hasMember"], now["derivedFrom"]) == ([{"x": 1}, {"x": 2}], [{"x": 3}])


def test_contained_resources_are_upgraded_with_their_holder() -> None:
    now = made("STU3", "MedicationRequest", contained=[{"resourceType": "Medication", "id": "1", "isBrand": True}])
    assert now["contained"] == [{"resourceType": "Medication", "id": "1"}]


def test_a_type_without_a_table_is_refused_by_name() -> None:
    with pytest.raises(Quarantine) as refused:
        made("STU3", "ExpansionProfile")
    assert (refused.value.code, refused.value.place) == ("convert.fhir_version_unsupported", "ExpansionProfile")


@pytest.mark.parametrize("version", EXAMPLES)
def test_every_table_is_of_operations_that_there_are(version: str) -> None:
    def check(table: Any) -> None:
        assert set(table) <= {*upgrade._OPERATIONS, "each"}
        for inner in table.get("each", {}).values():
            check(inner)

    assert can_upgrade(version)
    for kind, table in upgrade._tables(version).items():
        if kind != "everywhere":
            check(table)
            assert table.get("type", kind) in tables.resource_names()


@pytest.mark.parametrize("version", EXAMPLES)
def test_what_is_not_carried_over_is_written_down(version: str) -> None:
    """Every text of the example is in what becomes of it, but for those of elements that a table drops."""
    bundle = json.loads((MAPPINGS / f"base/fhir/examples/{EXAMPLES[version]}.fhir").read_text())
    known = {"none", "counts", "physician", "radiologist", "likely"}
    for entry in bundle["entry"]:
        now = json.dumps(upgraded(entry["resource"], version))
        for text in texts(entry["resource"]):
            assert text in now or text in known, text


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_in_an_element_gets_an_answer(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(sorted(EXAMPLES)))
    types = [one for one in upgrade._tables(version).items() if one[0] != "everywhere"]
    kind, table = data.draw(st.sampled_from(types))
    named = (rules for rules in table.values() if isinstance(rules, dict | list))
    names = {name.partition(".")[0] for rules in named for name in rules if isinstance(name, str)}
    members = st.sampled_from(sorted(names | {"status", "note", "contained", "related", "dosage"}))
    said = data.draw(st.dictionaries(members, JSON, max_size=4))
    now = upgraded({"resourceType": kind, **said}, version)
    assert now["resourceType"] == table.get("type", kind)
