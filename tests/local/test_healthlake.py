"""The HealthLake stand-in says what HealthLake says: statuses, versions, conditions, limits, signatures. Signed by
botocore, checked by the stand-in's own arithmetic."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.healthlake.search import bounds
from local.healthlake.server import Manners, serve

PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"}
URN = "urn:uuid:3fa85f64-5717-4562-b3fc-2c963f66afa6"


def observation(identity: str, **changed: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
        **changed,
    }


def put(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    name = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": name, **request}}


def bundle(*entries: dict[str, Any], type: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type, "entry": list(entries)}


class Caller:
    """Speaks to a datastore as an AWS client does."""

    def __init__(self, host: str, *, secret: str = "test", service: str = "healthlake") -> None:
        self.host = host
        self.base = f"{host}/datastore/0123456789abcdef0123456789abcdef/r4/"
        self.http = urllib3.PoolManager(maxsize=8)
        self.signer = SigV4Auth(Credentials("test", secret), service, "us-east-1")

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        url = path if path.startswith("http") else self.base + path
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method, url, data=data, headers=named)
        self.signer.add_auth(request)
        return self.http.request(method, url, body=data or None, headers=dict(request.headers.items()), retries=False)

    def local(self, method: str, path: str) -> Any:
        return self.http.request(method, f"{self.host}/_local/{path}").json()

    def ids(self, path: str) -> list[str]:
        kind, _, query = path.partition("?")
        answer = self("GET", f"{kind}?{urlencode(parse_qsl(query))}")
        assert answer.status == 200, answer.data
        return sorted(entry["resource"]["id"] for entry in answer.json()["entry"])


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Caller]:
    server = serve(tmp_path, manners=Manners(search_lag=0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Caller(f"http://localhost:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()
    server.stand_in.versions.close()


# ------------------------------------------------------------------------------------------------------ signatures


def test_only_signed_requests_are_answered(call: Caller) -> None:
    assert call("GET", "Patient/p1").status == 404
    assert call.http.request("GET", call.base + "Patient/p1").status == 403
    assert Caller(call.host, secret="wrong")("GET", "Patient/p1").status == 403
    assert Caller(call.host, service="s3")("GET", "Patient/p1").status == 403


def test_a_changed_body_is_noticed(call: Caller) -> None:
    request = AWSRequest("PUT", call.base + "Patient/p1", data=json.dumps(PATIENT).encode())
    call.signer.add_auth(request)
    body = json.dumps(PATIENT | {"gender": "male"}).encode()
    assert call.http.request("PUT", request.url, body=body, headers=dict(request.headers.items())).status == 403


def test_an_old_signature_is_refused(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    now = botocore.auth.get_current_datetime()
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now.replace(year=now.year - 1))
    assert call("GET", "Patient/p1").status == 403


@pytest.mark.parametrize("query", ["identifier=" + quote("urn:a b|ü+&=", safe=""), "_count=5&_id=b&_id=a", "code=%7Cx"])
def test_any_query_can_be_signed(call: Caller, query: str) -> None:
    assert call("GET", f"Patient?{query}").status == 200


# ---------------------------------------------------------------------------------------------------- interactions


def test_a_put_creates_then_updates(call: Caller) -> None:
    created, updated = call("PUT", "Patient/p1", PATIENT), call("PUT", "Patient/p1", PATIENT | {"gender": "male"})
    assert (created.status, created.headers["ETag"]) == (201, 'W/"1"')
    assert created.headers["Location"] == call.base + "Patient/p1/_history/1"
    assert (updated.status, updated.headers["ETag"], updated.json()["meta"]["versionId"]) == (200, 'W/"2"', "2")
    assert call("GET", "Patient/p1").json() == updated.json()
    assert "gender" not in call("GET", "Patient/p1/_history/1").json()
    assert call("GET", "Patient/p1/_history/3").status == 404
    history = call("GET", "Patient/p1/_history").json()
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["2", "1"]


def test_a_post_gets_a_new_id(call: Caller) -> None:
    created = call("POST", "Patient", PATIENT)
    assert created.status == 201
    assert created.json()["id"] != "p1"
    assert call("GET", created.headers["Location"]).status == 200


def test_a_deleted_resource_is_gone_and_its_id_stays_taken(call: Caller) -> None:
    call("PUT", "Patient/p1", PATIENT)
    assert call("DELETE", "Patient/p1").status == 204
    assert call("DELETE", "Patient/p1").status == 204
    assert call("GET", "Patient/p1").status == 410
    assert call("GET", "Patient/p1/_history/1").status == 200
    assert call("PUT", "Patient/p1", PATIENT, If_None_Match="*").status == 412
    assert call("PUT", "Patient/p1", PATIENT).headers["ETag"] == 'W/"3"'
    assert call("DELETE", "Patient/never").status == 404


def test_conditions_are_kept(call: Caller) -> None:
    assert call("PUT", "Patient/p1", PATIENT, If_Match='W/"1"').status == 412
    assert call("PUT", "Patient/p1", PATIENT, If_None_Match="*").status == 201
    assert call("PUT", "Patient/p1", PATIENT, If_None_Match="*").status == 412
    assert call("PUT", "Patient/p1", PATIENT, If_Match='W/"1"').status == 200
    assert call("PUT", "Patient/p1", PATIENT, If_Match='W/"1"').status == 412


def test_an_idempotency_key_works_once(call: Caller) -> None:
    first = call("POST", "Patient", PATIENT, x_amz_fhir_idempotency_key="k1")
    again = call("POST", "Patient", PATIENT, x_amz_fhir_idempotency_key="k1")
    assert (first.status, again.status) == (201, 409)
    assert again.headers["Location"] == call.base + f"Patient/{first.json()['id']}"
    assert call.local("GET", "stats")["datastores"]["0123456789abcdef0123456789abcdef"] == {"Patient": 1}


def test_what_healthlake_does_not_do_is_refused(call: Caller) -> None:
    assert call("POST", "Patient", PATIENT, If_None_Exist="identifier=x").status == 400
    assert call("PATCH", "Patient/p1", []).status == 501
    assert call("POST", "", bundle(put(PATIENT)), Prefer="respond-async").status == 501
    assert call("PUT", "Patient?identifier=x", PATIENT).status == 405


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("Patient/p1", PATIENT | {"gender": "unheard of"}, "Patient.gender"),
        ("Patient/p1", PATIENT | {"sirname": "x"}, "Patient.sirname"),
        ("Observation/o1", {"resourceType": "Observation", "id": "o1"}, "Observation.status"),
        ("Patient/p2", PATIENT, "Patient.id"),
        ("Observation/p1", PATIENT, "resourceType"),
        ("Nonsense/n1", {"resourceType": "Nonsense", "id": "n1"}, "Resource"),
        ("Patient/p1", [], "resourceType"),
    ],
)
def test_what_is_not_r4_is_refused_with_its_place(call: Caller, path: str, body: Any, place: str) -> None:
    answer = call("PUT", path, body)
    assert answer.status == 400
    assert any(place in expression for issue in answer.json()["issue"] for expression in issue["expression"])
    assert call("GET", path).status == 404


def test_the_validation_level_is_the_callers(call: Caller) -> None:
    bad = PATIENT | {"gender": "unheard of"}
    level = {"x_amzn_healthlake_fhir_validation_level": "structure-only"}
    assert call("PUT", "Patient/p1", bad).status == 400
    assert call("PUT", "Patient/p1", bad, **level).status == 201


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null"])
def test_a_body_that_is_no_resource_is_refused(call: Caller, body: bytes) -> None:
    assert call("PUT", "Patient/p1", body).status == 400
    assert call("POST", "", body).status == 400


# --------------------------------------------------------------------------------------------------------- bundles


def test_a_transaction_is_whole_or_not_at_all(call: Caller) -> None:
    answer = call("POST", "", bundle(put(PATIENT), put(observation("o1", status="nonsense"))))
    assert (answer.status, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert call("GET", "Patient/p1").status == 404
    answer = call("POST", "", bundle(put(PATIENT), put(observation("o1"))))
    assert answer.status == 200
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["201 Created", "201 Created"]
    assert [entry["response"]["etag"] for entry in answer.json()["entry"]] == ['W/"1"', 'W/"1"']


def test_a_batch_is_each_for_itself(call: Caller) -> None:
    answer = call("POST", "", bundle(put(PATIENT), put(observation("o1", status="nonsense")), type="batch"))
    first, second = answer.json()["entry"]
    assert (answer.status, first["response"]["status"][:3], second["response"]["status"][:3]) == (200, "201", "400")
    assert second["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert call("GET", "Patient/p1").status == 200


def test_a_transaction_of_more_than_100_entries_is_refused(call: Caller) -> None:
    entries = [put(observation(f"o{number}")) for number in range(101)]
    assert call("POST", "", bundle(*entries)).status == 422
    assert call("POST", "", bundle(*entries, type="batch")).status == 200
    assert call("POST", "", bundle(*entries[:100])).status == 200


def test_links_within_a_transaction_become_ids(call: Caller) -> None:
    created = {"fullUrl": URN, "resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    answer = call("POST", "", bundle(put(observation("o1", subject={"reference": URN})), created))
    assert answer.status == 200
    location = answer.json()["entry"][1]["response"]["location"]
    reference = call("GET", "Observation/o1").json()["subject"]["reference"]
    assert location == f"{call.base}{reference}/_history/1"
    assert call("GET", reference).status == 200


def test_a_link_that_leads_nowhere_undoes_the_transaction(call: Caller) -> None:
    assert call("POST", "", bundle(put(PATIENT), put(observation("o1", subject={"reference": URN})))).status == 400
    assert call("GET", "Patient/p1").status == 404


def test_a_condition_that_fails_undoes_the_transaction(call: Caller) -> None:
    call("PUT", "Patient/p1", PATIENT)
    answer = call("POST", "", bundle(put(observation("o1")), put(PATIENT, ifNoneMatch="*")))
    assert answer.status == 412
    assert call("GET", "Observation/o1").status == 404


def test_a_transaction_names_a_resource_once_and_by_id(call: Caller) -> None:
    assert call("POST", "", bundle(put(PATIENT), put(PATIENT))).status == 400
    by_search = {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient?identifier=x"}}
    assert call("POST", "", bundle(by_search)).status == 400
    assert call("POST", "", bundle(type="collection")).status == 400
    assert call("POST", "", bundle({"resource": PATIENT})).status == 400


def test_writers_of_one_resource_lose_no_version(call: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call("POST", "", bundle(put(PATIENT))), range(24)))
    etags = {answer.json()["entry"][0]["response"]["etag"] for answer in answers}
    assert etags == {f'W/"{number}"' for number in range(1, 25)}


# ---------------------------------------------------------------------------------------------------------- search


@pytest.fixture
def filled(call: Caller) -> Caller:
    identifier = [{"system": "urn:mrn", "value": "77"}]
    entries = [
        put(PATIENT | {"identifier": identifier}),
        put(PATIENT | {"id": "p2", "identifier": [{"value": "77"}]}),
        put(observation("o1", effectiveDateTime="2026-11-22T10:00:00-05:00")),
        put(observation("o2", effectiveDateTime="2026-11", status="preliminary")),
        put(observation("o3", subject={"reference": "Patient/p2"}, code={"coding": [{"code": "718-7"}]})),
    ]
    assert call("POST", "", bundle(*entries)).status == 200
    return call


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("Patient", ["p1", "p2"]),
        ("Patient?identifier=77", ["p1", "p2"]),
        ("Patient?identifier=urn:mrn%7C77", ["p1"]),
        ("Patient?identifier=%7C77", ["p2"]),
        ("Patient?identifier=urn:mrn%7C", ["p1"]),
        ("Patient?_id=p2,p1", ["p1", "p2"]),
        ("Patient?_id=p1&identifier=none", []),
        ("Observation?patient=p1", ["o1", "o2"]),
        ("Observation?patient=Patient/p2", ["o3"]),
        ("Observation?subject=Patient/p1&status=final", ["o1"]),
        ("Observation?code=http://loinc.org%7C718-7", ["o1", "o2"]),
        ("Observation?code=718-7", ["o1", "o2", "o3"]),
        ("Observation?date=2026-11-22", ["o1"]),
        ("Observation?date=2026-11", ["o1", "o2"]),
        ("Observation?date=ge2026-11-22T15:00:00Z", ["o1", "o2"]),
        ("Observation?date=gt2026-11-22T15:00:00Z", ["o2"]),
        ("Observation?date=lt2026-11-22", ["o2"]),
        ("Observation?date=le2025", []),
        ("Observation?_lastUpdated=ge2020", ["o1", "o2", "o3"]),
        ("Observation?_lastUpdated=lt2020", []),
    ],
)
def test_search_finds(filled: Caller, search: str, found: list[str]) -> None:
    assert filled.ids(search) == found


@pytest.mark.parametrize(
    "search", ["Patient?name=x", "Patient?_count=101", "Patient?_count=0", "Observation?date=soon", "Patient?_page=x"]
)
def test_a_search_that_is_not_understood_finds_nothing_but_an_error(filled: Caller, search: str) -> None:
    assert filled("GET", search).status == 400


def test_only_the_newest_version_is_found(filled: Caller) -> None:
    filled("PUT", "Observation/o1", observation("o1", status="amended"))
    filled("DELETE", "Observation/o2")
    assert filled.ids("Observation?patient=p1") == ["o1"]
    assert filled.ids("Observation?status=final") == ["o3"]


def test_a_search_can_be_posted(filled: Caller) -> None:
    form = urlencode({"identifier": "urn:mrn|77", "_total": "accurate"}).encode()
    answer = filled("POST", "Patient/_search", form, Content_Type="application/x-www-form-urlencoded").json()
    assert (answer["total"], [entry["resource"]["id"] for entry in answer["entry"]]) == (1, ["p1"])


def test_pages_follow_each_other_when_their_links_are_encoded(filled: Caller) -> None:
    url, found = filled.base + "Observation?_count=2&code=718-7", list[str]()
    for _ in range(2):
        answer = filled("GET", url).json()
        found += [entry["resource"]["id"] for entry in answer["entry"]]
        url = next((link["url"] for link in answer["link"] if link["relation"] == "next"), "")
        if url:
            assert url.endswith("=")
            assert filled("GET", url).status == 403, "a raw = is signed as another query than AWS sees"
            head, _, token = url.rpartition("_page=")
            url = f"{head}_page={quote(token, safe='')}"
    assert (sorted(found), url) == (["o1", "o2", "o3"], "")


def test_search_lags_behind_and_reading_by_id_does_not(tmp_path: Path) -> None:
    server = serve(tmp_path, manners=Manners(search_lag=0.3))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    call = Caller(f"http://localhost:{server.server_port}")
    call("PUT", "Patient/p1", PATIENT)
    assert call("GET", "Patient/p1").status == 200
    assert call.ids("Patient") == []
    time.sleep(0.35)
    assert call.ids("Patient") == ["p1"]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("time", "first", "last"),
    [
        ("2024", "2024-01-01T00:00:00.000Z", "2024-12-31T23:59:59.999Z"),
        ("2024-02", "2024-02-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
        ("2024-12", "2024-12-01T00:00:00.000Z", "2024-12-31T23:59:59.999Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
        ("2024-02-29T23:00:00-05:00", "2024-03-01T04:00:00.000Z", "2024-03-01T04:00:00.999Z"),
        ("2024-02-29T23:00:00.5Z", "2024-02-29T23:00:00.500Z", "2024-02-29T23:00:00.500Z"),
    ],
)
def test_a_time_is_as_wide_as_it_is_written(time: str, first: str, last: str) -> None:
    assert bounds(time) == (first, last)


# ------------------------------------------------------------------------------------------------- local behaviour


def test_refusals_can_be_ordered(call: Caller) -> None:
    call.local("POST", "refuse?next=2&status=429")
    assert [call("GET", "Patient/p1").status for _ in range(3)] == [429, 429, 404]


def test_stats_count_and_name_nobody(filled: Caller) -> None:
    filled("GET", "Patient/p1")
    stats = filled.local("GET", "stats")
    assert stats["datastores"] == {"0123456789abcdef0123456789abcdef": {"Observation": 3, "Patient": 2}}
    assert stats["requests"] == {"GET Patient 200": 1, "POST Bundle 200": 1}


def test_what_was_answered_survives_a_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.healthlake", "--data", str(tmp_path), "--search-lag-ms", "0"]
    path = os.pathsep.join(filter(None, sys.path))

    def start() -> tuple[subprocess.Popen[str], Caller]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
        assert process.stdout is not None
        found = re.search(r"http://localhost:\d+", process.stdout.readline())
        assert found is not None
        return process, Caller(found[0])

    def write_until_killed(writer: int) -> list[str]:
        """The ids of every Observation whose transaction was answered; the Patient in it is everybody's."""
        answered: list[str] = []
        while True:
            identity = f"w{writer}-{len(answered)}"
            try:
                assert call("POST", "", bundle(put(PATIENT), put(observation(identity)))).status == 200
            except urllib3.exceptions.HTTPError:
                return answered
            answered.append(identity)

    process, call = start()
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write_until_killed, writer) for writer in range(3)]
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        answered = [identity for writer in writers for identity in writer.result(timeout=20)]
    process.wait()
    process, call = start()
    try:
        assert len(answered) > 3
        assert {call("GET", f"Observation/{identity}").status for identity in answered} == {200}
        # A transaction that was under way is there whole or not at all: as many Patients as Observations.
        versions = int(call("GET", "Patient/p1").json()["meta"]["versionId"])
        (counts,) = call.local("GET", "stats")["datastores"].values()
        assert counts["Observation"] == versions
        assert len(answered) <= versions <= len(answered) + 3
    finally:
        process.kill()
        process.wait()
