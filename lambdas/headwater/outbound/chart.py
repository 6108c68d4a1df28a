"""What is in an EHR's chart, compared with what we mean to write, or wrote.

Asked at propose, before a resend and after every write: is this fact already there, and does the row say what the
clinician signed?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from headwater.ehrs import Operation
from headwater.fhir import ucum
from headwater.model import Answer, Resource
from headwater.outbound.gates.loop import carries
from headwater.ports import EhrApi

# If one of these is lost or changed, the row says something else than what was signed: an incident, not a loss.
SAFETY_ELEMENTS = ("status", "subject", "patient", "code", "value", "effective", "component", "clinicalStatus",
                   "verificationStatus", "medication", "dosage", "docStatus", "content")  # fmt: skip
CODED_BY = ("code", "medicationCodeableConcept", "vaccineCode", "type")
TIMED_BY = ("effectiveDateTime", "performedDateTime", "occurrenceDateTime", "date")
_OVER = ("entered-in-error", "cancelled", "not-done")


def rows_like(resource: Resource, operation: Operation, api: EhrApi) -> tuple[Answer, list[Resource]]:
    """The EHR's rows that the profile's reconcile search finds for this resource."""
    answer = api.search(resource["resourceType"], operation.search(resource))
    return answer, rows_of(answer, resource["resourceType"])


def rows_of(answer: Answer, resource_type: str) -> list[Resource]:
    """The resources of a searchset; none of an answer that is no success."""
    entries = (answer.body or {}).get("entry", []) if answer.status == 200 else []
    rows = [entry["resource"] for entry in entries if isinstance(entry.get("resource"), dict)]
    return [row for row in rows if row.get("resourceType") == resource_type]


def ours(rows: Iterable[Resource], marker: str) -> Resource | None:
    """The row that carries our marker."""
    return next((row for row in rows if carries(row, marker)), None)


def same_fact(row: Resource, resource: Resource) -> bool:
    """Whether a row says what the resource says: same type and subject, a shared code, the same instant and value."""
    return (
        row.get("resourceType", resource["resourceType"]) == resource["resourceType"]
        and subject_of(row) == subject_of(resource)
        and bool(codes_of(row) & codes_of(resource))
        and instant_of(row) == instant_of(resource)
        and same_value(row, resource)
        and is_standing(row)
        and _same_course(row, resource)
    )


def is_standing(row: Resource) -> bool:
    """Whether a row is meant to be believed: not taken back, cancelled or refuted."""
    verification = {one.get("code") for one in row.get("verificationStatus", {}).get("coding", [])}
    return row.get("status") not in _OVER and not verification & {"entered-in-error", "refuted"}


def _same_course(row: Resource, resource: Resource) -> bool:
    """A problem that is resolved, or a medicine that was stopped, is not the one that goes on."""
    kinds = ("clinicalStatus", "status") if resource["resourceType"].startswith("Medication") else ("clinicalStatus",)
    stated = [(_state(row[name]), _state(resource[name])) for name in kinds if name in row and name in resource]
    return all(one == other for one, other in stated)


def _state(value: Any) -> object:
    return {one.get("code") for one in value.get("coding", [])} if isinstance(value, dict) else value


def subject_of(resource: Resource) -> str:
    """`Patient/1` of whatever element and form says whom it is about."""
    subject = resource.get("subject") or resource.get("patient") or {}
    return tail(str(subject.get("reference", "")))


def concept_of(resource: Resource) -> Resource:
    """The CodeableConcept that says what a resource is about; empty if none does."""
    found = (resource[name] for name in CODED_BY if isinstance(resource.get(name), dict))
    return next(found, {})


def codes_of(resource: Resource) -> set[str]:
    """`system|code` of what a resource is about."""
    return {_token(coding) for coding in concept_of(resource).get("coding", []) if coding.get("code")}


def instant_of(resource: Resource) -> datetime | None:
    """When it was so, where the resource has an instant with a zone."""
    return next((_instant(resource[name]) for name in TIMED_BY if name in resource), None)


def same_value(row: Resource, resource: Resource) -> bool:
    """Whether two resources state one value: 5.40 and 5.4 mg/dL, 82.5 kg and 181.9 [lb_av]; documents by their text."""
    one, other = row.get("valueQuantity"), resource.get("valueQuantity")
    if isinstance(one, dict) and isinstance(other, dict):
        return _same_quantity(one, other)
    return _other_value(row) == _other_value(resource)


def differences(row: Resource, signed: Resource) -> tuple[str, ...]:
    """Paths of elements that were signed and are not so in the chart; what the EHR added is not counted."""
    kind = signed["resourceType"]
    skip = {"resourceType", "id", "meta", "text"}
    return tuple(sorted({p for k, v in signed.items() if k not in skip for p in _lost(v, row.get(k), f"{kind}.{k}")}))


def is_safety(path: str) -> bool:
    """Whether losing the element at `path` (`Observation.valueQuantity.value`) changes what the row means."""
    element = path.split(".")[1].split("[")[0]
    return element.startswith(SAFETY_ELEMENTS)


def without_carriage(row: Resource) -> Resource:
    """A row without what the EHR itself keeps about it: what a person sees, and an update must leave as it was."""
    return {key: value for key, value in row.items() if key not in ("meta", "text")}


def tail(reference: str) -> str:
    """`https://host/fhir/Patient/1/_history/2` and `Patient/1` name one thing at one EHR."""
    parts = reference.split("/_history/")[0].rsplit("/", 2)
    return "/".join(parts[-2:])


def _lost(signed: Any, filed: Any, path: str) -> Iterator[str]:
    if isinstance(signed, dict):
        for key, inner in signed.items():
            yield from _lost(inner, filed.get(key) if isinstance(filed, dict) else None, f"{path}.{key}")
    elif isinstance(signed, list):
        rows = filed if isinstance(filed, list) else []
        for index, inner in enumerate(signed):
            place = f"{path}[{index}]"
            # An EHR may reorder a list and add to it: the nearest item counts.
            yield from min((list(_lost(inner, row, place)) for row in rows), key=len, default=[place])
    elif not _equal(signed, filed, path):
        yield path


def _equal(signed: Any, filed: Any, path: str) -> bool:
    if signed == filed:
        return True
    if isinstance(signed, str) and isinstance(filed, str):
        if path.endswith(".reference"):
            return tail(signed) == tail(filed)
        return _instant(signed) is not None and _instant(signed) == _instant(filed)
    return False


def _token(coding: Resource) -> str:
    return f"{coding.get('system', '')}|{coding.get('code', '')}"


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _same_quantity(one: Resource, other: Resource) -> bool:
    """Within rounding where an EHR has converted the unit; exactly where it has not."""
    units = [str(quantity.get("code") or quantity.get("unit", "")) for quantity in (one, other)]
    if one.get("comparator", "") != other.get("comparator", ""):
        return False
    try:
        left, right = float(one["value"]), float(other["value"])
    except (KeyError, TypeError, ValueError):
        return one.get("value") == other.get("value") and units[0] == units[1]
    if units[0] == units[1]:
        return left == right
    return ucum.close(ucum.measure(left, units[0]), ucum.measure(right, units[1]))


def _other_value(resource: Resource) -> object:
    concept = resource.get("valueCodeableConcept")
    if isinstance(concept, dict):
        return frozenset(_token(coding) for coding in concept.get("coding", [])) or concept.get("text")
    if "content" in resource:
        return [one.get("attachment", {}).get("data") for one in resource["content"]]
    return next((repr(resource[name]) for name in sorted(resource) if name.startswith("value")), None)
