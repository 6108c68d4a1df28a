"""The review API: every route of docs/review-api.md, who may call it, and what an answer says."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import Retry
from headwater.outbound.review_api import ReviewApi
from tests.outbound.conftest import Desk, wish
from tests.outbound.gates.test_duplicate import RXNORM, SNOMED, allergy, put

DOC = (Path(__file__).resolve().parents[2] / "docs" / "review-api.md").read_text(encoding="utf-8")


def call(
    desk: Desk, method: str, path: str, body: Any = None, *, who: str = "dr.rivera", groups: Any = "[clinician]"
) -> tuple[int, Any]:
    claims = {"sub": who, "cognito:groups": groups} if who else {}
    path, _, query = path.partition("?")
    event = {
        "rawPath": path,
        "queryStringParameters": dict(one.split("=") for one in query.split("&") if one),
        "requestContext": {"http": {"method": method}, "authorizer": {"jwt": {"claims": claims}}},
        "body": None if body is None else json.dumps(body),
    }
    answer = ReviewApi(desk.review)(event)
    assert answer["headers"]["cache-control"] == "no-store"
    return answer["statusCode"], json.loads(answer["body"])


def test_a_proposal_is_listed_shown_and_approved(desk: Desk) -> None:
    proposal = desk.propose(wish())
    status, listed = call(desk, "GET", "/proposals?state=proposed")
    assert (status, [one["intent"] for one in listed["proposals"]]) == (200, [proposal.intent])
    assert "payload" not in listed["proposals"][0]
    _, shown = call(desk, "GET", f"/proposals/{proposal.intent}")
    assert shown["payload"].encode() == proposal.payload
    assert (shown["tier"], shown["approvers"], shown["flags"], shown["base"]) == ("results", 1, [], None)
    status, approved = call(
        desk, "POST", f"/proposals/{proposal.intent}/approval", {"payload_hash": shown["payload_hash"]}
    )
    assert (status, approved["state"], approved["approvals"]) == (200, "APPROVED", ["dr.rivera"])


def test_flags_must_be_sent_with_the_approval(desk: Desk) -> None:
    row = put(desk, allergy(SNOMED, "716186003", "No known allergies"))
    proposal = desk.propose(wish(allergy(RXNORM, "7980"), intent="allergy"))
    _, shown = call(desk, "GET", f"/proposals/{proposal.intent}")
    assert shown["alike"] == [row]
    body = {"payload_hash": shown["payload_hash"]}
    path = f"/proposals/{proposal.intent}/approval"
    status, problem = call(desk, "POST", path, body)
    assert (status, problem["code"]) == (409, "review.flags_not_seen")
    body["flags"] = shown["flags"]
    assert call(desk, "POST", path, body)[1]["state"] == "PROPOSED"
    assert call(desk, "POST", path, body, who="dr.chen")[1]["state"] == "APPROVED"


def test_plain_items_are_signed_together(desk: Desk) -> None:
    proposal = desk.propose(wish())
    items = [{"intent": proposal.intent, "payload_hash": proposal.payload_hash}]
    assert call(desk, "POST", "/proposals/approvals", {"proposals": items}) == (
        200, {"approvals": {proposal.intent: "APPROVED"}},
    )  # fmt: skip
    assert call(desk, "POST", "/proposals/approvals", {"proposals": "all"})[0] == 422


def test_what_has_expired_is_asked_for_again_and_what_is_filed_is_taken_back(desk: Desk) -> None:
    filed = desk.send(desk.approved().intent)
    status, _ = call(desk, "POST", f"/proposals/{filed.intent}/withdrawal", {"reason": "wrong specimen"})
    assert (status, len(desk.write_queue.bodies)) == (200, 1)
    assert call(desk, "POST", f"/proposals/{filed.intent}/request", {})[0] == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/proposals/none", None, 404, "review.unknown"),
        ("GET", "/elsewhere", None, 404, "review.route_unknown"),
        ("GET", "/proposals?state=nonsense", None, 422, "review.state_unknown"),
        ("POST", "/proposals/none/approval", None, 422, "review.body_malformed"),
        ("POST", "/proposals/none/rejection", {}, 422, "review.reason_missing"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(
    desk: Desk, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answered, problem = call(desk, method, path, body)
    assert (answered, problem["code"]) == (status, code)


@pytest.mark.parametrize(("who", "groups"), [("", ""), ("someone", "[steward]"), ("someone", [])])
def test_strangers_are_told_nothing(desk: Desk, who: str, groups: Any) -> None:
    desk.propose(wish())
    status, problem = call(desk, "GET", "/proposals", who=who, groups=groups)
    assert (status, problem["code"]) == (403, "review.not_a_clinician")


def test_a_ledger_that_is_down_is_503_and_an_encoded_body_is_read(desk: Desk) -> None:
    proposal = desk.propose(wish())
    body = base64.b64encode(json.dumps({"payload_hash": proposal.payload_hash}).encode()).decode()
    claims = {"sub": "dr.rivera", "cognito:groups": "[clinician]"}
    event = {
        "rawPath": f"/proposals/{proposal.intent}/approval",
        "requestContext": {"http": {"method": "POST"}, "authorizer": {"jwt": {"claims": claims}}},
        "body": body,
        "isBase64Encoded": True,
    }
    desk.proposals.down = Retry("ledger.unavailable")
    assert ReviewApi(desk.review)(event)["statusCode"] == 503
    desk.proposals.down = None
    assert ReviewApi(desk.review)(event)["statusCode"] == 200


def test_every_route_is_documented() -> None:
    routes = set(re.findall(r"`(?:GET|POST) (/[^ `?]*)", DOC))
    source = Path(ReviewApi.__module__.replace(".", "/") + ".py")
    text = (Path(__file__).resolve().parents[2] / "lambdas" / source).read_text(encoding="utf-8")
    cases = re.findall(r'case \("(?:GET|POST)", ([^)]*)\)', text)
    known = {
        "/" + "/".join(f"{{{part}}}" if '"' not in part else part.strip('"') for part in case.split(", "))
        for case in cases
    }
    assert routes == known
