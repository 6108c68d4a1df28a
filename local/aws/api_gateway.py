"""API Gateway's HTTP API on the laptop: routes, integrations and authorizers as the deployed templates have them.

A request is matched to a route; a route with a JWT authorizer lets only good tokens in; the rest becomes an event of
payload format 2.0 for the real function. Next to it, what Cognito does in the cloud: `POST /oauth2/token` with a user's
name and secret (HTTP Basic or form, `grant_type=client_credentials`), and `GET /.well-known/jwks.json`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

    python -m local.aws.api_gateway --endpoint http://localhost:4566 --logs .local/logs --data .local/users --port 4568
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import re
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from local.aws.clients import ACCOUNT, Resource, resources
from local.aws.lambda_runtime import Function, Outcome, Runtime
from local.aws.tokens import LIFETIME, Issuer, TokenRefused
from local.loopback import LoopbackHandler

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """An HTTP request; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Route:
    """A route and the function behind it. `key` is `ANY /{proxy+}` or `$default`."""

    key: str
    protected: bool
    function: Function

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path parameters if it fits, else None."""
        if self.key == "$default":
            return {}
        wanted, template = self.key.split(" ", 1)
        if wanted not in ("ANY", method):
            return None
        pattern = "".join(_segment(segment) for segment in template.strip("/").split("/"))
        found = re.fullmatch(pattern or "/?", path.rstrip("/") or "/")
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}

    @property
    def precision(self) -> tuple[bool, bool, int]:
        """API Gateway prefers a full match to a greedy variable, and both to $default."""
        return self.key != "$default", "+}" not in self.key, len(self.key)


def _segment(segment: str) -> str:
    if segment.startswith("{") and segment.endswith("+}"):
        return f"/(?P<{segment[1:-2]}>.+)"
    if segment.startswith("{") and segment.endswith("}"):
        return f"/(?P<{segment[1:-1]}>[^/]+)"
    return f"/{re.escape(segment)}" if segment else ""


def deployed_routes(found: Sequence[Resource]) -> list[Route]:
    """The HTTP API's routes out of the recorded resources, the most precise first."""
    functions = {r.physical_id: Function.from_resource(r) for r in found if r.type == "AWS::Lambda::Function"}
    uris = {r.physical_id: r.properties["IntegrationUri"] for r in found if r.type == "AWS::ApiGatewayV2::Integration"}
    routes = []
    for resource in found:
        if resource.type == "AWS::ApiGatewayV2::Route":
            name = re.findall(r":function:([^:/]+)", uris[resource.properties["Target"].split("/")[-1]])[0]
            protected = resource.properties.get("AuthorizationType") == "JWT"
            routes.append(Route(resource.properties["RouteKey"], protected, functions[name]))
    return sorted(routes, key=lambda route: route.precision, reverse=True)


class Gateway:
    """Answers requests: the token endpoint itself, everything else by the deployed routes."""

    def __init__(self, routes: Sequence[Route], issuer: Issuer, runtime: Runtime) -> None:
        self._routes = routes
        self._issuer = issuer
        self._runtime = runtime

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/oauth2/token" and asked.method == "POST":
            return self._token(asked)
        if asked.path == "/.well-known/jwks.json":
            return Answer(200, JSON, json.dumps(self._issuer.jwks()).encode())
        for route in self._routes:
            parameters = route.match(asked.method, asked.path)
            if parameters is not None:
                return self._call(route, asked, parameters)
        return _message(404, "Not Found")

    def _call(self, route: Route, asked: Asked, parameters: Mapping[str, str]) -> Answer:
        claims: dict[str, Any] | None = None
        if route.protected:
            scheme, _, token = asked.headers.get("authorization", "").partition(" ")
            try:
                claims = self._issuer.verify(token.strip() if scheme.lower() == "bearer" else scheme)
            except TokenRefused as refused:
                print(f"refused a token: {refused}", file=sys.stderr, flush=True)
                return _message(401, "Unauthorized", {"www-authenticate": "Bearer"})
        return from_outcome(self._runtime.invoke(route.function, event(route.key, asked, parameters, claims)))

    def _token(self, asked: Asked) -> Answer:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode("utf-8", "replace")).items()}
        user, password = _credentials(asked.headers.get("authorization", ""), form)
        if form.get("grant_type", "client_credentials") != "client_credentials":
            return Answer(400, JSON, b'{"error":"unsupported_grant_type"}')
        try:
            token = self._issuer.token(user, password)
        except TokenRefused:
            return Answer(401, JSON, b'{"error":"invalid_client"}')
        body = {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME}
        return Answer(200, {**JSON, "cache-control": "no-store"}, json.dumps(body).encode())


