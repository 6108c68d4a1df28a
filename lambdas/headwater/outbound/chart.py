"""What is in an EHR's chart, compared with what we mean to write, or wrote.

Two questions, asked at propose, before a resend and after every write: is this fact already there, and does the row say
what the clinician signed?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from headwater.ehrs import Operation
from headwater.model import Answer, Resource
from headwater.outbound.gates.loop import carries
from headwater.ports import EhrApi

# If one of these is lost or changed, the row says something else than what was signed: an incident, not a loss.
SAFETY_ELEMENTS = ("status", "subject", "code", "value", "effective", "component")


def rows_like(payload: Resource, operation: Operation, api: EhrApi) -> tuple[Answer, list[Resource]]:
    """The EHR's rows that the profile's reconcile search finds for this payload."""
    answer = api.search(payload["resourceType"], operation.search(payload))
    entries = (answer.body or {}).get("entry", []) if answer.status == 200 else []
    rows = [entry["resource"] for entry in entries if isinstance(entry.get("resource"), dict)]
    return answer, [row for row in rows if row.get("resourceType") == payload["resourceType"]]


def ours(rows: Iterable[Resource], marker: str) -> Resource | None:
    """The row that carries our marker."""
    return next((row for row in rows if carries(row, marker)), None)


def same_fact(row: Resource, payload: Resource) -> bool:
    """Whether a row already says what the payload says: same subject, a shared code, the same instant and value."""
    return (
        _tail(row.get("subject", {}).get("reference", "")) == _tail(payload.get("subject", {}).get("reference", ""))
        and bool(_codes(row) & _codes(payload))
        and _instant(row.get("effectiveDateTime")) == _instant(payload.get("effectiveDateTime"))
        and _value(row) == _value(payload)
        and row.get("status") not in ("entered-in-error", "cancelled")
    )


def differences(row: Resource, payload: Resource) -> tuple[str, ...]:
    """Paths of elements that were signed and are not so in the chart; what the EHR added is not counted."""
    kind = payload["resourceType"]
    skip = {"resourceType", "id", "meta", "text"}
    return tuple(sorted({p for k, v in payload.items() if k not in skip for p in _lost(v, row.get(k), f"{kind}.{k}")}))


def is_safety(path: str) -> bool:
    """Whether losing the element at `path` (`Observation.valueQuantity.value`) changes what the row means."""
    element = path.split(".")[1].split("[")[0]
    return element.startswith(SAFETY_ELEMENTS)


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
            return _tail(signed) == _tail(filed)
        return _instant(signed) is not None and _instant(signed) == _instant(filed)
    return False


def _tail(reference: str) -> str:
    """`https://host/fhir/Patient/1/_history/2` and `Patient/1` name one thing at one EHR."""
    parts = reference.split("/_history/")[0].rsplit("/", 2)
    return "/".join(parts[-2:])


def _codes(resource: Resource) -> set[str]:
    return {_token(coding) for coding in resource.get("code", {}).get("coding", []) if coding.get("code")}


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


def _value(resource: Resource) -> object:
    """The value in a comparable form: 5.40 mg/dL and 5.4 mg/dL are one."""
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        try:
            number: object = Decimal(str(quantity.get("value"))).normalize()
        except InvalidOperation:
            number = str(quantity.get("value"))
        return number, quantity.get("comparator", ""), quantity.get("code") or quantity.get("unit", "")
    concept = resource.get("valueCodeableConcept")
    if isinstance(concept, dict):
        return frozenset(_token(coding) for coding in concept.get("coding", [])) or concept.get("text")
    return next((repr(resource[name]) for name in sorted(resource) if name.startswith("value")), None)
