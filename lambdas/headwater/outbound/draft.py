"""The bytes that a clinician will be asked to sign: a new row as the EHR takes it, or its own row with changes on it.

Rendered at propose and never again: what is approved is the hash of these bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from headwater.ehrs import Ehr, Operation
from headwater.ehrs.render import Templates, render
from headwater.errors import Refuse, Retry
from headwater.fhir.validate import validate
from headwater.model import Resource, WriteRequest
from headwater.outbound.gates.duplicate import is_hidden
from headwater.outbound.gates.identity import Identity
from headwater.outbound.gates.intent import intent_key
from headwater.outbound.gates.loop import marker_of
from headwater.outbound.gates.ownership import laid_over
from headwater.outbound.gates.subject import subject
from headwater.outbound.policy import Owned
from headwater.ports import EhrApi


@dataclass(frozen=True, slots=True)
class Draft:
    """`fact` is what the chart shall show, `payload` the bytes that say so, the same thing unless `wired`.

    Of an update, `seen` names the version of the row `base` that it is made from, and `changes` the paths it changes.
    """

    intent: str
    fact: Resource
    payload: bytes
    wired: bool = False
    seen: str = ""
    base: bytes = b""
    changes: tuple[str, ...] = ()


def draft_row(request: WriteRequest, ehr: Ehr, operation: Operation, who: Identity, templates: Templates) -> Draft:
    """A new row. Raises Refuse('propose.payload_invalid' | '.requirement_unmet' | '.not_reconcilable')."""
    intent = intent_key(ehr.name, who.patient_ref, request.resource)
    fact, payload = _rendered(request, ehr, operation, who, templates, marker=marker_of(intent))
    _check(fact, operation, ehr, known=frozenset())
    operation.search(fact)  # what could not be found again after a time-out must not be sent
    return Draft(intent, fact, payload, wired=bool(operation.wire))


def draft_change(
    request: WriteRequest,
    ehr: Ehr,
    operation: Operation,
    who: Identity,
    templates: Templates,
    api: EhrApi,
    owned: Owned,
) -> Draft:
    """The EHR's row with the wished elements laid over it, whole. Raises Refuse('propose.row_*' | 'ownership.*')."""
    row = _row(request.updates, api)
    subject(row, who.patient_ref)
    if is_hidden(row):
        hint = "the EHR hides a part of the row; putting it back would write the mask into the chart"
        raise Refuse("propose.row_hidden", place=request.updates, hint=hint)
    seen = ehr.api.precondition.seen(row) if ehr.api else ""
    if not seen:
        hint = "the row names no version, so that an edit in between could not be noticed"
        raise Refuse("propose.row_unversioned", place=request.updates, hint=hint)
    wished, _ = _rendered(request, ehr, operation, who, templates)
    fact, changes = laid_over(row, wished, owned)
    _check(fact, operation, ehr, known=frozenset(issue.path for issue in validate(row)))
    changed = {path.partition(".")[2]: fact[path.partition(".")[2]] for path in changes}
    said = {"resourceType": row["resourceType"], "updates": request.updates, "seen": seen, **changed}
    intent = intent_key(ehr.name, who.patient_ref, said)
    return Draft(intent, fact, orjson.dumps(fact), seen=seen, base=orjson.dumps(row), changes=changes)


def _rendered(
    request: WriteRequest, ehr: Ehr, operation: Operation, who: Identity, templates: Templates, *, marker: str = ""
) -> tuple[Resource, bytes]:
    about = {"patient": who.patient_ref, "person": who.patient, "marker": marker}
    return render(templates, operation, ehr.site, resource=request.resource, **about)  # type: ignore[arg-type]


def _row(reference: str, api: EhrApi) -> Resource:
    answer = api.read(reference)
    if answer.status in (404, 410):
        raise Refuse("propose.row_unknown", place=reference, hint="the EHR has no such row")
    if answer.status != 200 or not answer.body:
        raise Retry("propose.chart_unreadable", hint=f"read answered {answer.status}", after=30)
    return answer.body


def _check(fact: Resource, operation: Operation, ehr: Ehr, *, known: frozenset[str]) -> None:
    """`known` are faults that the EHR's own row has, and may keep."""
    issues = [issue for issue in validate(fact) if issue.path not in known]
    if issues:
        hint = f"{len(issues)} issue(s) in what {operation.template} makes"
        raise Refuse("propose.payload_invalid", place=issues[0].path, hint=hint)
    for path in operation.unmet(fact):
        hint = f"{ehr.name} takes no {fact['resourceType']} without this"
        raise Refuse("propose.requirement_unmet", place=f"{fact['resourceType']}.{path}", hint=hint)
