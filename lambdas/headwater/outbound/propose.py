"""propose: a wish becomes a proposal that a clinician can sign, or is refused with a code that says why.

The gates come first, in order of cost: what the request itself says, what was told before, who the patient is, what the
chart says. Then the bytes are made that a clinician signs, by their hash; nothing is rendered again later.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from headwater.ehrs import Ehr, Operation
from headwater.errors import Refuse, Retry
from headwater.formats import write_request
from headwater.model import Proposal, ProposalState, Resource, WriteRequest
from headwater.outbound import chart
from headwater.outbound.braked import BrakedApi
from headwater.outbound.draft import Draft, draft_change, draft_row
from headwater.outbound.gates.alert import alert, interruptive
from headwater.outbound.gates.concept import FINAL, REVISED, SCORED, concept
from headwater.outbound.gates.content import content
from headwater.outbound.gates.duplicate import Likeness, duplicate
from headwater.outbound.gates.identity import Identity, identity
from headwater.outbound.gates.intent import fingerprint, intent_key
from headwater.outbound.gates.loop import echo, loop
from headwater.outbound.gates.ownership import ownership
from headwater.outbound.gates.samd import carrier, is_score, samd
from headwater.outbound.gates.subject import subject
from headwater.outbound.gates.surface import known_ehr, surface
from headwater.outbound.ledger import ASKED_AGAIN, Ledger
from headwater.outbound.policy import WritePolicy
from headwater.outbound.terms import Terms
from headwater.persons.policy import MatchingPolicy
from headwater.ports import AuditLog, Brakes, Clock, EhrApis, Notices, PersonIndex, Proposals, Watch
from headwater.templates.engine import Engine

# Somebody must be told of these at once: data is about to be put on a wrong patient, or would have been.
INCIDENTS = frozenset({"subject.mismatch", "identity.other_identifier"})
_SETTLED = frozenset(
    {ProposalState.REFUSED, ProposalState.REJECTED, ProposalState.EXPIRED, ProposalState.SUPERSEDED,
     ProposalState.FAILED, ProposalState.COMPENSATED}
)  # fmt: skip


class _Screened(NamedTuple):
    """A wish that passed the gates that need no EHR. `history` are the rows about the same thing, the newest first;
    `repeats` is the one for this EHR that says the very same. `fingerprint` is that of the fact as it was asked for."""

    request: WriteRequest
    ehr: Ehr
    operation: Operation
    history: Sequence[Proposal]
    repeats: Proposal | None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """The step with its ports filled."""

    ehrs: Mapping[str, Ehr]
    engine_for: Callable[[Ehr], Engine]
    apis: EhrApis
    index: PersonIndex
    policy: MatchingPolicy
    rules: WritePolicy
    terms: Terms
    proposals: Proposals
    brakes: Brakes
    audit: AuditLog
    notices: Notices
    watch: Watch
    clock: Clock

    def __call__(self, body: str) -> Proposal:
        """Take one write request; gives the ledger's row, new or known, in whatever state it is.

        Raises Refuse only for a body that is no write request: there is nothing yet that could be kept.
        """
        started = time.perf_counter()
        proposal = self._decide(write_request.parse(body), body)
        milliseconds = (time.perf_counter() - started) * 1000
        code = proposal.reason.partition(" ")[0]
        self.watch.note("propose", proposal.state.value.lower(), milliseconds=milliseconds, ehr=proposal.ehr, code=code)
        return proposal

    def _decide(self, request: WriteRequest, body: str) -> Proposal:
        wish = self._wish(request, body)
        try:
            screened = self._screen(request)
            return screened.repeats or self._examine(screened, wish)
        except Refuse as refusal:
            return self._refuse(wish, refusal)

    # ------------------------------------------------------------------------------------------- gates without an EHR

    def _screen(self, request: WriteRequest) -> _Screened:
        loop(request)
        ehr = known_ehr(self.ehrs, request.to)
        subject(request.resource, f"Patient/{request.person_id}")
        said = {key: value for key, value in request.resource.items() if key != "text"}  # a narrative is never sent
        content(said, len(orjson.dumps(said)), self.rules)
        interruptive(request.resource, self.rules)
        self._refuse_strange_withdrawal(request)
        mark = self._fingerprint(request)
        history = self.proposals.alike(mark)
        repeats = None
        if is_score(request, self.rules):
            samd(request, self.rules)
            score = self.rules.score_of(request.intent, chart.codes_of(request.resource))
            alert(request.resource, request.to, history, score, self.clock())
            request = replace(request, resource=carrier(request, ehr))
            concept(request.resource, self.terms, states=SCORED)
        elif not request.updates:
            concept(request.resource, self.terms, states=FINAL)
            told = [one for one in history if _says(one, request.resource)]
            echo(request, told)
            repeats = _repeated(request, told)
            ownership(request.resource["resourceType"])
        operation = surface(ehr, request.resource["resourceType"], request.updates)
        return _Screened(request, ehr, operation, history, repeats, mark)

    def _refuse_strange_withdrawal(self, request: WriteRequest) -> None:
        """A withdrawal marks its own row, which was filed by us, and no other."""
        if not request.withdraws:
            return
        filed = self.proposals.get(request.withdraws)
        if filed is None or (filed.ehr, chart.tail(filed.filed_ref)) != (request.to, request.updates):
            raise Refuse("propose.withdrawal_unknown", place="withdraws", hint="that write-back filed no such row")

    def _fingerprint(self, request: WriteRequest) -> str:
        """A score and a row that is changed have a history; any other fact has its instant."""
        timeless = is_score(request, self.rules) or bool(request.updates)
        return fingerprint(request.person_id, request.resource, timeless=timeless)

    # --------------------------------------------------------------------------------------------- gates with the EHR

    def _examine(self, screened: _Screened, wish: Proposal) -> Proposal:
        request, ehr, operation, history, _, mark = screened
        brake = self.brakes.look(ehr.name, (), self.clock())
        if brake.closed_s:
            raise Retry("propose.ehr_closed", place=ehr.name, after=int(brake.closed_s) + 1)
        api = BrakedApi(self.apis(ehr.name), ehr, self.brakes, self.rules.budget, self.clock, brake)
        who = identity(request.person_id, request.origin_ehr, ehr, index=self.index, api=api, policy=self.policy)
        templates = self.engine_for(ehr)
        if request.updates:
            owned = self.rules.owned_of(request.resource["resourceType"])
            draft = draft_change(request, ehr, operation, who, templates, api, owned)
            if draft.fact["resourceType"] == "Observation":
                concept(draft.fact, self.terms, states=REVISED)
        else:
            draft = draft_row(request, ehr, operation, who, templates)
        subject(draft.fact, who.patient_ref)
        content(draft.fact, len(draft.payload), self.rules)
        known = self.proposals.get(draft.intent)
        if known is not None and not _may_begin_again(known):
            return known
        likeness = Likeness() if request.updates else duplicate(draft.fact, operation, api, self.terms)
        proposal = replace(self._proposal(wish, request, draft, who, likeness), fingerprint=mark)
        self._supersede(wish, history, proposal)
        return self._ledger.add(proposal) if known is None else self._ledger.renew(proposal, known)

    def _proposal(
        self, wish: Proposal, request: WriteRequest, draft: Draft, who: Identity, likeness: Likeness
    ) -> Proposal:
        tier = self.rules.tier_of(draft.fact)
        there = likeness.same or (bool(request.updates) and not draft.changes)
        return replace(
            wish,
            intent=draft.intent,
            state=ProposalState.ALREADY_PRESENT if there else ProposalState.PROPOSED,
            reason="propose.same_fact_in_chart" if there else "",
            resource_type=draft.fact["resourceType"],
            payload=draft.payload,
            payload_hash=hashlib.sha256(draft.payload).hexdigest(),
            fact=orjson.dumps(draft.fact) if draft.wired else b"",
            patient_ref=who.patient_ref,
            link=who.link,
            confidence=who.grade.confidence,
            evidence=who.grade.evidence,
            target=request.updates,
            seen=draft.seen,
            base=draft.base,
            changes=draft.changes,
            tier=tier.name,
            approvers=max(tier.approvers, 2 if likeness.flags else 1),
            flags=likeness.flags,
            alike=likeness.rows,
            expires_at=(datetime.fromisoformat(wish.created_at) + timedelta(hours=tier.expires_h)).isoformat(),
        )

    # ------------------------------------------------------------------------------------------------------ the ledger

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.proposals, self.audit, self.clock)

    def _refuse(self, wish: Proposal, refusal: Refuse) -> Proposal:
        """A refusal is a row too; the same again changes nothing, another reason replaces it."""
        refused = replace(wish, reason=f"{refusal.code} at {refusal.place}: {refusal.hint}")
        known = self.proposals.get(wish.intent)
        if known is not None and (known.state is not ProposalState.REFUSED or known.reason == refused.reason):
            return known
        if refusal.code in INCIDENTS:
            self.notices.tell("safety", f"Headwater: {refusal.code}", [f"{wish.ehr} {wish.intent} at {refusal.place}"])
            self.watch.note("alert", refusal.code, ehr=wish.ehr, intent=wish.intent)
        return self._ledger.add(refused) if known is None else self._ledger.renew(refused, known)

    def _supersede(self, wish: Proposal, history: Sequence[Proposal], proposal: Proposal) -> None:
        """What a newer wish takes the place of is not left standing: a refusal that is mended now, an older value of
        the same fact, an older change of the same row."""
        refused = self.proposals.get(wish.intent)
        if refused is not None and refused.state is ProposalState.REFUSED:
            self._ledger.move(refused, ProposalState.SUPERSEDED, who="propose", reason="propose.mended")
        for older in history:
            same_source = (older.origin_ehr, older.origin_ref) == (proposal.origin_ehr, proposal.origin_ref)
            if same_source and older.ehr == proposal.ehr and older.state is ProposalState.PROPOSED:
                self._ledger.move(older, ProposalState.SUPERSEDED, who="propose", reason="propose.newer_fact")

    def _wish(self, request: WriteRequest, body: str) -> Proposal:
        """A row for what is not examined yet. Its key is the wish's, for the patient at the EHR is not known yet."""
        now: datetime = self.clock()
        wished = {**request.resource, "updates": request.updates} if request.updates else request.resource
        return Proposal(
            intent=intent_key(request.to, f"person {request.person_id}", wished),
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
            expires_at=now.isoformat(),
            author=request.author,
            withdraws=request.withdraws,
            request=body,
        )


def _says(one: Proposal, resource: Resource) -> bool:
    return bool(one.payload) and chart.same_value(orjson.loads(one.fact or one.payload), resource)


def _repeated(request: WriteRequest, told: Iterable[Proposal]) -> Proposal | None:
    """The row of this very fact for this EHR, under whatever unit it was told; only a fact with its instant is one."""
    if chart.instant_of(request.resource) is None:
        return None
    return next((one for one in told if one.ehr == request.to and one.state not in _SETTLED), None)


def _may_begin_again(known: Proposal) -> bool:
    """Whether a row that is over gives way to the same wish: it ran out of time, or a reviewer asked for it anew."""
    if known.state is ProposalState.SUPERSEDED:
        return known.reason == ASKED_AGAIN
    return known.state in (ProposalState.EXPIRED, ProposalState.REFUSED)
