"""propose: a wish becomes a proposal that a clinician can sign, or is refused with a code that says why.

The gates come first, in order of cost; then the EHR's outbound template renders the very bytes that will be sent. What
the clinician approves is the hash of these bytes: nothing is rendered again later.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from headwater.ehrs import Ehr, Operation
from headwater.errors import Refuse, Retry
from headwater.fhir.validate import validate
from headwater.formats import write_request
from headwater.model import Proposal, ProposalState, Resource, WriteRequest
from headwater.outbound import chart
from headwater.outbound.gates.concept import concept
from headwater.outbound.gates.identity import Identity, identity
from headwater.outbound.gates.intent import intent_key
from headwater.outbound.gates.loop import loop, marker_of
from headwater.outbound.gates.surface import surface
from headwater.persons.policy import MatchingPolicy
from headwater.ports import AuditLog, Clock, EhrApi, EhrApis, PersonIndex, Proposals, Watch
from headwater.templates.engine import Engine

LIFETIME = timedelta(hours=72)  # a sign-off is of a situation; after this the situation is another


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """The step with its ports filled."""

    ehrs: Mapping[str, Ehr]
    engine_for: Callable[[Ehr], Engine]
    apis: EhrApis
    index: PersonIndex
    policy: MatchingPolicy
    proposals: Proposals
    audit: AuditLog
    watch: Watch
    clock: Clock

    def __call__(self, body: str) -> Proposal:
        """Take one write request; gives the ledger's row, new or known, in whatever state it is.

        Raises Refuse only for a body that is no write request: there is nothing yet that could be kept.
        """
        started = time.perf_counter()
        proposal = self._decide(write_request.parse(body))
        milliseconds = (time.perf_counter() - started) * 1000
        code = proposal.reason.partition(" ")[0]
        self.watch.note("propose", proposal.state.value.lower(), milliseconds=milliseconds, ehr=proposal.ehr, code=code)
        return proposal

    def _decide(self, request: WriteRequest) -> Proposal:
        wish = self._wish(request)
        try:
            proposal, payload, operation, api = self._examine(request, wish)
        except Refuse as refusal:
            return self._refuse(wish, f"{refusal.code} at {refusal.place}: {refusal.hint}")
        known = self.proposals.get(proposal.intent)
        if known is not None:
            return known
        if _already_there(payload, operation, api):
            proposal = replace(proposal, state=ProposalState.ALREADY_PRESENT, reason="propose.same_fact_in_chart")
        self._supersede_refusal(wish)
        return self._keep(proposal)

    def _examine(self, request: WriteRequest, wish: Proposal) -> tuple[Proposal, Resource, Operation, EhrApi]:
        loop(request)
        ehr, operation = surface(self.ehrs, request.to, request.resource["resourceType"])
        concept(request.resource)
        api = self.apis(ehr.name)
        who = identity(request.person_id, request.origin_ehr, ehr, index=self.index, api=api, policy=self.policy)
        intent = intent_key(ehr.name, who.patient_ref, request.resource)
        payload, as_sent = self._render(request, ehr, operation, who, intent)
        proposal = replace(
            wish,
            intent=intent,
            state=ProposalState.PROPOSED,
            payload=as_sent,
            payload_hash=hashlib.sha256(as_sent).hexdigest(),
            fact=orjson.dumps(payload) if operation.wire else b"",
            patient_ref=who.patient_ref,
            link=who.link,
            confidence=who.grade.confidence,
            evidence=who.grade.evidence,
        )
        return proposal, payload, operation, api

    def _render(
        self, request: WriteRequest, ehr: Ehr, operation: Operation, who: Identity, intent: str
    ) -> tuple[Resource, bytes]:
        """What the chart shall show, and the bytes that tell it."""
        engine = self.engine_for(ehr)
        variables = {
            "resource": request.resource,
            "patient": who.patient_ref,
            "marker": marker_of(intent) if operation.marker else "",
            "person": who.patient,
            "site": ehr.site,
        }
        payload: Resource = engine.build(operation.template, variables)
        issues = validate(payload)
        if issues:
            hint = f"{len(issues)} issue(s) in what {operation.template} makes"
            raise Refuse("propose.payload_invalid", place=issues[0].path, hint=hint)
        for path in operation.unmet(payload):
            hint = f"{ehr.name} takes no {payload['resourceType']} without this"
            raise Refuse("propose.requirement_unmet", place=f"{payload['resourceType']}.{path}", hint=hint)
        wire = engine.build(operation.wire, {**variables, "resource": payload}) if operation.wire else payload
        return payload, operation.encoding.bytes_of(wire)

    def _refuse(self, wish: Proposal, reason: str) -> Proposal:
        """A refusal is a row too; the same again changes nothing, another reason replaces it."""
        refused = replace(wish, reason=reason)
        known = self.proposals.get(wish.intent)
        if known is None:
            return self._keep(refused)
        if known.state is not ProposalState.REFUSED or known.reason == reason:
            return known
        self._record(refused)
        refused = replace(refused, version=known.version + 1)
        self.proposals.move(refused, expected_version=known.version)
        return refused

    def _keep(self, proposal: Proposal) -> Proposal:
        """Audit first, then the row."""
        self._record(proposal)
        if not self.proposals.add(proposal):
            raise Retry("ledger.conflict", hint="another worker proposed the same; look again", after=1)
        return proposal

    def _record(self, proposal: Proposal) -> None:
        self.audit.append(
            proposal.intent,
            {
                "event": "proposed",
                "state": proposal.state.value,
                "at": proposal.created_at,
                "ehr": proposal.ehr,
                "payload": proposal.payload_hash,
                "origin": f"{proposal.origin_ehr} {proposal.origin_ref}",
                "reason": proposal.reason,
            },
        )

    def _supersede_refusal(self, wish: Proposal) -> None:
        """What was refused and is now mended goes on as a proposal; the refusal is not left standing."""
        refused = self.proposals.get(wish.intent)
        if refused is not None and refused.state is ProposalState.REFUSED:
            mended = replace(refused, state=ProposalState.SUPERSEDED, version=refused.version + 1)
            self.proposals.move(mended, expected_version=refused.version)

    def _wish(self, request: WriteRequest) -> Proposal:
        """A row for what is not examined yet. Its key is the wish's, for the patient at the EHR is not known yet."""
        now: datetime = self.clock()
        return Proposal(
            intent=intent_key(request.to, f"person {request.person_id}", request.resource),
            state=ProposalState.REFUSED,
            ehr=request.to,
            resource_type=request.resource["resourceType"],
            payload=b"",
            payload_hash="",
            person_id=request.person_id,
            patient_ref="",
            link="",
            confidence=0.0,
            evidence=(),
            origin_ehr=request.origin_ehr,
            origin_ref=request.origin_ref,
            purpose=request.intent,
            created_at=now.isoformat(),
            expires_at=(now + LIFETIME).isoformat(),
        )


def _already_there(payload: Resource, operation: Operation, api: EhrApi) -> bool:
    answer, rows = chart.rows_like(payload, operation, api)
    if answer.status != 200:
        raise Retry("propose.chart_unreadable", hint=f"search answered {answer.status}", after=30)
    return any(chart.same_fact(row, payload) for row in rows)
