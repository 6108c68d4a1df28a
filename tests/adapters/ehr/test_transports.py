"""The transports over real HTTP: forms and JSON to a vendor's own API, operations on a Bundle, guarded updates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from headwater.ehrs import Next
from headwater.ehrs.engines import engine_for
from headwater.ehrs.render import render
from headwater.errors import HeadwaterError, Refuse
from headwater.outbound import chart
from local.registry.sent import MARKER, PERSON
from tests.adapters.ehr.vendor_server import Vendor, vendor
from tests.ehr_servers import MAPPINGS, profiles

PATIENT = "Patient/a-195900.E-77"
PROBLEMS = "/rest/chart/77/problems"


@pytest.fixture
def there() -> Iterator[Vendor]:
    with vendor() as one:
        yield one


def made(name: str, resource_type: str, patient: str) -> tuple[dict[str, Any], bytes]:
    ehr = profiles()[name]
    resource = json.loads((MAPPINGS / f"base/outbound/examples/{resource_type}.json").read_text())
    return render(
        engine_for(MAPPINGS)(ehr),
        ehr.operation(resource_type),
        ehr.site,
        resource=resource,
        patient=patient,
        person=PERSON,
        marker=MARKER,
    )


# ------------------------------------------------------------------------------------------------------------- forms


def test_a_form_goes_below_its_patient_and_the_new_row_is_read_back_out_of_the_list(there: Vendor) -> None:
    fact, payload = made("athenahealth", "Condition", PATIENT)
    there.says(f"POST {PROBLEMS}", {"success": True, "problemid": 991})
    answer = there.api("athenahealth").create("Condition", payload, patient=PATIENT)
    assert (answer.status, answer.headers["Location"]) == (200, "Condition/77.991")
    (asked,) = there.asked
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body == payload.decode()
    form = {key: value[0] for key, value in parse_qs(payload.decode()).items()}
    assert form == {"departmentid": "1", "snomedcode": "38341003", "startdate": "03/02/2024", "note": MARKER}

    row = {
        "problemid": 991,
        "code": form["snomedcode"],
        "codeset": "SNOMED",
        "name": "Hypertensive disorder",
        "events": [{"eventtype": "START", "startdate": form["startdate"], "note": form["note"]}],
    }
    there.says(f"GET {PROBLEMS}", {"problems": [{**row, "problemid": 5, "events": []}, row], "totalcount": 2})
    read = there.api("athenahealth").read("Condition/77.991")
    assert read.status == 200
    assert chart.differences(read.body or {}, fact) == ()
    assert there.asked[-1].path == f"{PROBLEMS}?departmentid=1"
    assert there.api("athenahealth").read("Condition/77.4").status == 404


def test_a_lab_result_comes_back_to_the_minute_and_unit(there: Vendor) -> None:
    fact, payload = made("athenahealth", "Observation", PATIENT)
    form = {key: value[0] for key, value in parse_qs(payload.decode()).items()}
    documents = "/rest/patients/77/documents/labresult"
    there.says(f"POST {documents}", {"success": True, "labresultid": "12"})
    there.says(f"GET {documents}", {"labresults": [
        {"labresultid": 12, "analytes": json.loads(form["analytes"]), **{k: form[k] for k in form if k != "analytes"}}
    ]})  # fmt: skip
    api = there.api("athenahealth")
    assert "autoclose" not in form
    assert api.create("Observation", payload, patient=PATIENT).headers["Location"] == "Observation/77.12"
    found = api.search("Observation", profiles()["athenahealth"].operation("Observation").search(fact)).body or {}
    (row,) = (entry["resource"] for entry in found["entry"])
    assert chart.differences(row, fact) == ()
    assert chart.same_fact(row, fact)
    assert chart.ours([row], MARKER) == row


def test_a_200_that_says_no_is_a_refusal(there: Vendor) -> None:
    ehr = profiles()["athenahealth"]
    there.says(f"POST {PROBLEMS}", {"success": False, "errormessage": "Department is not valid."})
    answer = there.api("athenahealth").create("Condition", b"departmentid=9", patient=PATIENT)
    assert ehr.react(answer, ehr.operation("Condition")).next is Next.FAIL
    there.says(f"POST {PROBLEMS}", {"error": "no"}, status=403)
    answer = there.api("athenahealth").create("Condition", b"departmentid=9", patient=PATIENT)
    assert ehr.react(answer, ehr.operation("Condition")).wait_s == 300


@pytest.mark.parametrize("body", [{"success": False, "errormessage": "busy"}, {"problems": None}, [], None])
def test_a_200_without_the_list_is_no_empty_chart(there: Vendor, body: Any) -> None:
    there.says(f"GET {PROBLEMS}", body)
    assert there.api("athenahealth").search("Condition", {"patient": PATIENT}).status == 0
    assert there.api("athenahealth").read("Condition/77.1").status == 0


def test_fhir_searches_carry_what_the_profile_adds(there: Vendor) -> None:
    there.says("GET /fhir/Patient", {"resourceType": "Bundle", "type": "searchset"})
    assert there.api("athenahealth").search("Patient", {"identifier": "urn:x|1"}).status == 200
    assert "ah-practice=Organization%2Fa-1.Practice-195900" in there.asked[0].path


def test_a_patient_id_cannot_leave_its_path(there: Vendor) -> None:
    there.api("athenahealth").create("Condition", b"", patient="Patient/../../token?x=")
    assert there.asked[0].path == "/rest/chart/..%2F..%2Ftoken%3Fx%3D/problems"


def test_a_missing_address_of_the_vendor_s_own_api_is_said(there: Vendor) -> None:
    api = there.api("athenahealth")
    api._session.rest_url = ""
    with pytest.raises(HeadwaterError) as raised:
        api.create("Condition", b"", patient=PATIENT)
    assert (raised.value.code, raised.value.place) == ("ehr.connection_invalid", "rest_url")


# -------------------------------------------------------------------------------------------------------------- JSON


def test_a_json_api_with_pages_is_written_to_and_read_back(there: Vendor) -> None:
    fact, payload = made("elation", "Condition", "Patient/64058630145")
    there.says("POST /rest/problems/", {"id": 7001}, status=201)
    api = there.api("elation")
    answer = api.create("Condition", payload, patient="Patient/64058630145")
    assert (answer.status, answer.headers["Location"]) == (201, "Condition/64058630145.7001")
    assert json.loads(there.asked[0].body)["patient"] == 64058630145
    row = {**json.loads(payload), "id": 7001}
    page = f"http://127.0.0.1:{there.port}/rest/page2"
    there.says("GET /rest/problems/", {"results": [{**row, "id": 1, "dx": []}], "next": page})
    there.says("GET /rest/page2", {"results": [row], "next": None})
    found = api.search("Condition", {"patient": "Patient/64058630145"}).body or {}
    assert len(found["entry"]) == 2
    filed = found["entry"][1]["resource"]
    assert filed["id"] == "64058630145.7001"
    assert chart.differences(filed, fact) == ()


def test_a_patient_is_read_by_the_vendor_s_own_id(there: Vendor) -> None:
    row = {"id": 77, "first_name": "Odile", "last_name": "Fennimore", "dob": "1968-02-03", "sex": "Female"}
    there.says("GET /rest/patients/77/", {**row, "phones": [], "address": {"zip": "60601"}})
    found = there.api("elation").search("Patient", {"identifier": "urn:elation|77"}).body or {}
    (one,) = (entry["resource"] for entry in found["entry"])
    assert (one["id"], one["name"][0]["family"], one["gender"]) == ("77", "Fennimore", "female")
    assert there.api("elation").search("Patient", {"identifier": "urn:elation|78"}).body == {
        "resourceType": "Bundle", "type": "searchset", "entry": []}  # fmt: skip


def test_a_numeric_answer_says_yes_or_no(there: Vendor) -> None:
    ehr = profiles()["eclinicalworks"]
    operation = ehr.operation("Condition")
    there.says("POST /fhir/Condition", {"status": "1", "key": "c-9"})
    answer = there.api("eclinicalworks").create("Condition", b"{}")
    assert (ehr.react(answer, operation).next, answer.headers["Location"]) == (Next.READ_BACK, "Condition/c-9")
    there.says("POST /fhir/Condition", {"status": "103"})
    assert ehr.react(there.api("eclinicalworks").create("Condition", b"{}"), operation).next is Next.VERIFY
    there.says("POST /fhir/Condition", {"status": "2"})
    assert ehr.react(there.api("eclinicalworks").create("Condition", b"{}"), operation).next is Next.FAIL


def test_an_api_key_goes_beside_the_token(there: Vendor) -> None:
    there.says("POST /fhir/Condition", None, status=201)
    there.api("modmed-ema-proprietary").create("Condition", b"{}")
    assert (there.asked[0].headers["x-api-key"], there.asked[0].headers["Authorization"]) == ("the-key", "Bearer token")


# -------------------------------------------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("body", "then", "location"),
    [
        ({"entry": [{"response": {"status": "201 Created", "location": "Observation/o-1/_history/1"}}]},
         Next.READ_BACK, "Observation/o-1/_history/1"),
        ({"entry": []}, Next.READ_BACK, None),
        ({}, Next.READ_BACK, None),
        ({"entry": [{"response": {"status": "400", "outcome": {"resourceType": "OperationOutcome",
                     "issue": [{"severity": "error", "code": "invalid"}]}}}]}, Next.FAIL, None),
        ({"entry": [{"resource": {"resourceType": "OperationOutcome",
                     "issue": [{"severity": "error", "code": "processing"}]}}]}, Next.FAIL, None),
        ({"entry": [{"response": {"status": "409"}}]}, Next.REVIEW, None),
    ],
    ids=["filed", "queued", "empty", "refused", "refused-in-200", "conflict"],
)  # fmt: skip
def test_what_the_entries_say_counts(there: Vendor, body: dict[str, Any], then: Next, location: str | None) -> None:
    ehr = profiles()["redox"]
    _, payload = made("redox", "Observation", "Patient/p1")
    there.says("POST /fhir/Observation/$observation-create", {"resourceType": "Bundle", **body})
    answer = there.api("redox").create("Observation", payload, patient="Patient/p1")
    assert ehr.react(answer, ehr.operation("Observation")).next is then
    assert answer.headers.get("Location") == location
    assert answer.status == (201 if location else answer.status)
    assert there.asked[0].body == payload.decode()
    assert there.asked[0].headers["Redox-Source-Id"] == ehr.site["source_id"]


def test_an_answer_without_a_place_is_only_queued(there: Vendor) -> None:
    there.says("POST /fhir/Observation/$observation-create", {"resourceType": "Bundle"})
    assert there.api("redox").create("Observation", b"{}").status == 202


# ----------------------------------------------------------------------------------------------------------- updates


def test_an_update_names_the_version_that_was_seen(there: Vendor) -> None:
    there.says("PUT /fhir/Condition/1", None, status=409)
    there.says("PUT /fhir/Condition/2", None, status=412)
    assert there.api("oracle-millennium").update("Condition/1", b"{}", seen="3").status == 409
    assert there.asked[0].headers["If-Match"] == 'W/"3"'
    assert there.api("canvas").update("Condition/2", b"{}", seen="2026-11-21T23:30:00.123-05:00").status == 412
    assert there.asked[1].headers["If-Unmodified-Since"] == "Sun, 22 Nov 2026 04:30:00 GMT"
    assert there.asked[1].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("name", "seen"), [("oracle-millennium", ""), ("canvas", ""), ("canvas", "3"), ("redox", "3")])
def test_an_update_of_an_unknown_version_is_never_sent(there: Vendor, name: str, seen: str) -> None:
    with pytest.raises(Refuse) as raised:
        there.api(name).update("Condition/1", b"{}", seen=seen)
    assert raised.value.code == "send.precondition_unknown"
    assert there.asked == []


def test_what_was_seen_is_the_version_or_the_moment() -> None:
    row = {"meta": {"versionId": "7", "lastUpdated": "2026-11-21T23:30:00Z"}}
    apis = {name: profiles()[name].api for name in ("oracle-millennium", "canvas", "redox")}
    assert [api.precondition.seen(row) for api in apis.values() if api] == ["7", "2026-11-21T23:30:00Z", ""]
