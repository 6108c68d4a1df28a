"""SaMD: what software has worked out is one more observation for a clinician, with what it rests on, or nothing.

Follows the four criteria of 21 U.S.C. 360j(o)(1)(E) as FDA's guidance on clinical decision support reads them (January
2026). The guard cannot say whether a product is a device: it stops what would make it one, and flags the rest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from headwater.ehrs import Ehr, Operation
from headwater.errors import Refuse
from headwater.model import Resource, WriteRequest
from headwater.outbound.policy import WritePolicy

_NOTE = {"system": "http://loinc.org", "code": "51848-0", "display": "Evaluation note"}
_UNREAD = frozenset({"system", "code", "reference", "id", "resourceType", "unit", "status"})
_ATTACHMENT = "text/plain; charset=utf-8"


def is_score(request: WriteRequest, policy: WritePolicy) -> bool:
    """Whether software has worked it out: it says so, its purpose is named so, or its type is made for that."""
    named = re.search(policy.samd.purposes, request.intent, re.IGNORECASE)
    return bool(request.model or named) or request.resource["resourceType"] == "RiskAssessment"


def samd(request: WriteRequest, policy: WritePolicy) -> None:
    """Raises Refuse('samd.*') for a score that directs, hurries, hides its basis or speaks to the patient."""
    kind = request.resource["resourceType"]
    for text in _texts(request.resource):
        if policy.directives.search(text):
            raise Refuse("samd.directive_text", place=kind, hint="a score states; what to do is a clinician's to say")
        if policy.time_critical.search(text):
            raise Refuse("samd.time_critical", place=kind, hint="what cannot wait for a review must not go this way")
    model = {key: value.strip().lower() for key, value in request.model.items()}
    for name in policy.samd.needs:
        if not model.get(name):
            raise Refuse(
                "samd.basis_missing", place=f"model.{name}", hint="a clinician must be able to judge its basis"
            )
    if model.get("time_critical", "no") not in ("no", "false"):
        raise Refuse("samd.time_critical", place="model.time_critical", hint="time-critical use is a device's")
    if model.get("reader", policy.samd.readers[0]) not in policy.samd.readers or kind == "Communication":
        raise Refuse("samd.patient_facing", place="model.reader", hint="scores are for clinicians only")
    if any(re.search(rf"\b{word}", model.get("inputs", "")) for word in policy.samd.inputs):
        hint = "software that reads images, signals or patterns is a device: ask regulatory counsel"
        raise Refuse("samd.signal_input", place="model.inputs", hint=hint)


def carrier(request: WriteRequest, ehr: Ehr) -> Resource:
    """The score as this EHR can hold it: a preliminary Observation, else a note. Raises Refuse('samd.no_carrier')."""
    resource = request.resource
    as_observation = {**resource, "status": "preliminary", "note": [*resource.get("note", []), *_basis(request)]}
    writes = {kind: operations.create for kind, operations in ehr.write.items() if operations.create}
    observing = writes.get("Observation")
    if observing is not None and _taken(as_observation, observing, "status", "category.coding"):
        return as_observation
    noting = writes.get("DocumentReference")
    if noting is not None and resource["resourceType"] == "Observation":
        notes = [_note(request, status) for status in ("preliminary", "final")]
        return next((note for note in notes if _taken(note, noting, "docStatus")), notes[0])
    hint = "this EHR takes neither a preliminary observation nor a note"
    raise Refuse("samd.no_carrier", place=f"ehrs/{ehr.name}/ehr.toml: write", hint=hint)


def _taken(resource: Resource, operation: Operation, *paths: str) -> bool:
    """Whether the EHR takes it in this state and category."""
    kind = resource["resourceType"]
    asked = [one for one in operation.require if one.path in paths]
    return kind in ("Observation", "DocumentReference") and all(one.holds(resource) for one in asked)


def _basis(request: WriteRequest) -> list[Resource]:
    """What the score rests on, in the words of who made it (170.315(b)(11): source attributes)."""
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in sorted(request.model.items())]
    return [{"text": "Worked out by software; not reviewed by its maker for this patient. " + "; ".join(lines)}]


def _note(request: WriteRequest, status: str) -> Resource:
    """As US Core 9's clinical notes pages show it for a risk score: text, for the EHR takes final results only."""
    resource = request.resource
    quantity = resource.get("valueQuantity", {})
    concept = resource.get("code", {})
    name = concept.get("text") or next((one.get("display", "") for one in concept.get("coding", [])), "")
    value = f"{quantity.get('value', resource.get('valueString', ''))} {quantity.get('unit', '')}".strip()
    text = f"{name or 'Score'}: {value} ({resource.get('effectiveDateTime', '')})\n{_basis(request)[0]['text']}\n"
    attachment = {
        "contentType": _ATTACHMENT,
        "data": base64.b64encode(text.encode()).decode(),
        "title": name or "Score",
    }
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": status,
        "type": {"coding": [_NOTE]},
        "subject": resource.get("subject", {}),
        "date": resource.get("effectiveDateTime", ""),
        "content": [{"attachment": attachment}],
        "context": {"period": {"end": resource.get("effectiveDateTime", "")}},
    }


def _texts(value: object) -> Iterator[str]:
    """Every string a person would read; codes and addresses are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in _UNREAD or isinstance(inner, dict):
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
