"""The contract of `FhirStore`, on HealthLake's stand-in over real HTTP and in memory."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from headwater.adapters.fhir_store.healthlake import HealthLakeFhirStore, _dependencies_first
from headwater.errors import Quarantine, Retry
from headwater.model import Resource
from headwater.ports import FhirStore
from local.healthlake.server import Manners, serve
from tests.fakes import FakeFhirStore

CREDENTIALS = Credentials("test", "test", "a-session-token")
PATIENT: Resource = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01", "name": [{"family": "Çelik"}]}


def observation(identity: str, **changed: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
        **changed,
    }


class Served(SimpleNamespace):
    """A running stand-in: its `endpoint`, and the `host` that serves `/_local/…`."""

    endpoint: str
    host: str

    def refuse(self, *, next: int, status: int) -> None:
        url = f"{self.host}/_local/refuse?next={next}&status={status}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()

    def requests(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.host}/_local/stats", timeout=5) as answer:
            counted: dict[str, int] = json.load(answer)["requests"]
            return counted


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = serve(tmp_path, manners=Manners(search_lag=0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    host = f"http://localhost:{server.server_port}"
    yield Served(host=host, endpoint=f"{host}/datastore/0123456789abcdef0123456789abcdef/r4/")
    server.shutdown()
    thread.join()
    server.server_close()
    server.stand_in.versions.close()


@pytest.fixture
def healthlake(served: Served) -> HealthLakeFhirStore:
    return HealthLakeFhirStore(served.endpoint, CREDENTIALS, "us-east-1")


@pytest.fixture(params=["memory", "healthlake"])
def fhir(request: pytest.FixtureRequest) -> FhirStore:
    return FakeFhirStore() if request.param == "memory" else request.getfixturevalue("healthlake")


def without_meta(resource: Resource | None) -> Resource:
    assert resource is not None
    return {name: value for name, value in resource.items() if name != "meta"}


def test_what_was_written_is_read_by_its_id(fhir: FhirStore) -> None:
    assert fhir.transact([PATIENT, observation("o1")]) == ["Patient/p1/_history/1", "Observation/o1/_history/1"]
    assert without_meta(fhir.read("Patient/p1")) == PATIENT
    assert without_meta(fhir.read("Observation/o1")) == observation("o1")


def test_each_write_is_a_version(fhir: FhirStore) -> None:
    fhir.transact([PATIENT])
    assert fhir.transact([PATIENT | {"gender": "female"}]) == ["Patient/p1/_history/2"]
    read = fhir.read("Patient/p1")
    assert read is not None
    assert (read["gender"], read["meta"]["versionId"]) == ("female", "2")


def test_nothing_to_write_is_nothing_written(fhir: FhirStore) -> None:
    assert fhir.transact([]) == []


def test_what_never_was_is_none(fhir: FhirStore) -> None:
    assert fhir.read("Patient/none") is None


def test_the_given_resources_are_left_as_they_are(fhir: FhirStore) -> None:
    given = {**PATIENT}
    fhir.transact([given])
    assert given == PATIENT


def test_more_than_a_bundle_holds_goes_in_the_order_given(fhir: FhirStore) -> None:
    resources = [observation(f"o{number}") for number in range(250)] + [PATIENT]
    written = fhir.transact(resources)
    assert written == [f"{each['resourceType']}/{each['id']}/_history/1" for each in resources]
    assert fhir.read("Observation/o249") is not None


def tagged(identity: str, code: str) -> Resource:
    return observation(identity, meta={"tag": [{"system": "urn:headwater:record", "code": code}]})


def test_resources_are_found_by_any_of_their_tags_and_their_type(fhir: FhirStore) -> None:
    marked = [tagged(f"o{number}", "ab"[number % 2]) for number in range(6)]
    fhir.transact([*marked, tagged("o9", "c"), observation("o8"), PATIENT | {"meta": marked[0]["meta"]}])
    wanted = ["urn:headwater:record|a", "urn:headwater:record|b"]
    assert {one["id"] for one in fhir.search("Observation", wanted)} == {f"o{number}" for number in range(6)}
    assert {one["id"] for one in fhir.search("Observation", wanted[:1])} == {"o0", "o2", "o4"}
    assert list(fhir.search("Condition", wanted)) == []


def test_what_search_found_is_updated_if_it_is_still_the_same(fhir: FhirStore) -> None:
    fhir.transact([tagged("o1", "a")])
    (found,) = fhir.search("Observation", ["urn:headwater:record|a"])
    assert fhir.update(found | {"status": "amended"})
    assert not fhir.update(found | {"status": "cancelled"}), "of a version that is no more"
    read = fhir.read("Observation/o1")
    assert read is not None
    assert (read["status"], read["meta"]["versionId"], read["meta"]["tag"]) == ("amended", "2", found["meta"]["tag"])


def test_what_never_was_is_not_updated(fhir: FhirStore) -> None:
    assert not fhir.update(observation("o1", meta={"versionId": "1"}))
    assert fhir.read("Observation/o1") is None


def test_all_pages_are_found_and_each_costs_a_call(served: Served, healthlake: HealthLakeFhirStore) -> None:
    healthlake.transact([tagged(f"o{number}", "a") for number in range(250)])
    found = healthlake.search("Observation", ["urn:headwater:record|a"])
    assert len({one["id"] for one in found}) == 250
    assert served.requests()["GET Observation 200"] == 3


def test_a_page_elsewhere_is_not_asked_for_with_our_signature() -> None:
    asked: list[str] = []
    page = {"link": [{"relation": "next", "url": "https://elsewhere.test/steal?_page=YQ==&_tag=a%7Cb"}], "entry": []}

    class Recording(Answering):
        def request(self, _: str, url: str, **__: Any) -> urllib3.HTTPResponse:
            asked.append(url)
            return urllib3.HTTPResponse(body=json.dumps(page if len(asked) == 1 else {}).encode(), status=200)

    http: Any = Recording(200, b"")
    store = HealthLakeFhirStore("https://healthlake.test/datastore/x/r4/", CREDENTIALS, "us-east-1", http=http)
    assert list(store.search("Observation", ["a|b"])) == []
    base = "https://healthlake.test/datastore/x/r4/Observation"
    assert asked == [f"{base}?_tag=a%7Cb&_count=100", f"{base}?_page=YQ%3D%3D&_tag=a%7Cb"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_search_or_update_that_is_throttled_may_come_again(status: int) -> None:
    with pytest.raises(Retry):
        list(answered(status, b"").search("Observation", ["a|b"]))
    with pytest.raises(Retry):
        answered(status, b"").update(tagged("o1", "a") | {"meta": {"versionId": "1"}})


def test_an_update_that_is_not_valid_is_quarantined(healthlake: HealthLakeFhirStore) -> None:
    healthlake.transact([observation("o1")])
    with pytest.raises(Quarantine):
        healthlake.update(observation("o1", status="SMITH^JON", meta={"versionId": "1"}))


def test_an_invalid_resource_is_quarantined_by_path_and_nothing_is_written(healthlake: HealthLakeFhirStore) -> None:
    with pytest.raises(Quarantine) as raised:
        healthlake.transact([PATIENT, observation("o1", status="SMITH^JON")])
    assert raised.value.code == "store.invalid"
    assert "Observation.status" in raised.value.place
    assert "SMITH" not in str(raised.value)
    assert healthlake.read("Patient/p1") is None


def test_250_resources_are_three_transactions(served: Served, healthlake: HealthLakeFhirStore) -> None:
    healthlake.transact([observation(f"o{number}") for number in range(250)])
    assert served.requests() == {"POST Bundle 200": 3}


def test_a_message_is_one_transaction(served: Served, healthlake: HealthLakeFhirStore) -> None:
    healthlake.transact([PATIENT, *(observation(f"o{number}") for number in range(99))])
    assert served.requests() == {"POST Bundle 200": 1}


def test_a_short_throttle_is_waited_out(served: Served, healthlake: HealthLakeFhirStore) -> None:
    served.refuse(next=2, status=429)
    assert healthlake.transact([PATIENT]) == ["Patient/p1/_history/1"]
    assert served.requests() == {"POST Bundle 200": 1, "POST Bundle 429": 2}


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "store.throttled"), (500, "store.unavailable"), (503, "store.unavailable"), (409, "store.conflict")],
)
def test_a_long_one_is_for_the_queue(served: Served, healthlake: HealthLakeFhirStore, status: int, code: str) -> None:
    served.refuse(next=9, status=status)
    with pytest.raises(Retry) as raised:
        healthlake.transact([PATIENT])
    assert raised.value.code == code


def test_a_wrong_secret_is_nothing_against_the_message(served: Served) -> None:
    stranger = HealthLakeFhirStore(served.endpoint, Credentials("test", "wrong"), "us-east-1")
    with pytest.raises(Retry) as raised:
        stranger.transact([PATIENT])
    assert raised.value.code == "store.denied"


def test_no_credentials_is_nothing_against_the_message(served: Served) -> None:
    with pytest.raises(Retry):
        HealthLakeFhirStore(served.endpoint, None, "us-east-1").read("Patient/p1")


def test_a_store_that_is_down_is_a_retry_that_quotes_nothing(served: Served) -> None:
    nobody = urllib3.PoolManager(timeout=0.2, retries=False)
    down = HealthLakeFhirStore("http://127.0.0.1:1/datastore/x/r4/", CREDENTIALS, "us-east-1", http=nobody)
    with pytest.raises(Retry) as raised:
        down.read("Patient/secret")
    assert raised.value.code == "store.unavailable"
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


class Answering:
    """An HTTP client to which the store always answers the same."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = urllib3.HTTPResponse(body=body, status=status)

    def request(self, *_: Any, **__: Any) -> urllib3.HTTPResponse:
        return self._answer


