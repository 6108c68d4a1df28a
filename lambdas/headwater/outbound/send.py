"""send: approved bytes reach the chart once, whatever times out, and are proven by reading them back.

State is written before bytes leave. A sender that dies in between leaves SENDING behind; who comes next looks into the
chart first and resends at most once, after the EHR's longest time to commit. FILED means read back and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from headwater.ehrs import Ehr, Next, Operation, Reaction
from headwater.errors import Refuse, Retry
from headwater.model import Answer, Proposal, ProposalState, Resource
from headwater.outbound import chart
from headwater.outbound.gates.identity import identity
from headwater.outbound.gates.loop import marker_of
from headwater.outbound.gates.surface import surface
from headwater.persons.policy import MatchingPolicy
from headwater.ports import AuditLog, Clock, EhrApi, EhrApis, PersonIndex, Proposals, Watch

MOST_ATTEMPTS = 2
PATIENCE_FOR_APPROVAL = 8  # tries of five seconds: longer than an API call may take to write its decision
LONGEST_WAIT_S = 3600  # SQS would allow 12 hours; an EHR that is back should not wait that long for us


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The step with its ports filled."""

    ehrs: Mapping[str, Ehr]
    apis: EhrApis
    index: PersonIndex
    policy: MatchingPolicy
    proposals: Proposals
    audit: AuditLog
    watch: Watch
    clock: Clock

    def __call__(self, intent: str, *, receives: int = 1) -> Proposal:
        """Move one proposal as far as it goes now; raises Retry with the seconds to wait when it is not final yet.

        `receives` counts the queue's tries. A message may come before its approval (`outbound.review` says why); one
        whose approval never came is let go.
        """
        proposal = self.proposals.get(intent)
        if proposal is None:
            raise Refuse("send.unknown", place="intent", hint="there is no such proposal")
        if proposal.state.final:
            return proposal
        if proposal.state is ProposalState.PROPOSED:
            if receives > PATIENCE_FOR_APPROVAL:
                return proposal
            raise Retry("send.not_yet_approved", place=intent, after=5)
        ehr, operation = surface(self.ehrs, proposal.ehr, proposal.resource_type)
        api = self.apis(ehr.name)
        match proposal.state:
            case ProposalState.APPROVED:
                return self._first_try(proposal, ehr, operation, api)
            case ProposalState.SENDING if self.clock().isoformat() < proposal.lease_until:
                raise Retry("send.leased", place=intent, after=int(lease_of(ehr).total_seconds()))
            case ProposalState.ACCEPTED_BY_EHR:
                return self._read_back(proposal, operation, api)
            case _:
                return self._verify(proposal, ehr, operation, api)

    # ------------------------------------------------------------------------------------------------ before bytes

    def _first_try(self, proposal: Proposal, ehr: Ehr, operation: Operation, api: EhrApi) -> Proposal:
        """The last questions, with the chart as it is now: in time, the same patient, not there already?"""
        objection = self._objection(proposal, ehr, api)
        if objection is not None:
            return self._move(proposal, objection[0], reason=objection[1])
        looked = self._look(proposal, operation, api)
        if looked is None:
            return self._move(proposal, ProposalState.NEEDS_HUMAN, reason="send.patient_moved")
        payload, rows = looked
        mine = chart.ours(rows, marker_of(proposal.intent))
        if mine is not None:  # the ledger was restored from before the write: adopt the row, write nothing
            return self._adopt(proposal, mine, operation, api)
        if any(chart.same_fact(row, payload) for row in rows):
            return self._move(proposal, ProposalState.ALREADY_PRESENT, reason="send.same_fact_in_chart")
        return self._write(proposal, ehr, operation, api)

    def _objection(self, proposal: Proposal, ehr: Ehr, api: EhrApi) -> tuple[ProposalState, str] | None:
        """Why these bytes must not leave now, first time or again: too late, or not certainly the same patient."""
        if self.clock().isoformat() >= proposal.expires_at:
            return ProposalState.EXPIRED, "send.expired"
        try:
            who = identity(proposal.person_id, proposal.origin_ehr, ehr, index=self.index, api=api, policy=self.policy)
        except Refuse as refusal:
            return ProposalState.NEEDS_HUMAN, refusal.code
        if (who.link, who.patient_ref) != (proposal.link, proposal.patient_ref):
            return ProposalState.NEEDS_HUMAN, "send.identity_changed"
        return None

    def _look(self, proposal: Proposal, operation: Operation, api: EhrApi) -> tuple[Resource, list[Resource]] | None:
        """The payload and the chart's rows like it; None when the EHR points elsewhere, for the patient was merged."""
        payload: Resource = orjson.loads(proposal.fact or proposal.payload)
        answer, rows = chart.rows_like(payload, operation, api)
        if 300 <= answer.status < 400:
            return None
        if answer.status != 200:
            raise self._unreadable(proposal, "search", answer)
        return payload, rows

    def _unreadable(self, proposal: Proposal, what: str, answer: Answer) -> Retry:
        hint = f"{what} answered {answer.status}"
        after = self._patience(proposal.decided_at, least=30)
        return Retry("send.chart_unreadable", place=proposal.ehr, hint=hint, after=after)

    def _patience(self, since: str, *, least: int) -> int:
        """Seconds until the next look: as long again as it has lasted already, up to an hour. The twenty looks that
        the queue allows so last through a night."""
        lasted = (self.clock() - datetime.fromisoformat(since)).total_seconds()
        return int(min(max(lasted, least), LONGEST_WAIT_S))

    # ------------------------------------------------------------------------------------------------------- bytes

    def _write(self, proposal: Proposal, ehr: Ehr, operation: Operation, api: EhrApi) -> Proposal:
        now = self.clock()
        proposal = self._move(
            proposal,
            ProposalState.SENDING,
            attempts=proposal.attempts + 1,
            sent_at=now.isoformat(),
            lease_until=(now + lease_of(ehr)).isoformat(),
        )
        answer = api.create(proposal.resource_type, proposal.payload, patient=proposal.patient_ref)
        reaction = ehr.react(answer, operation)
        self.watch.note(
            "send", reaction.next.value, milliseconds=answer.milliseconds, ehr=proposal.ehr, status=answer.status
        )
        return self._after(reaction, answer, proposal, operation, api)

    def _after(
        self, reaction: Reaction, answer: Answer, proposal: Proposal, operation: Operation, api: EhrApi
    ) -> Proposal:
        said = " ".join((f"send.{reaction.next}", str(answer.status), *reaction.codes))
        match reaction.next:
            case Next.READ_BACK:
                reference = _location(answer, proposal.resource_type)
                accepted = self._move(proposal, ProposalState.ACCEPTED_BY_EHR, filed_ref=reference, reason=said)
                return self._read_back(accepted, operation, api)
            case Next.VERIFY | Next.COMPARE:
                # Where the EHR says that it has the row already, a resend is out of the question.
                attempts = MOST_ATTEMPTS if reaction.next is Next.COMPARE else proposal.attempts
                self._move(proposal, ProposalState.OUTCOME_UNKNOWN, reason=said, attempts=attempts)
                raise Retry("send.outcome_unknown", place=proposal.ehr, after=min(30, operation.max_commit_window_s))
            case Next.RESEND | Next.WAIT:
                # Nothing was looked at over there, so that this was no attempt.
                self._move(proposal, ProposalState.APPROVED, attempts=proposal.attempts - 1, reason=said)
                wait_s = min(reaction.wait_s or self._patience(proposal.decided_at, least=30), LONGEST_WAIT_S)
                raise Retry(f"send.{reaction.next}", place=proposal.ehr, after=wait_s)
            case Next.FAIL:
                return self._move(proposal, ProposalState.FAILED, reason=said)
            case Next.REVIEW | Next.STEWARD:
                return self._move(proposal, ProposalState.NEEDS_HUMAN, reason=said)

    # ------------------------------------------------------------------------------------------------- after bytes

    def _verify(self, proposal: Proposal, ehr: Ehr, operation: Operation, api: EhrApi) -> Proposal:
        """Nobody knows whether the row is there: look; resend only once the EHR cannot be committing any more."""
        looked = self._look(proposal, operation, api)
        if looked is None:
            return self._move(proposal, ProposalState.NEEDS_HUMAN, reason="send.patient_moved")
        payload, rows = looked
        mine = chart.ours(rows, marker_of(proposal.intent))
        same = next((row for row in rows if chart.same_fact(row, payload)), None)
        if mine is None and same is not None and operation.marker:  # somebody else's row: ours would bear the marker
            return self._move(proposal, ProposalState.ALREADY_PRESENT, reason="send.same_fact_in_chart")
        if row := mine or same:
            return self._adopt(proposal, row, operation, api)
        window_ends = datetime.fromisoformat(proposal.sent_at) + timedelta(seconds=operation.max_commit_window_s)
        left = (window_ends - self.clock()).total_seconds()
        if left > 0:
            if proposal.state is not ProposalState.OUTCOME_UNKNOWN:
                self._move(proposal, ProposalState.OUTCOME_UNKNOWN, reason="send.sender_died")
            raise Retry("send.outcome_unknown", place=proposal.ehr, after=int(min(60, left)) + 1)
        # It may be there all the same: what must not be sent again is for a person to look into.
        if proposal.attempts >= MOST_ATTEMPTS or self._objection(proposal, ehr, api) is not None:
            return self._move(proposal, ProposalState.NEEDS_HUMAN, reason="send.outcome_not_provable")
        return self._write(proposal, ehr, operation, api)

    def _adopt(self, proposal: Proposal, row: Resource, operation: Operation, api: EhrApi) -> Proposal:
        reference = f"{row['resourceType']}/{row['id']}"
        found = self._move(proposal, ProposalState.ACCEPTED_BY_EHR, filed_ref=reference, reason="send.found_in_chart")
        return self._read_back(found, operation, api)

    def _read_back(self, proposal: Proposal, operation: Operation, api: EhrApi) -> Proposal:
        payload: Resource = orjson.loads(proposal.fact or proposal.payload)
        row = self._row(proposal, operation, api)
        if row is None:
            since = proposal.sent_at or proposal.decided_at
            if self.clock() < datetime.fromisoformat(since) + timedelta(seconds=operation.verify_within_s):
                raise Retry("send.not_readable_yet", place=proposal.ehr, after=self._patience(since, least=15))
            return self._move(proposal, ProposalState.NEEDS_HUMAN, reason="send.not_in_chart")
        differences = chart.differences(row, payload)
        # What the profile says the EHR drops was known to the reviewer; startswith(()) is False.
        lost = tuple(path for path in differences if not path.startswith(operation.losses))
        filed_ref = f"{row['resourceType']}/{row['id']}"
        if any(chart.is_safety(path) for path in lost):
            return self._move(
                proposal, ProposalState.NEEDS_HUMAN, reason="send.chart_differs", differences=lost, filed_ref=filed_ref
            )
        return self._move(
            proposal, ProposalState.FILED, reason="send.read_back", differences=differences, filed_ref=filed_ref
        )

    def _row(self, proposal: Proposal, operation: Operation, api: EhrApi) -> Resource | None:
        """The chart's row: by the reference the EHR gave, else by our marker."""
        if proposal.filed_ref:
            answer = api.read(proposal.filed_ref)
            if answer.status == 200:
                return answer.body
            if answer.status in (404, 410):
                return None
            raise self._unreadable(proposal, "read", answer)
        _, rows = self._look(proposal, operation, api) or ({}, [])
        return chart.ours(rows, marker_of(proposal.intent))

    def _move(self, proposal: Proposal, state: ProposalState, **changes: object) -> Proposal:
        """Audit first, then the ledger: what cannot be recorded does not happen."""
        moved: Proposal = replace(proposal, state=state, version=proposal.version + 1, **changes)  # type: ignore[arg-type]
        self.audit.append(
            moved.intent,
            {
                "event": state.value.lower(),
                "at": self.clock().isoformat(),
                "who": "send",
                "attempt": moved.attempts,
                "payload": moved.payload_hash,
                "reason": moved.reason,
                "filed": moved.filed_ref,
            },
        )
        self.proposals.move(moved, expected_version=proposal.version)
        return moved


def lease_of(ehr: Ehr) -> timedelta:
    """How long a sender alone has the intent once its bytes may leave: a token, then the write, each at its slowest."""
    slowest = ehr.api.connect_timeout_s + ehr.api.read_timeout_s if ehr.api else 0.0
    return timedelta(seconds=2 * slowest + 10)


def _location(answer: Answer, resource_type: str) -> str:
    """`Observation/123` by the Location header (FHIR R4 http.html#create) or the body; empty if neither tells."""
    location = next((v for k, v in answer.headers.items() if k.lower() in ("location", "content-location")), "")
    parts = location.split("/_history/")[0].rstrip("/").split("/")
    if resource_type in parts[-2:-1]:
        return f"{resource_type}/{parts[-1]}"
    body = answer.body or {}
    return f"{resource_type}/{body['id']}" if body.get("resourceType") == resource_type and body.get("id") else ""
