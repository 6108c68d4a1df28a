from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest

from local.aws.api_gateway import Asked, Gateway, Route, deployed_routes, from_outcome
from local.aws.clients import Resource
from local.aws.lambda_runtime import Function, Outcome, Runtime
from local.aws.tokens import Issuer

REVIEW = Function("review", "handlers.review.handler", 29)


class Echo(Runtime):
    """A function that answers with its event."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def invoke(self, function: Function, event: object) -> Outcome:
        self.events.append(event)
        return Outcome({"statusCode": 201, "headers": {"X-Own": "1"}, "body": "made"})


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.open(tmp_path, issuer="http://localhost:1", client_id="app")


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def gateway(issuer: Issuer, echo: Echo) -> Gateway:
    return Gateway([Route("ANY /{proxy+}", True, REVIEW)], issuer, echo)


def asked(method: str = "GET", path: str = "/proposals", query: str = "", body: bytes = b"", **headers: str) -> Asked:
    return Asked(method, path, query, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def bearer(issuer: Issuer, user: str = "dr.rivera") -> str:
    return f"Bearer {issuer.token(user, issuer.passwords[user])}"


def test_a_good_token_reaches_the_function_with_its_claims(gateway: Gateway, issuer: Issuer, echo: Echo) -> None:
    answer = gateway.answer(asked(authorization=bearer(issuer)))
    assert (answer.status, answer.body, answer.headers["x-own"]) == (201, b"made", "1")
    claims = echo.events[0]["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "dr.rivera"
    assert claims["cognito:groups"] == "[clinician]"
    assert claims["token_use"] == "access"
    assert claims["exp"].isdigit()


def test_the_event_is_of_payload_format_2(gateway: Gateway, issuer: Issuer, echo: Echo) -> None:
    request = asked(
        "POST",
        "/proposals/a%20b/approval",
        query="state=X&state=Y&empty=",
        body=b'{"a": 1}',
        authorization=bearer(issuer),
        content_type="application/json",
        cookie="one=1; two=2",
    )
    gateway.answer(request)
    (event,) = echo.events
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "ANY /{proxy+}"
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["rawPath"] == "/proposals/a%20b/approval"
    assert event["pathParameters"] == {"proxy": "proposals/a b/approval"}
    assert event["queryStringParameters"] == {"state": "X,Y", "empty": ""}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)


def test_a_binary_body_is_base64(gateway: Gateway, issuer: Issuer, echo: Echo) -> None:
    gateway.answer(asked("POST", body=b"\xff\x00", authorization=bearer(issuer), content_type="image/png"))
    assert echo.events[0]["isBase64Encoded"]
    assert base64.b64decode(echo.events[0]["body"]) == b"\xff\x00"


def forged(issuer: Issuer, **changes: Any) -> str:
    """A token of the issuer's own key, but with other claims."""
    claims = jwt.decode(bearer(issuer).split()[1], options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, issuer.key, algorithm="RS256")


def test_nobody_gets_in_without_a_good_token(gateway: Gateway, issuer: Issuer, echo: Echo, tmp_path: Path) -> None:
    other = Issuer.open(tmp_path / "other", issuer=issuer.issuer, client_id=issuer.client_id)
    claims = jwt.decode(bearer(issuer).split()[1], options={"verify_signature": False})
    bad = {
        "none": "",
        "garbage": "Bearer x.y.z",
        "another key": bearer(other),
        "another issuer": f"Bearer {forged(issuer, iss='http://elsewhere')}",
        "another client": f"Bearer {forged(issuer, client_id='other')}",
        "expired": f"Bearer {forged(issuer, exp=1)}",
        "unsigned": f"Bearer {jwt.encode(claims, None, algorithm='none')}",
        "symmetric": f"Bearer {jwt.encode(claims, 'x' * 64, algorithm='HS256')}",
    }
    for why, header in bad.items():
        answer = gateway.answer(asked(authorization=header))
        assert (why, answer.status) == (why, 401)
    assert echo.events == []


def test_a_token_is_given_for_the_right_secret_only(gateway: Gateway, issuer: Issuer) -> None:
    def ask(user: str, secret: str) -> int:
        basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return gateway.answer(asked("POST", "/oauth2/token", authorization=f"Basic {basic}")).status

    assert ask("dr.chen", issuer.passwords["dr.chen"]) == 200
    assert ask("dr.chen", "wrong") == 401
    assert ask("nobody", issuer.passwords["dr.chen"]) == 401
    form = f"grant_type=client_credentials&client_id=dr.chen&client_secret={issuer.passwords['dr.chen']}"
    answer = gateway.answer(asked("POST", "/oauth2/token", body=form.encode()))
    assert issuer.verify(json.loads(answer.body)["access_token"])["sub"] == "dr.chen"
    assert gateway.answer(asked("POST", "/oauth2/token", body=b"grant_type=password")).status == 400


def test_secrets_and_key_stay_with_the_data_folder_and_are_private(tmp_path: Path) -> None:
    first = Issuer.open(tmp_path, issuer="i", client_id="c")
    token = first.token("dr.chen", first.passwords["dr.chen"])
    second = Issuer.open(tmp_path, issuer="i", client_id="c")
    assert second.verify(token)["sub"] == "dr.chen"
    assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {"0o600"}


def test_the_published_key_verifies_a_token(gateway: Gateway, issuer: Issuer) -> None:
    (key,) = json.loads(gateway.answer(asked(path="/.well-known/jwks.json")).body)["keys"]
    token = bearer(issuer).split()[1]
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    assert jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], options={"verify_aud": False})["sub"] == "dr.rivera"


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (Outcome(None, error="Unhandled"), 500, b'{"message": "Internal Server Error"}'),
        (Outcome(None, error="Timeout"), 503, b'{"message": "Service Unavailable"}'),
        (Outcome({"plain": 1}), 200, b'{"plain": 1}'),
        (Outcome({"statusCode": 204}), 204, b""),
        (Outcome({"statusCode": 200, "body": "AAE=", "isBase64Encoded": True}), 200, b"\x00\x01"),
    ],
)
def test_what_a_function_answers_becomes_http(outcome: Outcome, status: int, body: bytes) -> None:
    answer = from_outcome(outcome)
    assert (answer.status, answer.body) == (status, body)


def test_the_most_precise_deployed_route_wins(issuer: Issuer, echo: Echo) -> None:
    def resource(kind: str, identity: str, **properties: Any) -> Resource:
        return Resource(f"AWS::{kind}", "s", identity, identity, properties, {})

    route = partial(resource, "ApiGatewayV2::Route")
    found = [
        resource("Lambda::Function", "review", Handler="h.h"),
        resource("Lambda::Function", "open", Handler="h.h"),
        resource("ApiGatewayV2::Integration", "i1", IntegrationUri="arn:aws:lambda:us-east-1:1:function:review"),
        resource("ApiGatewayV2::Integration", "i2", IntegrationUri="arn:aws:lambda:us-east-1:1:function:open"),
        route("r1", RouteKey="ANY /{proxy+}", Target="integrations/i1", AuthorizationType="JWT"),
        route("r2", RouteKey="GET /health", Target="integrations/i2", AuthorizationType="NONE"),
    ]
    gateway = Gateway(deployed_routes(found), issuer, echo)
    assert gateway.answer(asked(path="/health")).status == 201
    assert gateway.answer(asked(path="/healthy")).status == 401
    assert gateway.answer(asked("POST", path="/health")).status == 401
    assert gateway.answer(asked(path="/")).status == 404