def answered(status: int, body: Any) -> HealthLakeFhirStore:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    http: Any = Answering(status, raw)
    return HealthLakeFhirStore("https://healthlake.test/datastore/x/r4/", CREDENTIALS, "us-east-1", http=http)


def test_only_the_places_of_an_outcome_are_told() -> None:
    issues = [
        {"diagnostics": "SMITH^JON", "expression": ["Patient.name.where(family='SMITH')", "Patient.birthDate"]},
        {"diagnostics": "SMITH^JON", "location": ["Patient.name[0]"]},
        {"diagnostics": "SMITH^JON"},
    ]
    with pytest.raises(Quarantine) as raised:
        answered(400, {"resourceType": "OperationOutcome", "issue": issues}).transact([PATIENT])
    assert raised.value.place == "Patient.birthDate, Patient.name[0]"
    assert "SMITH" not in str(raised.value)


@pytest.mark.parametrize(
    "body", [b"", b"<html>SMITH</html>", b"[]", b'{"issue": "SMITH"}', b'{"issue": [1, {"expression": [2, "S MITH"]}]}']
)
def test_a_refusal_in_any_other_shape_is_a_refusal_all_the_same(body: bytes) -> None:
    with pytest.raises(Quarantine) as raised:
        answered(400, body).transact([PATIENT])
    assert "SMITH" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "entry": [{"response": {"status": "201"}}]},
        {"resourceType": "Bundle", "entry": [{"response": {"status": "500", "etag": 'W/"1"'}}]},
    ],
)
def test_a_success_that_proves_nothing_is_tried_again(body: Any) -> None:
    with pytest.raises(Retry):
        answered(200, body).transact([PATIENT])


