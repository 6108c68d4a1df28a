"""Search as FHIR R4 defines it (search.html), for the few parameters that a client of write APIs needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from headwater.ehrs import values
from headwater.model import Resource

_DATES = {
    "date": ("effectiveDateTime", "effectivePeriod.start", "date", "occurrenceDateTime", "performedDateTime"),
    "birthdate": ("birthDate",),
    "sent": ("sent",),
    "authored": ("authored",),
}
_TOKENS = {
    "identifier": "identifier",
    "code": "code.coding",
    "category": "category.coding",
    "type": "type.coding",
    "clinical-status": "clinicalStatus.coding",
}


class NotSearchable(Exception):
    """A parameter that the EHR does not know, or a value it cannot read; `str()` is the parameter's name."""


def matches(resource: Resource, parameters: Mapping[str, str], known: Iterable[str]) -> bool:
    """Whether all parameters fit; a comma in a value means or."""
    check(parameters, known)
    return all(any(_fits(resource, name, one) for one in wanted.split(",")) for name, wanted in parameters.items())


def check(parameters: Mapping[str, str], known: Iterable[str]) -> None:
    """Raises NotSearchable for a parameter that the EHR does not know: it must not be quietly ignored."""
    for name in parameters:
        if name not in known:
            raise NotSearchable(name)


def _fits(resource: Resource, name: str, wanted: str) -> bool:
    if name == "_id":
        return bool(resource.get("id") == wanted)
    if name == "family":
        return any(str(one).lower().startswith(wanted.lower()) for one in values(resource, "name.family"))
    if name in ("patient", "subject"):
        reference = f"Patient/{wanted.removeprefix('Patient/')}"
        return reference in (*values(resource, "subject.reference"), *values(resource, "patient.reference"))
    if name in _TOKENS:
        return any(_token_fits(one, wanted) for one in values(resource, _TOKENS[name]))
    if name in _DATES:
        return any(_date_fits(str(one), wanted) for path in _DATES[name] for one in values(resource, path))
    raise NotSearchable(name)


def _token_fits(coding: object, wanted: str) -> bool:
    if not isinstance(coding, dict):
        return False
    system, bar, code = wanted.rpartition("|")
    said = coding.get("code", coding.get("value"))
    return (not code or said == code) and (not bar or coding.get("system", "") == system)


def _date_fits(said: str, wanted: str) -> bool:
    """R4 search.html#prefix: `eq` when the wanted span holds the said one; the others compare the spans' ends."""
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2].isalpha() else ("eq", wanted)
    try:
        (low, high), (first, last) = span(text), span(said)
    except ValueError:
        raise NotSearchable("date") from None
    return {
        "eq": low <= first and last <= high,
        "ge": last > low,
        "gt": last > high,
        "le": first < high,
        "lt": first < low,
    }.get(prefix, False)


def span(text: str) -> tuple[datetime, datetime]:
    """First instant of a FHIR date or dateTime, and the first one after it. Without a zone, UTC."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        return datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if len(text) == 10:
        return moment, moment + timedelta(days=1)
    return moment, moment + (timedelta(milliseconds=1) if "." in text else timedelta(seconds=1))
