"""Answers that are not FHIR's, told as FHIR would: what a vendor's record or an operation's Bundle says of one write.

Status, Location and OperationOutcome are what the retry table reads (`headwater.ehrs.reactions`). A 200 that holds a
refusal becomes the refusal; a 200 that says only "queued" becomes a 202, which is not filed until it can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headwater.ehrs import AnswerBody, Api, Operation, values
from headwater.model import Answer, Resource

_ACCEPTED = 202


def as_fhir(answer: Answer, operation: Operation, resource_type: str, api: Api, *, id_prefix: str = "") -> Answer:
    """The answer to one write in FHIR's terms; anything but a 2xx is left as it came, its errors made readable.

    `id_prefix` goes before the row's id where the vendor's ids are good below a patient only.
    """
    if operation.answer_body is AnswerBody.BUNDLE:
        return _of_bundle(answer, resource_type)
    if operation.answer_body is AnswerBody.RECORD:
        return _of_record(answer, operation, resource_type, api, id_prefix)
    return answer


# ----------------------------------------------------------------------------------------------------------- Bundles


def _of_bundle(answer: Answer, resource_type: str) -> Answer:
    """What the entries say: the first refusal counts, else the new row's place (FHIR R4 bundle.html#response)."""
    body = answer.body or {}
    if not 200 <= answer.status < 300 or body.get("resourceType") == "OperationOutcome":
        return answer
    for entry in body.get("entry", []):
        response = entry.get("response", {})
        if refused := _refusal(response, entry.get("resource", {})):
            return replace(answer, status=refused[0], body=refused[1])
    if location := next(_locations(body, resource_type), ""):
        return Answer(201, {**answer.headers, "Location": location}, None, answer.sent, answer.milliseconds)
    return replace(answer, status=_ACCEPTED)


def _refusal(response: Resource, resource: Resource) -> tuple[int, Resource] | None:
    """Status and outcome of an entry that was not done."""
    outcome = response.get("outcome") or (resource if resource.get("resourceType") == "OperationOutcome" else {})
    said = str(response.get("status", ""))[:3]
    status = int(said) if said.isdecimal() else 0
    if status >= 300:
        return status, outcome
    return (200, outcome) if {"error", "fatal"} & set(values(outcome, "issue.severity")) else None


def _locations(body: Resource, resource_type: str) -> Iterator[str]:
    for entry in body.get("entry", []):
        location = str(entry.get("response", {}).get("location", ""))
        if resource_type in location.split("/_history/")[0].split("/")[-2:-1]:
            yield location


# ----------------------------------------------------------------------------------------------------------- records


def _of_record(answer: Answer, operation: Operation, resource_type: str, api: Api, id_prefix: str) -> Answer:
    body = answer.body or {}
    if body.get("resourceType") == "OperationOutcome":
        return answer
    if not 200 <= answer.status < 300:
        return replace(answer, body=_outcome(body, api))
    if operation.taken and not operation.taken.holds(body):
        return replace(answer, body=_outcome(body, api))
    row_id = next((str(value) for value in values(body, operation.row_id) if value not in (None, "")), "")
    if not operation.row_id or not row_id:
        return replace(answer, body=None)
    location = f"{resource_type}/{id_prefix}{row_id}"
    return Answer(answer.status, {**answer.headers, "Location": location}, None, answer.sent, answer.milliseconds)


def _outcome(body: Resource, api: Api) -> Resource:
    """A vendor's error as an OperationOutcome: its code and its words, where the profile says that they stand."""
    codes = [str(value) for value in values(body, api.error_code)] if api.error_code else []
    texts = [str(value) for value in values(body, api.error_text)] if api.error_text else []
    issue: Resource = {"severity": "error", "code": "processing"}
    if codes:
        issue["details"] = {"coding": [{"code": code} for code in codes]}
    if texts:
        issue["diagnostics"] = "; ".join(texts)
    return {"resourceType": "OperationOutcome", "issue": [issue]}
