"""Tokens: fetched once, renewed in time, and every assertion used once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest

from headwater.adapters.ehr import smart
from headwater.adapters.ehr.http import Exchange
from headwater.adapters.ehr.smart import NoToken, SmartTokens
from headwater.ehrs import Auth
from tests.ehr_servers import Site, as_bytes, lab_result, running

ORIGINAL = smart.exchange


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running("epic", tmp_path) as one:
        yield one


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of the token requests that went out, over real HTTP."""
    bodies: list[bytes] = []

    def noting(method: str, url: str, *, body: bytes | None = None, **more: object) -> Exchange:
        bodies.append(body or b"")
        return ORIGINAL(method, url, body=body, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(smart, "exchange", noting)
    return bodies


def test_a_token_is_fetched_once_and_used_until_shortly_before_it_ends(site: Site, asked: list[bytes]) -> None:
    moment = [time.time()]
    tokens = SmartTokens(site.connection, site.profile, now=lambda: moment[0])
    first = tokens.get()
    moment[0] += 300 - 31
    assert tokens.get() == first
    assert len(asked) == 1
    moment[0] += 2
    tokens.get()
    assert len(asked) == 2


def test_a_short_token_is_used_for_half_of_its_life(site: Site, asked: list[bytes]) -> None:
    site.fault(fault="token_ttl", ttl_s=20)
    moment = [time.time()]
    tokens = SmartTokens(site.connection, site.profile, now=lambda: moment[0])
    tokens.get()
    moment[0] += 9
    tokens.get()
    assert len(asked) == 1
    moment[0] += 2
    tokens.get()
    assert len(asked) == 2


def test_many_threads_want_a_token_and_one_request_goes_out(site: Site, asked: list[bytes]) -> None:
    site.fault(fault="latency", on="TOKEN", ms=100)
    tokens = SmartTokens(site.connection, site.profile)
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda _: tokens.get(), range(16)))
    assert len(got) == 1
    assert len(asked) == 1


def test_a_401_is_answered_with_one_fresh_token_and_the_same_bytes(site: Site, asked: list[bytes]) -> None:
    api = site.api()
    assert api.read("Patient/p1").status == 200
    site.ask("POST", "/_sim/tokens/revoke")
    assert api.create("Observation", as_bytes(lab_result())).status == 201
    assert len(asked) == 2
    assert len(site.rows()) == 1


def test_a_second_401_is_the_answer(site: Site, asked: list[bytes]) -> None:
    site.fault(fault="status", on="POST", code=401, count=None)
    assert site.api().create("Observation", as_bytes(lab_result())).status == 401
    assert len(asked) == 2
    assert len(site.chart()["arrivals"]) == 2


def test_no_assertion_is_used_twice_and_none_lives_longer_than_five_minutes(site: Site, asked: list[bytes]) -> None:
    for _ in range(5):
        assert isinstance(SmartTokens(site.connection, site.profile).get(), str)
    assertions = [parse_qs(body.decode())["client_assertion"][0] for body in asked]
    claims = [jwt.decode(one, options={"verify_signature": False}) for one in assertions]
    assert len({one["jti"] for one in claims}) == 5
    assert all(
        one["aud"] == site.connection.token_url and one["iss"] == one["sub"] == "headwater-local" for one in claims
    )
    assert all(one["exp"] - site.simulated.clock() <= 300 for one in claims)
    assert jwt.get_unverified_header(assertions[0]) == {"alg": "RS384", "kid": "local-1", "typ": "JWT"}


def test_without_a_token_nothing_of_the_request_leaves(site: Site) -> None:
    site.fault(fault="status", on="TOKEN", code=503)
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.sent) == (0, False)
    assert site.chart()["arrivals"] == []


def test_a_client_that_is_not_registered_gets_401_without_sending(site: Site) -> None:
    stranger = replace(site.connection, client_id="stranger")
    assert SmartTokens(stranger, site.profile).get() == NoToken(400)
    site.connection = stranger
    answer = site.api().create("Observation", as_bytes(lab_result()))
    assert (answer.status, answer.sent) == (401, False)


def test_a_token_answer_without_a_token_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b"[]", b"not json", b'{"access_token": ""}', b'{"access_token": 5}'):
        monkeypatch.setattr(smart, "exchange", lambda *_, said=body, **__: Exchange(200, {}, said))
        assert SmartTokens(site.connection, site.profile).get() == NoToken(0)


def test_basic_authentication_works_where_the_profile_says_so(tmp_path: Path) -> None:
    with running("athenahealth", tmp_path) as site:
        assert site.profile.auth is Auth.CLIENT_SECRET_BASIC
        assert site.api().read("Patient/p1").status == 200
        site.connection = replace(site.connection, client_secret="wrong")
        assert site.api().read("Patient/p1").status == 401


def test_a_secret_goes_in_the_body_where_the_profile_says_so(tmp_path: Path) -> None:
    with running("athenahealth", tmp_path) as site:
        in_body = replace(site.profile, auth=Auth.CLIENT_SECRET_POST)
        assert isinstance(SmartTokens(site.connection, in_body).get(), str)
        assert SmartTokens(replace(site.connection, client_secret="wrong"), in_body).get() == NoToken(401)


def test_an_elliptic_key_signs_es384(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    with running("oracle-millennium", tmp_path) as site:
        scope = " ".join(site.profile.scopes)
        wish = {"client_id": "elliptic", "kid": "e1", "public_key_pem": public, "scope": scope}
        assert site.ask("POST", "/_sim/clients", wish)[0] == 200
        site.connection = replace(site.connection, client_id="elliptic", kid="e1", private_key_pem=pem)
        assert site.api(algorithm="ES384").read("Patient/p1").status == 200