def event(key: str, asked: Asked, parameters: Mapping[str, str], claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event of payload format 2.0. A claim that is a list goes on as text, `[a b]`, as API Gateway does it."""
    now = time.time()
    http = {
        "method": asked.method,
        "path": asked.path,
        "protocol": "HTTP/1.1",
        "sourceIp": asked.address,
        "userAgent": asked.headers.get("user-agent", ""),
    }
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": "local",
        "domainName": asked.headers.get("host", "localhost"),
        "domainPrefix": "local",
        "http": http,
        "requestId": str(uuid.uuid4()),
        "routeKey": key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": {k: _claim(v) for k, v in claims.items()}, "scopes": None}}
    body, encoded = _body(asked)
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": asked.path,
        "rawQueryString": asked.query,
        "headers": {name: value for name, value in asked.headers.items() if name != "cookie"},
        "requestContext": context,
        "isBase64Encoded": encoded,
    }
    optional = {
        "cookies": [part.strip() for part in asked.headers.get("cookie", "").split(";") if part.strip()],
        "queryStringParameters": _joined(parse_qsl(asked.query, keep_blank_values=True)),
        "pathParameters": dict(parameters),
        "body": body,
    }
    return {**made, **{name: value for name, value in optional.items() if value}}


def from_outcome(outcome: Outcome) -> Answer:
    """The function's answer as HTTP; what has no statusCode is a 200 with that as its JSON.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response
    """
    if outcome.error:
        status, text = (503, "Service Unavailable") if outcome.error == "Timeout" else (500, "Internal Server Error")
        return _message(status, text)
    payload = outcome.payload
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return Answer(200, JSON, json.dumps(payload).encode())
    body = payload.get("body") or ""
    text = body if isinstance(body, str) else json.dumps(body)
    content = base64.b64decode(text) if payload.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): str(value) for name, value in (payload.get("headers") or {}).items()}
    return Answer(int(payload["statusCode"]), {**JSON, **headers}, content, payload.get("cookies") or ())


def _claim(value: Any) -> str:
    return f"[{' '.join(str(item) for item in value)}]" if isinstance(value, list) else str(value)


def _body(asked: Asked) -> tuple[str, bool]:
    kind = asked.headers.get("content-type", "").split(";")[0]
    if kind.startswith("text/") or kind.endswith(("json", "xml", "javascript", "x-www-form-urlencoded")) or not kind:
        try:
            return asked.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(asked.body).decode(), True


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _credentials(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, basic = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(basic).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return unquote(user), unquote(password)
    return form.get("client_id", ""), form.get("client_secret", "")


def _message(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {**JSON, **(headers or {})}, json.dumps({"message": text}).encode())


class _Handler(LoopbackHandler):
    gateway: Gateway

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.gateway.answer(Asked(self.command, path, query, headers, body, self.client_address[0]))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name != "content-length":
                self.send_header(name, value)
        for cookie in answer.cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="API Gateway's HTTP API and its token issuer, on a laptop")
    parser.add_argument("--endpoint", required=True, help="the local AWS")
    parser.add_argument("--logs", type=Path, required=True, help="folder of the functions' logs")
    parser.add_argument("--data", type=Path, required=True, help="folder of the issuer's key and the users' secrets")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    options = parser.parse_args(arguments)
    found = resources(options.endpoint)
    clients = [r.physical_id for r in found if r.type == "AWS::Cognito::UserPoolClient"]
    server = ThreadingHTTPServer(("127.0.0.1", options.port), _Handler)
    url = f"http://localhost:{server.server_port}"
    issuer = Issuer.open(options.data, issuer=url, client_id=clients[0] if clients else "local")
    _Handler.gateway = Gateway(deployed_routes(found), issuer, Runtime(options.endpoint, options.logs))
    print(f"ready {url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
