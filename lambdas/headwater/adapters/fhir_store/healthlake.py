"""AWS HealthLake as the FHIR store. Writes are transaction Bundles of PUTs under our own ids, so that the same Bundle
may be sent any number of times; the only sure read after a write is the read by id, for search lags behind.

https://docs.aws.amazon.com/healthlake/latest/devguide/managing-fhir-resources-bundle.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from headwater.errors import HeadwaterError, Quarantine, Retry
from headwater.fhir.references import references
from headwater.model import Resource

MOST_ENTRIES = 100  # of a synchronous transaction; more is answered with 422
_PAGE = 100  # HealthLake's most matches of one page
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/(?!\.+(/|$))[A-Za-z0-9.\-]{1,64}(/_history/[0-9]+)?")
# A FHIRPath that only says where: no quotes, so no value can be in it.
_PLACE = re.compile(r"[A-Za-z][\w.\[\]()]{0,199}", re.ASCII)
# Two more tries at once, for what a moment mends; all else is the queue's, which waits for free. PUTs may be repeated.
_TRIES = urllib3.Retry(
    total=2,
    read=1,
    allowed_methods=None,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,
    backoff_factor=0.2,
    backoff_jitter=0.2,
)


class HealthLakeFhirStore:
    """`FhirStore` at `endpoint` (`https://healthlake.<region>.amazonaws.com/datastore/<id>/r4/`).

    `credentials` are botocore's, which renew themselves. `http` keeps connections and TLS state between calls.
    """

    def __init__(
        self, endpoint: str, credentials: Any, region: str, *, http: urllib3.PoolManager | None = None
    ) -> None:
        self._endpoint = endpoint.rstrip("/") + "/"
        self._credentials = credentials
        self._region = region
        self._http = http or urllib3.PoolManager(
            maxsize=4, timeout=urllib3.Timeout(connect=3.0, read=20.0), retries=_TRIES
        )

    def transact(self, resources: Sequence[Resource]) -> Sequence[str]:
        """One Bundle for up to 100 resources. More go in several, what is pointed to before what points to it, so that
        a break in between leaves nothing pointing nowhere; the next try repeats what was already written."""
        if len(resources) <= MOST_ENTRIES:
            return self._transact(resources) if resources else []
        order = _dependencies_first(resources)
        written: dict[int, str] = {}
        for start in range(0, len(order), MOST_ENTRIES):
            part = order[start : start + MOST_ENTRIES]
            written |= zip(part, self._transact([resources[index] for index in part]), strict=True)
        return [written[index] for index in range(len(resources))]

    def read(self, reference: str) -> Resource | None:
        """`Patient/x` or `Patient/x/_history/2`; None if it never was or was deleted. Raises ValueError for others."""
        if not _REFERENCE.fullmatch(reference):
            raise ValueError("a reference must read Type/id or Type/id/_history/version")
        answer = self._call("GET", reference)
        if answer.status in {404, 410}:
            return None
        if answer.status != 200:
            raise _refusal(answer)
        return _read(answer)

    def search(self, kind: str, tags: Sequence[str]) -> Iterator[Resource]:
        """One GET a page of 100. HealthLake's index is about 20 s behind its writes.

        https://docs.aws.amazon.com/healthlake/latest/devguide/reference-fhir-search-parameters.html
        """
        query = _query([("_tag", ",".join(tags)), ("_count", str(_PAGE))])
        while query:
            answer = self._call("GET", f"{kind}?{query}")
            if answer.status != 200:
                raise _refusal(answer)
            page = _read(answer)
            yield from (entry["resource"] for entry in page.get("entry", ()))
            query = _next(page)

    def update(self, resource: Resource) -> bool:
        """One PUT with If-Match.

        https://docs.aws.amazon.com/healthlake/latest/devguide/managing-fhir-resources-idempotency.html
        """
        name = f"{resource['resourceType']}/{resource['id']}"
        answer = self._call("PUT", name, _without_version(resource), seen=resource["meta"]["versionId"])
        if answer.status == 412:
            return False
        if answer.status not in {200, 201}:
            raise _refusal(answer)
        return True

    def _transact(self, resources: Sequence[Resource]) -> list[str]:
        names = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
        entries = [
            {"fullUrl": self._endpoint + name, "resource": resource, "request": {"method": "PUT", "url": name}}
            for name, resource in zip(names, resources, strict=True)
        ]
        answer = self._call("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if answer.status != 200:
            raise _refusal(answer)
        written = _read(answer).get("entry", [])
        if len(written) != len(names):
            raise Retry("store.unavailable", hint=f"{len(names)} entries went, {len(written)} answers came")
        return [f"{name}/_history/{_version(entry['response'])}" for name, entry in zip(names, written, strict=True)]

    def _call(
        self, method: str, path: str, body: Resource | None = None, *, seen: str = ""
    ) -> urllib3.BaseHTTPResponse:
        url = self._endpoint + path
        payload = orjson.dumps(body) if body is not None else b""
        headers = {"Accept": "application/fhir+json"}
        if payload:
            headers |= {
                "Content-Type": "application/fhir+json",
                "x-amzn-healthlake-fhir-validation-level": "strict",
            }
        if seen:
            headers["If-Match"] = f'W/"{seen}"'
        try:
            return self._http.request(
                method, url, body=payload or None, headers=self._signed(method, url, payload, headers)
            )
        except urllib3.exceptions.HTTPError as error:
            # The cause is cut off: it quotes the URL, and with it an id.
            raise Retry("store.unavailable", hint=f"HealthLake was not reached: {type(error).__name__}") from None

    def _signed(self, method: str, url: str, payload: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers with Signature Version 4, good for five minutes.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        """
        if self._credentials is None:
            raise Retry("store.unavailable", hint="there are no AWS credentials")
        request = AWSRequest(method=method, url=url, data=payload, headers=dict(headers))
        SigV4Auth(self._credentials.get_frozen_credentials(), "healthlake", self._region).add_auth(request)
        return dict(request.headers.items())