def test_a_version_may_come_in_the_location_instead_of_the_etag() -> None:
    response = {"status": "200 OK", "location": "https://healthlake.test/datastore/x/r4/Patient/p1/_history/7"}
    store = answered(200, {"resourceType": "Bundle", "entry": [{"response": response}]})
    assert store.transact([PATIENT]) == ["Patient/p1/_history/7"]


@pytest.mark.parametrize("reference", ["", "Patient", "Patient/", "Patient/..", "Patient/a/b", "Patient/a?x", "a b/c"])
def test_what_is_no_reference_is_never_asked_for(healthlake: HealthLakeFhirStore, reference: str) -> None:
    with pytest.raises(ValueError):
        healthlake.read(reference)


def test_a_version_is_read_by_its_reference(healthlake: HealthLakeFhirStore) -> None:
    healthlake.transact([PATIENT])
    healthlake.transact([PATIENT | {"gender": "female"}])
    first = healthlake.read("Patient/p1/_history/1")
    assert first is not None
    assert "gender" not in first


def test_connections_are_reused(served: Served) -> None:
    http = urllib3.PoolManager()
    fhir = HealthLakeFhirStore(served.endpoint, CREDENTIALS, "us-east-1", http=http)
    for _ in range(5):
        fhir.read("Patient/p1")
    pool = http.connection_from_url(served.endpoint)
    assert (pool.num_connections, pool.num_requests) == (1, 5)


def test_what_is_pointed_to_goes_first_and_circles_end() -> None:
    a = {"resourceType": "A", "id": "1", "to": {"reference": "B/1"}}
    b = {"resourceType": "B", "id": "1", "to": [{"reference": "C/1"}, {"reference": "A/1"}]}
    c = {"resourceType": "C", "id": "1", "to": {"reference": "Z/elsewhere"}}
    assert _dependencies_first([a, b, c]) == [2, 1, 0]
    assert _dependencies_first([c, b, a]) == [0, 2, 1] or _dependencies_first([c, b, a]) == [0, 1, 2]
