"""formats/fhir: packings, versions, and one message a patient."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs.profile import Feed
from headwater.errors import HeadwaterError, Quarantine
from headwater.formats import read, split
from headwater.formats.fhir.versions import DSTU2, R4, R5, STU3, version_of

TYPE = "application/fhir+json"
FEED = Feed()
ANA = {"resourceType": "Patient", "id": "a", "meta": {"lastUpdated": "2025-07-11T08:30:00Z"}}
BEN = {"resourceType": "Patient", "id": "b"}


def observation(patient: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "subject": {"reference": f"Patient/{patient}"}, **more}


def bundle(*resources: dict[str, Any], kind: str = "collection", **more: Any) -> bytes:
    return orjson.dumps(
        {"resourceType": "Bundle", "type": kind, "entry": [{"resource": one} for one in resources], **more}
    )


def lines(*resources: dict[str, Any]) -> bytes:
    return b"\n".join(map(orjson.dumps, resources)) + b"\n"


def refused(body: bytes) -> tuple[str, str]:
    with pytest.raises(Quarantine) as error:
        read(TYPE, body, FEED)
    return error.value.code, error.value.place


def types(part: bytes) -> list[str]:
    return [f"{one['resourceType']}/{one.get('id', '')}" for _, one in read(TYPE, part, FEED).resources]


def test_a_resource_a_bundle_and_lines_are_all_read() -> None:
    assert types(orjson.dumps(ANA)) == ["Patient/a"]
    assert types(bundle(ANA, observation("a", id="1"))) == ["Patient/a", "Observation/1"]
    assert types(lines(ANA, observation("a", id="1"))) == ["Patient/a", "Observation/1"]
    assert types(b"\xef\xbb\xbf" + orjson.dumps(ANA)) == ["Patient/a"]


def test_an_outcome_and_a_search_in_a_bundle_are_no_facts() -> None:
    body = orjson.dumps(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [
                {"resource": ANA, "search": {"mode": "match"}},
                {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
                {"request": {"method": "GET", "url": "Patient"}},
            ],
        }
    )
    assert types(body) == ["Patient/a"]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"", "convert.not_json", "line 1, column 1"),
        (b"{", "convert.not_json", "line 1, column 2"),
        (b'{"resourceType": "Patient"}\n{"resourceType": ', "convert.not_json", "line 2, column 18"),
        (b"[]", "convert.not_fhir", "resource"),
        (b'{"a": 1}', "convert.not_fhir", "resource"),
        (lines(ANA, {"x": 1}), "convert.not_fhir", "line 2"),
        (bundle(ANA, kind="history"), "convert.bundle_type", "Bundle.type"),
        (bundle({"no": "type"}), "convert.not_fhir", "Bundle.entry[0].resource"),
        (bundle({"resourceType": "Bundle"}), "convert.not_fhir", "Bundle.entry[0].resource"),
        (
            b'{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"Patient/1"}}]}',
            "convert.bundle_request",
            "Bundle.entry[0].request.method",
        ),
        (b"[" * 101 + b"]" * 101, "convert.too_deep", "body"),
        (b'{"resourceType":"Patient","x":NaN}', "convert.not_json", "line 1, column 31"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_place(body: bytes, code: str, place: str) -> None:
    assert refused(body) == (code, place)


@pytest.mark.parametrize(
    ("resource", "version"),
    [
        ({"resourceType": "MedicationOrder"}, DSTU2),
        ({"resourceType": "Patient", "careProvider": []}, DSTU2),
        ({"resourceType": "Condition", "patient": {}}, DSTU2),
        ({"resourceType": "Encounter", "class": "inpatient"}, DSTU2),
        ({"resourceType": "ProcedureRequest"}, STU3),
        ({"resourceType": "Condition", "clinicalStatus": "active"}, STU3),
        ({"resourceType": "Immunization", "notGiven": False}, STU3),
        ({"resourceType": "Patient", "meta": {"profile": ["http://hl7.org/fhir/STU3/patient"]}}, STU3),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"}, STU3),
        ({"resourceType": "Encounter", "actualPeriod": {}}, R5),
        ({"resourceType": "Encounter", "class": {"code": "AMB"}}, R4),
        ({"resourceType": "Condition", "clinicalStatus": {"coding": []}, "meta": {"profile": [1]}}, R4),
        ({"resourceType": "Observation", "meta": "odd"}, R4),
    ],
)
def test_the_release_is_read_off_what_only_it_has(resource: dict[str, Any], version: str) -> None:
    assert version_of([{"resourceType": "Patient"}, resource]) == version


def test_another_release_is_refused_by_name_unless_the_feed_has_a_template_for_it() -> None:
    assert refused(bundle(ANA, {"resourceType": "NutritionIntake"}))[0] == "convert.fhir_version_unsupported"
    assert refused(bundle(ANA, {"resourceType": "ProcessRequest"}))[0] == "convert.fhir_version_unsupported"
    body = bundle(ANA, {"resourceType": "ProcedureRequest"})
    assert [resource["resourceType"] for _, resource in read(TYPE, body, Feed()).resources] == [
        "Patient",
        "ServiceRequest",
    ]
    reading = read(TYPE, body, Feed(templates={"fhir-stu3": "fhir/our-stu3"}))
    assert reading.template == "fhir/our-stu3"
    assert str(reading.variables["bundle"].lookup("kind")) == "Bundle"
    assert reading.unread() == ("resources",)


@pytest.mark.parametrize(
    ("body", "time"),
    [
        (bundle(ANA, timestamp="2025-07-12T00:00:00Z"), datetime(2025, 7, 12, tzinfo=UTC)),
        (bundle(ANA, BEN), datetime(2025, 7, 11, 8, 30, tzinfo=UTC)),
        (bundle(BEN, observation("b", issued="2025-07-10T10:00:00Z")), datetime(2025, 7, 10, 10, tzinfo=UTC)),
        (bundle(BEN), None),
    ],
)
def test_the_event_time_is_the_bundles_else_of_the_newest_resource(body: bytes, time: datetime | None) -> None:
    assert read(TYPE, body, FEED).event_time == time


# ------------------------------------------------------------------------------------------------------ by patient


def test_a_delivery_about_one_patient_stays_as_it_came() -> None:
    for body in (orjson.dumps(ANA), bundle(ANA, observation("a")), lines(ANA, observation("a"))):
        assert split(TYPE, body, FEED) == [body]


@pytest.mark.parametrize("packing", [bundle, lines])
def test_a_delivery_about_several_is_a_message_each(packing: Any) -> None:
    doctor = {"resourceType": "Practitioner", "id": "d", "x": {"reference": "Organization/o"}}
    organization = {"resourceType": "Organization", "id": "o"}
    body = packing(
        doctor,
        ANA,
        BEN,
        observation("b", id="2", performer=[{"reference": "Practitioner/d"}]),
        observation("a", id="1"),
        {"resourceType": "Provenance", "id": "p", "target": [{"reference": "Observation/2/_history/1"}]},
        organization,
    )
    ana, ben = split(TYPE, body, FEED)
    assert types(ana) == ["Patient/a", "Observation/1"]
    assert types(ben) == ["Practitioner/d", "Patient/b", "Observation/2", "Provenance/p", "Organization/o"]
    assert [split(TYPE, part, FEED) for part in (ana, ben)] == [[ana], [ben]]


def test_what_is_about_nobody_here_or_about_two_is_set_aside_and_not_lost() -> None:
    both = {"resourceType": "Group", "id": "g", "member": [{"reference": "Patient/a"}, {"reference": "Patient/b"}]}
    body = bundle(ANA, BEN, both, observation("stranger", id="3"))
    *parts, left = split(TYPE, body, FEED)
    assert [types(part) for part in parts] == [["Patient/a"], ["Patient/b"]]
    assert types(left) == ["Group/g", "Observation/3"]


def test_lines_that_are_bundles_are_messages_of_their_own() -> None:
    one, two = orjson.loads(bundle(ANA)), orjson.loads(bundle(ANA, BEN))
    assert [types(part) for part in split(TYPE, lines(one, two), FEED)] == [["Patient/a"], ["Patient/a"], ["Patient/b"]]


def test_what_many_patients_share_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.formats.fhir.patients._LARGEST", 10_000)
    shared = {"resourceType": "Organization", "id": "o", "name": "x" * 1000}
    patients = [{"resourceType": "Patient", "id": str(n), "o": {"reference": "Organization/o"}} for n in range(20)]
    with pytest.raises(Quarantine) as error:
        split(TYPE, bundle(shared, *patients), FEED)
    assert error.value.code == "convert.too_large"


KEYS = (
    *("resourceType", "entry", "resource", "type", "id", "reference", "subject", "request", "method", "meta"),
    *("profile", "identifier", "fullUrl", "timestamp", "date", "search"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(["Patient/a", "Bundle"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=200)
    | JSON.map(orjson.dumps)
    | JSON.map(lambda v: bundle({"resourceType": "Patient", "v": v}, v))
)
@pytest.mark.parametrize("content_type", [TYPE, "application/json", "text/csv"])
def test_whatever_the_bytes_are_nothing_but_our_own_errors(content_type: str, body: bytes) -> None:
    feed = Feed(templates={"json": "json/x", "csv": "csv/x"})
    with contextlib.suppress(HeadwaterError):
        assert all(read(content_type, part, feed).unread() is not None for part in split(content_type, body, feed))