def _read(answer: urllib3.BaseHTTPResponse) -> Resource:
    try:
        body: Resource = orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        raise Retry("store.unavailable", hint=f"HTTP {answer.status} without JSON") from None
    return body


def _without_version(resource: Resource) -> Resource:
    """As it is written: version and time are the store's to give."""
    meta = {name: value for name, value in resource["meta"].items() if name not in {"versionId", "lastUpdated"}}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


def _query(parameters: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)


def _next(page: Resource) -> str:
    """The query of the next page, else nothing. Its token ends in raw `=`, which must be encoded to be signed; the
    address before it is not followed, so that what is signed goes to the store alone."""
    url = next((link["url"] for link in page.get("link", ()) if link.get("relation") == "next"), "")
    parameters = (one.partition("=") for one in url.partition("?")[2].split("&") if one)
    return _query((unquote(name), unquote(value)) for name, _, value in parameters)


def _refusal(answer: urllib3.BaseHTTPResponse) -> HeadwaterError:
    """What is wrong with the resources is for a person; all else may pass, or be mended, and come again.

    401, 403 and 404 are a deployment's fault and none of the message's. 409 is another transaction on the same ids.
    """
    if answer.status == 429 or answer.status >= 500:
        code = "store.throttled" if answer.status == 429 else "store.unavailable"
        return Retry(code, hint=f"HTTP {answer.status}", after=_after(answer.headers.get("Retry-After", "")))
    if answer.status in {400, 412, 413, 422}:
        places = tuple(dict.fromkeys(_places(answer)))
        hint = f"HTTP {answer.status}: mend the template or the code map that makes these"
        return Quarantine("store.invalid", place=", ".join(places[:5]), hint=hint)
    if answer.status == 409:
        return Retry("store.conflict", hint="another transaction holds the same resources")
    return Retry("store.denied", hint=f"HTTP {answer.status}: look at the endpoint and the role's permissions")


def _after(seconds: str) -> int | None:
    return int(seconds) if seconds.isdigit() else None


def _places(answer: urllib3.BaseHTTPResponse) -> Iterator[str]:
    """The paths an OperationOutcome names (`expression`, FHIR R4 operationoutcome.html), never its diagnostics."""
    try:
        outcome = orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        return
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    for issue in issues if isinstance(issues, list) else ():
        paths = (issue.get("expression") or issue.get("location")) if isinstance(issue, dict) else None
        for expression in paths if isinstance(paths, list) else ():
            if isinstance(expression, str) and _PLACE.fullmatch(expression):
                yield expression


def _version(response: Mapping[str, str]) -> str:
    """Out of the ETag `W/"2"`, else out of the location's `_history/2`."""
    found = re.search(r'"(\d+)"', response.get("etag", "")) or re.search(
        r"_history/(\d+)", response.get("location", "")
    )
    if not response.get("status", "").startswith("2") or found is None:
        raise Retry("store.unavailable", hint="an entry of the transaction came back without its version")
    return found[1]


def _dependencies_first(resources: Sequence[Resource]) -> list[int]:
    """The indices in an order in which each resource follows those it refers to; a circle is cut anywhere."""
    place = {f"{resource['resourceType']}/{resource['id']}": index for index, resource in enumerate(resources)}
    order: dict[int, None] = {}
    begun: set[int] = set()
    stack = [(index, False) for index in reversed(range(len(resources)))]
    while stack:
        index, complete = stack.pop()
        if complete:
            order[index] = None
        elif index not in begun:
            begun.add(index)
            stack.append((index, True))
            stack += [(place[name], False) for name in references(resources[index]) if name in place]
    return list(order)
