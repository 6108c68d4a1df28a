"""What can be known of a write without believing anybody: the bytes by their hash, the attempts by the audit log, the
row by looking into the chart. `send` decides by it; nothing here changes anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson

from headwater.ehrs import Operation
from headwater.errors import Refuse, Retry
from headwater.model import Answer, Proposal, ProposalState, Resource
from headwater.outbound import chart
from headwater.outbound.gates.loop import marker_of
from headwater.outbound.gates.subject import subject
from headwater.outbound.ledger import NOT_SENT
from headwater.ports import AuditLog, EhrApi

# Data is on a wrong patient or says something else than what was signed, or somebody has tampered.
INCIDENTS = frozenset({"send.chart_differs", "send.other_bytes", "send.subject_differs", "send.unsigned"})
_NOT_COMMITTED = ("send.review", "send.steward")
_COMMITTED = ("accepted_by_ehr", "filed", "already_present")


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into the chart found: our row, another row that says the same, that the patient is elsewhere now, or
    that the row to be changed is not the one that the reviewer saw; `differences` are the paths that are not."""

    mine: Resource | None = None
    same: Resource | None = None
    moved: bool = False
    changed: bool = False
    differences: tuple[str, ...] = ()


NOTHING = Found()


def unsound(proposal: Proposal, now: datetime) -> tuple[ProposalState, str] | None:
    """Why an approved row must not be sent, by itself alone: out of time, or not what was signed, by who may."""
    if now.isoformat() >= proposal.expires_at:
        return ProposalState.EXPIRED, "send.expired"
    if hashlib.sha256(proposal.payload).hexdigest() != proposal.payload_hash:
        return ProposalState.NEEDS_HUMAN, "send.other_bytes"
    signed = set(proposal.approvals or (proposal.decided_by,)) - {proposal.author, ""}
    if len(signed) < proposal.approvers:
        return ProposalState.NEEDS_HUMAN, "send.unsigned"
    try:
        subject(orjson.loads(proposal.fact or proposal.payload), proposal.patient_ref)
    except Refuse:
        return ProposalState.NEEDS_HUMAN, "send.subject_differs"
    return None


def sent_before(audit: AuditLog, intent: str, most: int) -> tuple[int, str]:
    """How often bytes of an intent may have reached the EHR by the audit log, and when the last left.

    A ledger that was restored from a backup knows nothing of it. What is known to have been filed counts as `most`: it
    may have been taken out by a clinician since, and must not come back. So does what the EHR refused, until somebody
    has proposed it anew. Raises Refuse('send.audit_broken').
    """
    try:
        entries = audit.read(intent)
    except ValueError:
        raise Refuse(
            "send.audit_broken", place=intent, hint="the chain does not verify: headwater audit verify"
        ) from None
    attempts, at, refused = 0, "", False
    for entry in entries:
        event, reason = str(entry["event"]), str(entry.get("reason", ""))
        if event == "sending":
            attempts, at = attempts + 1, str(entry["at"])
        elif event == NOT_SENT:
            attempts = max(attempts - 1, 0)
        elif event == "failed" or (event == "needs_human" and reason.startswith(_NOT_COMMITTED)):
            attempts, refused = max(attempts - 1, 0), True
        elif event == "proposed":
            refused = False
        elif event in _COMMITTED:
            attempts, at = most, at or str(entry["at"])
    return (most if refused else min(attempts, most)), at


def look(proposal: Proposal, fact: Resource, operation: Operation, api: EhrApi) -> Found:
    """Raises Retry('send.chart_unreadable') when the EHR does not say."""
    if proposal.target:
        return _look_at_target(proposal, fact, api)
    answer, rows = chart.rows_like(fact, operation, api)
    if 300 <= answer.status < 400:
        return Found(moved=True)
    if answer.status != 200:
        raise _unreadable("search", answer)
    same = next((row for row in rows if chart.same_fact(row, fact)), None)
    return Found(chart.ours(rows, marker_of(proposal.intent)), same)


def _look_at_target(proposal: Proposal, fact: Resource, api: EhrApi) -> Found:
    answer = api.read(proposal.target)
    if 300 <= answer.status < 400:
        return Found(moved=True)
    if answer.status in (404, 410):
        return Found(changed=True, differences=(proposal.target,))
    if answer.status != 200 or not answer.body:
        raise _unreadable("read", answer)
    row, base = answer.body, orjson.loads(proposal.base)
    if not chart.differences(row, fact):
        return Found(same=row)
    if chart.without_carriage(row) == chart.without_carriage(base):
        return NOTHING
    changed = {*chart.differences(row, base), *chart.differences(base, row)}
    return Found(changed=True, differences=tuple(sorted(changed)))


def row_of(proposal: Proposal, fact: Resource, operation: Operation, api: EhrApi) -> Resource | None:
    """The chart's row: by the reference the EHR gave, else by our marker, or by what it says where none survives."""
    if not proposal.filed_ref:
        found = look(proposal, fact, operation, api)
        return found.mine or (None if operation.marker else found.same)
    answer = api.read(proposal.filed_ref)
    if answer.status == 200:
        return answer.body
    if answer.status in (404, 410):
        return None
    raise _unreadable("read", answer)


def location(answer: Answer, resource_type: str) -> str:
    """`Observation/123` by the Location header (FHIR R4 http.html#create) or the body; empty if neither tells."""
    place = next((v for k, v in answer.headers.items() if k.lower() in ("location", "content-location")), "")
    parts = place.split("/_history/")[0].rstrip("/").split("/")
    if resource_type in parts[-2:-1]:
        return f"{resource_type}/{parts[-1]}"
    body = answer.body or {}
    return f"{resource_type}/{body['id']}" if body.get("resourceType") == resource_type and body.get("id") else ""


def _unreadable(what: str, answer: Answer) -> Retry:
    return Retry("send.chart_unreadable", hint=f"{what} answered {answer.status}", after=30)
