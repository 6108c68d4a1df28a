"""Keys: a rotation leaves no moment at which an EHR could not check what we sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.keys import jwk_set, rotated
from headwater.adapters.ehr.published_keys import PublishedKeys
from headwater.adapters.ehr.smart import SmartTokens
from headwater.errors import HeadwaterError
from tests.ehr_servers import profiles, running

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BARE = {"base_url": "https://a.example.org/fhir", "token_url": "https://a.example.org/token", "client_id": "c"}


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_whatever_signs_at_any_moment_is_in_the_set_that_was_published_by_then(algorithm: str) -> None:
    api = profiles()["epic"].api
    assert api is not None
    secret, published = rotated(BARE, algorithm, NOW), []
    for day in range(4):
        moment = NOW + timedelta(days=2 * day)
        if day:
            secret = rotated(secret, algorithm, moment)
        published.append(jwk_set(secret, algorithm))
        # An EHR may hold the set of just now, or, during the lead, the one before it.
        for hours, sets in ((0, published[-2:]), (23, published[-2:]), (25, published[-1:])):
            at = (moment + timedelta(hours=hours)).timestamp()
            tokens = SmartTokens(Connection(**secret), replace(api, algorithm=algorithm), now=lambda at=at: at)
            assertion = tokens._assertion()
            for one in sets:
                keys = {key["kid"]: key for key in one["keys"]}
                key = jwt.PyJWK(keys[jwt.get_unverified_header(assertion)["kid"]])
                jwt.decode(assertion, key, audience=BARE["token_url"], options={"verify_exp": False})
    assert [len(one["keys"]) for one in published] == [1, 2, 2, 2]
    assert len({key["kid"] for one in published for key in one["keys"]}) == 4


def test_only_public_parts_are_published() -> None:
    keys = jwk_set(rotated(rotated(BARE, "RS384", NOW), "RS384", NOW), "RS384")["keys"]
    for key in keys:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    assert "PRIVATE" not in json.dumps(keys)


def test_a_rotation_under_way_is_not_overtaken() -> None:
    under_way = rotated(rotated(BARE, "ES384", NOW), "ES384", NOW)
    with pytest.raises(ValueError, match="under way until 2026-11-23T12:00:00"):
        rotated(under_way, "ES384", NOW + timedelta(hours=23))


def test_a_moment_that_is_none_is_a_slip_of_the_secret() -> None:
    with pytest.raises(HeadwaterError) as raised:
        Connection.of({**BARE, "next_from": "tomorrow"}, place="s")
    assert raised.value.place == "s: next_from"


def test_a_token_is_got_with_the_new_key_once_its_time_has_come(tmp_path: Path) -> None:
    with running("epic", tmp_path) as site:
        old = {"kid": site.connection.kid, "private_key_pem": site.connection.private_key_pem}
        new = rotated({**BARE, **old}, "RS384", datetime.now(UTC), lead=timedelta(seconds=-1))
        public = jwt.PyJWK(jwk_set(new, "RS384")["keys"][1]).key
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        site.simulated.registrar.register(
            {"client_id": site.connection.client_id, "kid": new["next_kid"], "public_key_pem": pem,
             "scope": " ".join(site.profile.scopes)}
        )  # fmt: skip
        connection = replace(site.connection, **{key: new[key] for key in new if key.startswith("next_")})
        assert isinstance(SmartTokens(connection, site.profile).get(), str)


def test_the_set_is_served_to_everybody_and_nothing_else(client: Callable[[str], Any]) -> None:
    ssm = client("ssm")
    ssm.put_parameter(Name="/headwater/keys/epic", Value='{"keys":[1]}', Type="String")
    ssm.put_parameter(Name="/headwater/other", Value="x", Type="String")
    keys = PublishedKeys(ssm, "/headwater/keys/")

    def got(ehr: str) -> tuple[int, str]:
        answer = keys({"pathParameters": {"ehr": ehr}})
        return answer["statusCode"], answer["body"]

    assert got("epic") == got("epic.json") == (200, '{"keys":[1]}')
    for other in ("nobody", "../other", "", "EPIC", "epic/../../other"):
        assert got(other) == (404, '{"keys":[]}')
