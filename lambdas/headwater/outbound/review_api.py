"""The review API: HTTP to `outbound.review` and back. Seven routes, JSON, documented in `docs/review-api.md`.

The reviewer is who the JWT authorizer says, never what the request says. Answers hold PHI (the payload is what must be
looked at), so they are never cached and never logged.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from headwater.errors import HeadwaterError, Refuse, Retry
from headwater.model import Proposal, ProposalState
from headwater.outbound.review import Review, Reviewer

Event = dict[str, Any]
_STATUS_OF = {
    "review.not_a_clinician": 403,
    "review.own_proposal": 403,
    "review.role_missing": 403,
    "review.unknown": 404,
    "review.route_unknown": 404,
    "review.other_bytes": 409,
    "review.already_decided": 409,
    "review.flags_not_seen": 409,
    "review.not_over": 409,
    "review.not_filed": 409,
    "review.identity_changed": 409,
    "review.expired": 410,
}


class ReviewApi:
    """API Gateway HTTP API events, payload format 2.0, in and out."""

    def __init__(self, review: Review) -> None:
        self._review = review

    def __call__(self, event: Event) -> Event:
        try:
            return _answer(200, self._route(event))
        except Retry as busy:
            return _problem(409 if busy.code == "ledger.conflict" else 503, busy)
        except HeadwaterError as error:
            return _problem(_STATUS_OF.get(error.code, 422), error)

    def _route(self, event: Event) -> object:
        method = event["requestContext"]["http"]["method"]
        parts = event["rawPath"].strip("/").split("/")
        reviewer = _reviewer(event)
        match (method, *parts):
            case ("GET", "proposals"):
                state = _state((event.get("queryStringParameters") or {}).get("state", "PROPOSED"))
                return {"proposals": [as_json(one, payload=False) for one in self._review.list(reviewer, state)]}
            case ("GET", "proposals", intent):
                return as_json(self._review.show(reviewer, intent))
            case ("POST", "proposals", intent, "approval"):
                body = _body(event)
                seen = _texts(body, "flags")
                return as_json(self._review.approve(reviewer, intent, str(body.get("payload_hash", "")), seen=seen))
            case ("POST", "proposals", intent, "rejection"):
                body = _body(event)
                reason = str(body.get("reason", ""))
                return as_json(self._review.reject(reviewer, intent, str(body.get("payload_hash", "")), reason))
            case ("POST", "proposals", intent, "request"):
                return as_json(self._review.ask_again(reviewer, intent))
            case ("POST", "proposals", intent, "withdrawal"):
                return as_json(self._review.withdraw(reviewer, intent, str(_body(event).get("reason", ""))))
            case ("POST", "proposals", "approvals"):
                return {"approvals": self._review.approve_batch(reviewer, _approvals(_body(event)))}
            case _:
                raise Refuse("review.route_unknown", place="path", hint="see docs/review-api.md")


def as_json(proposal: Proposal, *, payload: bool = True) -> Event:
    """A proposal as the API shows it; with the bytes that would be sent, and them parsed."""
    shown: Event = {
        "intent": proposal.intent,
        "state": proposal.state.value,
        "ehr": proposal.ehr,
        "purpose": proposal.purpose,
        "resource_type": proposal.resource_type,
        "patient": proposal.patient_ref,
        "payload_hash": proposal.payload_hash,
        "identity": {"confidence": proposal.confidence, "evidence": list(proposal.evidence), "link": proposal.link},
        "origin": {"ehr": proposal.origin_ehr, "reference": proposal.origin_ref},
        "created_at": proposal.created_at,
        "expires_at": proposal.expires_at,
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
        "reason": proposal.reason,
        "filed_ref": proposal.filed_ref,
        "differences": list(proposal.differences),
        "tier": proposal.tier,
        "approvers": proposal.approvers,
        "approvals": list(proposal.approvals),
        "author": proposal.author,
        "flags": list(proposal.flags),
        "alike": list(proposal.alike),
        "updates": proposal.target,
        "withdraws": proposal.withdraws,
        "changes": list(proposal.changes),
    }
    if payload and proposal.payload:
        shown["payload"] = proposal.payload.decode()
        shown["resource"] = orjson.loads(proposal.fact or proposal.payload)
        shown["base"] = orjson.loads(proposal.base) if proposal.base else None
        shown["said"] = proposal.said
    return shown


def _reviewer(event: Event) -> Reviewer:
    """Who the authorizer verified. HTTP APIs hand a list claim on as text: `[clinician steward]`."""
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    groups = claims.get("cognito:groups", "")
    names = groups if isinstance(groups, list) else str(groups).strip("[]").replace(",", " ").split()
    return Reviewer(str(claims.get("sub", "")), frozenset(names) if claims.get("sub") else frozenset())


def _state(name: str) -> ProposalState:
    try:
        return ProposalState(name.upper())
    except ValueError:
        raise Refuse("review.state_unknown", place="state", hint=", ".join(ProposalState)) from None


def _body(event: Event) -> Event:
    text = event.get("body") or ""
    try:
        body = orjson.loads(base64.b64decode(text) if event.get("isBase64Encoded") else text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refuse("review.body_malformed", place="body", hint="send a JSON object")
    return body


def _texts(body: Event, name: str) -> list[str]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise Refuse("review.body_malformed", place=name, hint="send a list")
    return [str(one) for one in value]


def _approvals(body: Event) -> list[tuple[str, str]]:
    wanted = body.get("proposals")
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise Refuse("review.body_malformed", place="proposals", hint="send a list of {intent, payload_hash}")
    return [(str(one.get("intent", "")), str(one.get("payload_hash", ""))) for one in wanted]


def _answer(status: int, body: object) -> Event:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": orjson.dumps(body).decode()}


def _problem(status: int, error: HeadwaterError) -> Event:
    """RFC 9457-like; codes, places and hints never hold values of a message."""
    answer = _answer(status, {"code": error.code, "place": error.place, "hint": error.hint})
    answer["headers"]["content-type"] = "application/problem+json"
    return answer
