"""The simulated EHRs do what their documents say, and fail as they are told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest

from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.smart import SmartTokens
from headwater.ehrs import Next
from local.ehrs.faults import KNOWN
from local.ehrs.oauth import allows
from local.ehrs.search import matches
from tests.ehr_servers import MAPPINGS, PATIENT, Site, as_bytes, fhir_api, lab_result, profiles, running

ROOT = Path(__file__).parents[2]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(params=["oracle-millennium", "epic"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with running(request.param, tmp_path) as one:
        yield one


@pytest.fixture
def millennium(tmp_path: Path) -> Iterator[Site]:
    with running("oracle-millennium", tmp_path) as one:
        yield one


@pytest.fixture
def epic(tmp_path: Path) -> Iterator[Site]:
    with running("epic", tmp_path) as one:
        yield one


def path_of(site: Site, relative: str) -> str:
    return f"{site.simulated.behaviour.base_path}/{relative}"


def bearer(site: Site) -> dict[str, str]:
    token = SmartTokens(site.connection, site.profile).get()
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}


# ----------------------------------------------------------------------------------------------------------- OAuth


def assertion(
    site: Site, *, key: str = "", headers: dict[str, Any] | None = None, lives_s: int = 240, **claims: Any
) -> bytes:
    client, url = site.connection.client_id, site.connection.token_url
    known = {"iss": client, "sub": client, "aud": url, "exp": int(time.time()) + lives_s, "jti": os.urandom(8).hex()}
    said = {name: value for name, value in {**known, **claims}.items() if value is not None}
    signed = jwt.encode(
        said, key or site.connection.private_key_pem, algorithm="RS384", headers=headers or {"kid": site.connection.kid}
    )
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    return urlencode(form).encode()


def ask_token(site: Site, body: bytes) -> tuple[int, Any]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return site.ask("POST", site.simulated.behaviour.token_path, body, **form)


def test_an_assertion_buys_one_token_and_is_worth_nothing_after(site: Site) -> None:
    body = assertion(site)
    status, said = ask_token(site, body)
    assert status == 200
    assert said["expires_in"] == site.simulated.behaviour.token_lifetime_s
    assert ask_token(site, body) == (400, {"error": "invalid_client", "error_description": None})


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://elsewhere.example.org/token"},
        {"aud": None},
        {"lives_s": -60},
        {"lives_s": 3600},
        {"exp": None},
        {"jti": None},
        {"iss": "someone-else"},
        {"sub": "someone-else"},
        {"headers": {"kid": "unknown"}},
    ],
    ids=str,
)
def test_an_assertion_that_breaks_a_rule_is_refused(millennium: Site, wrong: dict[str, Any]) -> None:
    assert ask_token(millennium, assertion(millennium, **wrong))[0] == 400


def test_an_assertion_signed_by_another_key_is_refused(millennium: Site) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    encoding, format_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = rsa.generate_private_key(65537, 2048).private_bytes(encoding, format_, serialization.NoEncryption()).decode()
    assert ask_token(millennium, assertion(millennium, key=pem))[0] == 400


def test_used_assertions_are_remembered_across_a_restart(tmp_path: Path) -> None:
    with running("epic", tmp_path) as site:
        port = site.simulated.url
        body = assertion(site)
        assert ask_token(site, body)[0] == 200
    with running("epic", tmp_path) as site:
        # Another port is another audience; the memory of the jti is what is asked here.
        assert site.simulated.url != port
        claims = jwt.decode(
            dict(part.split("=") for part in body.decode().split("&"))["client_assertion"],
            options={"verify_signature": False},
        )
        assert ask_token(site, assertion(site, jti=claims["jti"]))[0] == 400


def test_without_a_token_or_its_scope_nothing_is_done(site: Site) -> None:
    assert site.ask("GET", path_of(site, "Patient/p1"))[0] == 401
    assert site.ask("GET", path_of(site, "Patient/p1"), None, Authorization="Bearer made-up")[0] == 401
    payload = as_bytes({**PATIENT, "id": "x"})
    assert site.ask("POST", path_of(site, "Patient"), payload, **bearer(site))[0] == 403
    site.ask("POST", "/_sim/clock", {"advance_s": 10_000})
    assert site.ask("GET", path_of(site, "Patient/p1"), None, Authorization="Bearer made-up")[0] == 401


def test_a_token_ends_when_its_time_is_over(site: Site) -> None:
    headers = bearer(site)
    assert site.ask("GET", path_of(site, "Patient/p1"), None, **headers)[0] == 200
    site.ask("POST", "/_sim/clock", {"advance_s": site.simulated.behaviour.token_lifetime_s + 1})
    assert site.ask("GET", path_of(site, "Patient/p1"), None, **headers)[0] == 401


def test_scopes_speak_both_versions() -> None:
    assert allows("system/Observation.write", "Observation", "c")
    assert allows("system/Observation.crs", "Observation", "c")
    assert allows("system/*.read", "Patient", "s")
    assert not allows("system/Observation.read system/Patient.write", "Observation", "c")
    assert not allows("system/Observation.rs", "Observation", "c")


# ------------------------------------------------------------------------------------------------------------ FHIR


def test_discovery_and_metadata_say_what_is_there(site: Site) -> None:
    status, smart = site.ask("GET", path_of(site, ".well-known/smart-configuration"))
    assert (status, smart["token_endpoint"]) == (200, site.connection.token_url)
    resources = site.ask("GET", path_of(site, "metadata"))[1]["rest"][0]["resource"]
    creatable = {one["type"] for one in resources if {"code": "create"} in one["interaction"]}
    assert "Observation" in creatable
    assert creatable <= set(site.simulated.ehr.write)


def test_an_ehr_that_takes_no_create_takes_none(tmp_path: Path) -> None:
    with running("athenahealth", tmp_path) as site:
        site.ask("POST", "/_sim/clients", {"client_id": "w", "client_secret": "s", "scope": "system/*.cruds"})
        connection = Connection(site.connection.base_url, site.connection.token_url, "w", client_secret="s")
        api = fhir_api(connection, site.profile, SmartTokens(Connection(
            connection.base_url, connection.token_url, "w", client_secret="s", scope="system/*.cruds"
        ), site.profile))  # fmt: skip
        assert api.create("Procedure", as_bytes(lab_result(resourceType="Procedure"))).status == 405
        assert site.rows("Procedure") == []


def test_millennium_drops_the_identifier_in_silence_and_keeps_the_note(millennium: Site) -> None:
    payload = lab_result(identifier=[{"value": "ours"}], note=[{"text": "headwater:abc"}])
    assert millennium.api().create("Observation", as_bytes(payload)).status == 201
    row = millennium.rows()[0]["resource"]
    assert "identifier" not in row
    assert row["note"] == [{"text": "headwater:abc"}]


def test_millennium_wants_if_match_and_says_409_to_a_stale_one(millennium: Site) -> None:
    created = millennium.api().create("Observation", as_bytes(lab_result()))
    assert created.headers["ETag"] == 'W/"1"'
    reference = created.headers["Location"].removeprefix(millennium.connection.base_url + "/")
    payload = as_bytes({**lab_result(status="corrected"), "id": reference.partition("/")[2]})
    headers = bearer(millennium)
    target = path_of(millennium, reference)
    assert millennium.ask("PUT", target, payload, **headers)[0] == 428
    assert millennium.ask("PUT", target, payload, **headers, **{"If-Match": 'W/"1"'})[0] == 200
    assert millennium.ask("PUT", target, payload, **headers, **{"If-Match": 'W/"1"'})[0] == 409
    millennium.fault(fault="version_bump")
    assert millennium.ask("PUT", target, payload, **headers, **{"If-Match": 'W/"2"'})[0] == 409
    assert millennium.rows()[0]["version"] == 3


def test_what_breaks_a_rule_or_names_nobody_is_refused_with_the_vendor_s_code(epic: Site) -> None:
    answer = epic.api().create("Observation", as_bytes(lab_result(status="preliminary")))
    assert answer.status == 400
    operation = epic.simulated.ehr.operation("Observation")
    assert epic.simulated.ehr.react(answer, operation).codes[0] == "59159"
    answer = epic.api().create("Observation", as_bytes(lab_result(subject={"reference": "Patient/nobody"})))
    assert epic.simulated.ehr.react(answer, operation).codes[0] == "59144"
    assert epic.rows() == []


def test_an_unknown_search_parameter_is_refused(site: Site) -> None:
    assert site.api().search("Observation", {"patient": "p1", "colour": "red"}).status == 400
    assert site.api().search("Observation", {}).status == 400


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("2026-11-22T04:30:00Z", True),
        ("ge2026-11-21T04:30:00Z", True),
        ("ge2026-11-22T04:30:01Z", False),
        ("2026-11-22", True),
        ("2026-11-21", False),  # the day of the sender's zone is not the server's: why the client never asks so
        ("2026-11", True),
        ("lt2026-11-22T04:30:00Z", False),
        ("le2026-11-22T04:30:00Z", True),
    ],
)
def test_dates_are_searched_as_fhir_says(wanted: str, fits: bool) -> None:
    assert matches(lab_result(), {"date": wanted}, ["date"]) is fits


def test_a_patient_is_not_filed_twice_by_seeding_twice(site: Site) -> None:
    assert site.ask("POST", "/_sim/patients", [PATIENT, {**PATIENT, "id": "p9"}])[1] == {
        "filed": ["Patient/p9"],
        "known": 1,
    }
    assert site.ask("POST", "/_sim/patients", [lab_result()])[0] == 400


# ---------------------------------------------------------------------------------------------------------- faults


def test_a_row_that_commits_late_is_neither_found_nor_read_until_then(site: Site) -> None:
    site.fault(fault="commit_after", delay_s=95)
    api, operation = site.api(), site.simulated.ehr.operation("Observation")
    assert api.create("Observation", as_bytes(lab_result())).status == 0
    assert site.rows() == []
    site.ask("POST", "/_sim/clock", {"advance_s": 96})
    assert len(site.rows()) == 1
    assert len((api.search("Observation", operation.search(lab_result())).body or {})["entry"]) == 1


def test_search_lags_while_a_read_does_not(site: Site) -> None:
    site.fault(fault="search_lag", delay_s=60)
    api = site.api()
    created = api.create("Observation", as_bytes(lab_result()))
    assert (api.search("Observation", {"patient": "p1"}).body or {})["entry"] == []
    assert api.read(created.headers["Location"].removeprefix(site.connection.base_url + "/")).status == 200
    site.ask("POST", "/_sim/clock", {"advance_s": 61})
    assert len((api.search("Observation", {"patient": "p1"}).body or {})["entry"]) == 1


def test_what_is_discarded_was_answered_202_and_is_gone_later(site: Site) -> None:
    site.fault(fault="silent_discard", after_s=7200, status=202)
    assert site.api().create("Observation", as_bytes(lab_result())).status == 202
    assert len(site.rows()) == 1
    site.ask("POST", "/_sim/clock", {"advance_s": 7201})
    assert site.rows() == []


def test_a_200_with_an_error_inside_is_a_refusal_and_files_nothing(site: Site) -> None:
    site.fault(fault="http200_with_entry_error", on="POST")
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert answer.status == 200
    assert site.rows() == []
    assert site.simulated.ehr.react(answer, site.simulated.ehr.operation("Observation")).next is Next.FAIL


def test_fields_are_ignored_defaulted_and_masked_on_demand(site: Site) -> None:
    site.fault(fault="ignore_fields", fields=["interpretation", "valueQuantity"])
    site.fault(fault="masked_element", element="status", count=None)
    api = site.api()
    payload = lab_result(interpretation=[{"text": "high"}])
    created = api.create("Observation", as_bytes(payload))
    read = api.read(created.headers["Location"].removeprefix(site.connection.base_url + "/")).body or {}
    assert not {"interpretation", "valueQuantity", "status"} & set(read)
    assert read["dataAbsentReason"]["coding"][0]["code"] == "masked"
    site.fault(fault="default_unit_when_missing", unit="kg")
    api.create("Observation", as_bytes(lab_result(valueQuantity={"value": 5})))
    assert site.rows()[1]["resource"]["valueQuantity"]["unit"] == "kg"


def test_a_slow_answer_is_slow_and_a_fault_is_used_up(site: Site) -> None:
    api = site.api()
    api.read("Patient/p1")
    site.fault(fault="latency", on="GET Patient", ms=300)
    assert api.read("Patient/p1").milliseconds >= 300
    assert site.ask("GET", "/_sim/faults")[1] == {"faults": []}


def test_faults_can_be_listed_cleared_and_limited_in_time(site: Site) -> None:
    site.fault(fault="status", on="GET", code=503, count=None, seconds=60)
    assert site.api().read("Patient/p1").status == 503
    site.ask("POST", "/_sim/clock", {"advance_s": 61})
    assert site.api().read("Patient/p1").status == 200
    site.fault(fault="status", on="GET", code=503, count=None)
    assert site.ask("DELETE", "/_sim/faults")[1] == {"faults": []}
    assert site.api().read("Patient/p1").status == 200


@pytest.mark.parametrize(
    "wish",
    [
        {},
        [],
        {"fault": "nonsense"},
        {"fault": "status"},
        {"fault": "latency", "ms": "x"},
        {"fault": "status", "code": 500, "count": "1"},
    ],
)
def test_a_fault_that_cannot_be_injected_is_an_error(millennium: Site, wish: Any) -> None:
    assert millennium.ask("POST", "/_sim/faults", wish)[0] == 400


def test_the_faults_are_words_of_the_drill() -> None:
    drill = {
        "latency", "status", "drop_before_commit", "drop_after_commit", "commit_after", "search_lag", "async_nack",
        "http200_with_entry_error", "silent_discard", "token_ttl", "version_bump", "ignore_fields", "operation_outcome",
        "default_unit_when_missing", "default_effective_now", "patient_merge_redirect", "masked_element",
        "null_missing_fields", "concurrent_clinician_edit", "late_ack", "reorder_acks", "jti_replay_check",
    }  # fmt: skip
    assert set(KNOWN) == drill


def test_the_guide_names_every_fault() -> None:
    guide = (ROOT / "docs" / "ehrs.md").read_text()
    table = guide.partition("| fault | arguments |")[2]
    assert {name for name in KNOWN if f"`{name}`" in table} == set(KNOWN)


# ----------------------------------------------------------------------------------------------------------- chart


def test_the_chart_counts_how_often_the_same_bytes_arrived(site: Site) -> None:
    site.fault(fault="drop_before_commit", on="POST")
    payload = as_bytes(lab_result())
    site.api().create("Observation", payload)
    site.api().create("Observation", payload)
    row = site.rows()[0]
    assert (row["posted"], row["copies"]) == (2, 1)
    site.api().create("Observation", payload)
    assert [(row["posted"], row["copies"]) for row in site.rows()] == [(3, 2), (3, 2)]
    assert site.chart()["arrivals"][0]["outcome"] == "dropped before commit"


def test_the_page_says_what_it_is_and_escapes_what_it_shows(site: Site) -> None:
    site.api().create("Observation", as_bytes(lab_result(valueQuantity=None, valueString="<script>alert(1)</script>")))
    status, page = site.ask("GET", "/")
    assert status == 200
    assert "simulation made from public documents" in page
    assert "not affiliated" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_clinician_s_edit_makes_a_new_version(site: Site) -> None:
    site.api().create("Observation", as_bytes(lab_result()))
    reference = site.rows()[0]["reference"]
    edited = site.ask("POST", "/_sim/edit", {"reference": reference, "set": {"status": "corrected"}})
    assert edited == (200, {"version": 2})
    assert (site.api().read(reference).body or {})["status"] == "corrected"


def test_a_killed_ehr_remembers_every_row_that_it_said_yes_to(tmp_path: Path) -> None:
    seed = tmp_path / "patients.ndjson"
    seed.write_text(json.dumps(PATIENT) + "\n")
    process, connection = started(tmp_path, seed)
    profile = profiles()["oracle-millennium"].api
    assert profile is not None
    api = fhir_api(connection, profile, SmartTokens(connection, profile))
    created = api.create("Observation", as_bytes(lab_result()))
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert created.status == 201
    process, connection = started(tmp_path, seed)
    try:
        api = fhir_api(connection, profile, SmartTokens(connection, profile))
        location = created.headers["Location"].rpartition("/")[2]
        assert api.read(f"Observation/{quote(location)}").status == 200
    finally:
        process.terminate()
        assert process.wait(10) == 0


def started(data: Path, seed: Path) -> tuple[subprocess.Popen[str], Connection]:
    command = [sys.executable, "-m", "local.ehrs", "--ehr", "oracle-millennium", "--data", str(data)]
    command += ["--seed", str(seed), "--mappings", str(MAPPINGS)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    secret = json.loads(Path(said["connection"]).read_text())
    return process, Connection.of(secret, place="test")
