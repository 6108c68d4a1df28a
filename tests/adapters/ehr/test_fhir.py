"""The FHIR client over real HTTP and real OAuth, against simulated EHRs and their bad days."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.fhir import FhirApi
from headwater.adapters.ehr.smart import SmartTokens
from headwater.ehrs import Next
from headwater.errors import HeadwaterError, Refuse
from tests.ehr_servers import PATIENT, Site, as_bytes, fhir_api, lab_result, running


@pytest.fixture(params=["oracle-millennium", "epic"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with running(request.param, tmp_path) as one:
        yield one


@pytest.fixture
def millennium(tmp_path: Path) -> Iterator[Site]:
    with running("oracle-millennium", tmp_path) as one:
        yield one


def api_at(port: int, site: Site, **changes: object) -> FhirApi:
    """An API whose tokens come from `site`, but whose base URL is another local port."""
    connection = replace(site.connection, base_url=f"http://127.0.0.1:{port}/fhir")
    profile = replace(site.profile, **changes)  # type: ignore[arg-type]
    return fhir_api(connection, profile, SmartTokens(site.connection, profile))


def test_what_is_created_can_be_read_back_by_its_location(site: Site) -> None:
    api = site.api()
    answer = api.create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.body, answer.sent) == (201, None, True)
    reference = answer.headers["Location"].removeprefix(site.connection.base_url + "/")
    read = api.read(reference)
    assert read.status == 200
    assert read.body is not None
    assert read.body["valueQuantity"] == lab_result()["valueQuantity"]
    assert read.milliseconds > 0


def test_a_patient_is_found_by_identifier(site: Site) -> None:
    answer = site.api().search("Patient", {"identifier": "https://millennium.example.org/identifiers/mrn|M-1"})
    assert answer.status == 200
    assert [entry["resource"]["id"] for entry in (answer.body or {})["entry"]] == ["p1"]


def test_the_profile_s_search_finds_the_write_again_across_midnight_and_zones(site: Site) -> None:
    api, payload = site.api(), lab_result()
    api.create("Observation", as_bytes(payload))
    api.create("Observation", as_bytes(lab_result(code={"coding": [{"system": "http://loinc.org", "code": "718-7"}]})))
    parameters = site.simulated.ehr.operation("Observation").search(payload)
    found = api.search("Observation", parameters)
    assert len((found.body or {})["entry"]) == 1


def test_all_pages_come_as_one_bundle(site: Site) -> None:
    site.simulated.back_door.file([lab_result(id=f"o{n}") for n in range(45)])
    answer = site.api().search("Observation", {"patient": "p1"})
    assert len({entry["resource"]["id"] for entry in (answer.body or {})["entry"]}) == 45


def test_a_search_that_would_be_incomplete_is_no_answer(millennium: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.adapters.ehr.fhir.MOST_PAGES", 2)
    millennium.simulated.back_door.file([lab_result(id=f"o{n}") for n in range(45)])
    assert millennium.api().search("Observation", {"patient": "p1"}).status == 0


def test_a_next_page_at_another_host_is_not_fetched(millennium: Site) -> None:
    asked: list[bytes] = []
    elsewhere = once(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", asked)
    page = b'{"resourceType":"Bundle","link":[{"relation":"next","url":"http://127.0.0.1:%d/x"}]}' % elsewhere
    port = once(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page), [])
    assert api_at(port, millennium).search("Observation", {"patient": "p1"}).status == 0
    assert asked == []


def test_a_time_out_after_the_commit_is_an_unknown_outcome_and_the_row_is_there(site: Site) -> None:
    site.fault(fault="drop_after_commit", on="POST Observation", hang_s=1)
    answer = site.api(read_timeout_s=0.3).create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.sent) == (0, True)
    assert 300 <= answer.milliseconds < 5000
    assert len(site.rows()) == 1
    assert site.simulated.ehr.react(answer, site.simulated.ehr.operation("Observation")).next is Next.VERIFY


def test_a_connection_lost_before_the_commit_is_an_unknown_outcome_too(site: Site) -> None:
    site.fault(fault="drop_before_commit", on="POST")
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.sent) == (0, True)
    assert site.rows() == []
    assert len(site.chart()["arrivals"]) == 1


def test_a_refused_connection_is_certain_to_have_sent_nothing(millennium: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = api_at(port, millennium).create("Observation", b"{}")
    assert (answer.status, answer.sent) == (0, False)


def test_an_unknown_host_is_certain_to_have_sent_nothing(millennium: Site) -> None:
    connection = replace(millennium.connection, base_url="https://no-such-host.invalid/fhir")
    api = fhir_api(connection, millennium.profile, SmartTokens(millennium.connection, millennium.profile))
    answer = api.create("Observation", b"{}")
    assert (answer.status, answer.sent) == (0, False)


def test_a_failed_tls_handshake_is_certain_to_have_sent_nothing(millennium: Site) -> None:
    port = once(b"this is not TLS\r\n", asked := [])
    connection = replace(millennium.connection, base_url=f"https://127.0.0.1:{port}/fhir")
    api = fhir_api(connection, millennium.profile, SmartTokens(millennium.connection, millennium.profile))
    answer = api.create("Observation", b'{"resourceType":"Observation"}')
    assert (answer.status, answer.sent) == (0, False)
    assert all(b"Observation" not in bytes_ for bytes_ in asked)


def test_https_is_spoken_with_who_proves_to_be_the_host_and_with_nobody_else(
    millennium: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = self_signed("localhost", tmp_path)
    serving.load_cert_chain(certificate)
    body = b'{"resourceType":"Observation","id":"1"}'
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def read_from(host: str) -> tuple[int, bool, list[bytes]]:
        asked: list[bytes] = []
        connection = replace(millennium.connection, base_url=f"https://{host}:{once(said, asked, tls=serving)}/fhir")
        api = fhir_api(connection, millennium.profile, SmartTokens(millennium.connection, millennium.profile))
        answer = api.read("Observation/1")
        return answer.status, answer.sent, asked

    assert read_from("localhost") == (0, False, [])  # nobody vouches for it
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("headwater.adapters.ehr.http._tls", lambda: trusting)
    status, sent, asked = read_from("localhost")
    assert (status, sent) == (200, True)
    assert asked[0].startswith(b"GET /fhir/Observation/1 HTTP/1.1")
    assert read_from("127.0.0.1") == (0, False, [])  # vouched for, but as somebody else


def test_a_redirect_is_answered_not_followed(site: Site) -> None:
    site.simulated.back_door.file([{**PATIENT, "id": "p2"}])
    site.fault(fault="patient_merge_redirect", **{"from": "p1", "to": "p2"}, count=None)
    answer = site.api().read("Patient/p1")
    assert answer.status == 301
    assert answer.headers["Location"].endswith("/Patient/p2")
    written = site.api().create("Observation", as_bytes(lab_result()))
    assert written.status == 301
    assert site.rows() == []
    reaction = site.simulated.ehr.react(written, site.simulated.ehr.operation("Observation"))
    assert reaction.next is Next.STEWARD


def test_half_an_answer_is_no_answer(millennium: Site) -> None:
    port = once(b'HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{"resourceType":"Ob', [])
    answer = api_at(port, millennium).create("Observation", b"{}")
    assert (answer.status, answer.sent) == (0, True)


def test_a_chunked_answer_is_read_whole(millennium: Site) -> None:
    port = once(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n', [])
    assert api_at(port, millennium).read("Observation/1").body == {"a": 1}


def test_what_is_not_http_is_an_unknown_outcome(millennium: Site) -> None:
    port = once(b"SSH-2.0-OpenSSH_9.9\r\n", [])
    answer = api_at(port, millennium).create("Observation", b"{}")
    assert (answer.status, answer.sent) == (0, True)


def test_an_answer_that_drips_ends_at_the_deadline(millennium: Site) -> None:
    port = once(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", [], drip=0.05)
    answer = api_at(port, millennium, read_timeout_s=0.4).read("Observation/1")
    assert answer.status == 0
    assert answer.milliseconds < 3000


def test_headers_that_drip_end_at_the_deadline_too(millennium: Site) -> None:
    """Each byte in time, the whole never: http.client alone would wait for as long as there are bytes."""
    port = once(b"HTTP/1.1 200 OK\r\nX-Drip: ", [], drip=0.05)
    answer = api_at(port, millennium, read_timeout_s=0.4).create("Observation", b"{}")
    assert (answer.status, answer.sent) == (0, True)
    assert answer.milliseconds < 3000


def test_an_answer_without_a_length_that_is_cut_off_is_no_answer(millennium: Site) -> None:
    port = once(b'HTTP/1.1 200 OK\r\n\r\n{"resourceType":"Observation"}', [], drip=0.05)
    assert api_at(port, millennium, read_timeout_s=0.4).read("Observation/1").status == 0


def test_an_answer_beyond_the_limit_is_no_answer(millennium: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.adapters.ehr.http.LARGEST_ANSWER", 100)
    port = once(b"HTTP/1.1 200 OK\r\nContent-Length: 102\r\n\r\n" + b'"' + b"x" * 100 + b'"', [])
    assert api_at(port, millennium).read("Observation/1").status == 0


def test_statuses_come_back_with_headers_and_outcome(site: Site) -> None:
    site.fault(fault="status", on="POST", code=429, retry_after=7)
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    site.ask("POST", "/_sim/clock", {"advance_s": 8})
    site.fault(fault="operation_outcome", on="POST", code="59188", status=400)
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert site.simulated.ehr.react(answer, site.simulated.ehr.operation("Observation")).codes[0] == "59188"


def test_a_reference_cannot_leave_the_base_url(millennium: Site) -> None:
    api = millennium.api()
    for reference in (
        "https://elsewhere.example.org/Patient/1",
        "../admin",
        "Patient/../x",
        "Patient/1?x=1",
        "Patient",
    ):
        with pytest.raises(Refuse):
            api.read(reference)


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example.org/fhir",
        "https://user:secret@ehr.example.org/fhir",
        "ftp://localhost/",
        "https:///fhir",
        "x",
    ],
)
def test_only_https_is_a_safe_address_but_for_this_machine(url: str) -> None:
    secret = {"base_url": url, "token_url": "https://ehr.example.org/token", "client_id": "c"}
    with pytest.raises(HeadwaterError) as raised:
        Connection.of(secret, place="headwater/ehrs/x")
    assert raised.value.place == "headwater/ehrs/x: base_url"
    assert "secret@" not in str(raised.value)


def test_a_connection_does_not_show_its_keys(millennium: Site) -> None:
    assert "PRIVATE" not in repr(millennium.connection)


def once(answer: bytes, asked: list[bytes], *, drip: float = 0.0, tls: ssl.SSLContext | None = None) -> int:
    """A server that gives this answer to whatever the first client says, and hangs up; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as plain, contextlib.suppress(OSError):
            client = tls.wrap_socket(plain, server_side=True) if tls else plain
            asked.append(client.recv(65_536))
            client.sendall(answer)
            for _ in range(100 if drip else 0):
                client.sendall(b" ")
                threading.Event().wait(drip)
            client.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listening.getsockname()[1])


def self_signed(host: str, folder: Path) -> Path:
    """A key and a certificate for `host` in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "host.pem"
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
