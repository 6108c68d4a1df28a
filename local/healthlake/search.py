"""The part of FHIR search that the stand-in knows: what a resource can be found by, and the question put to SQLite.
A parameter that it does not know is refused, never ignored, so that no test passes by finding everything.

FHIR R4 search.html; HealthLake's own limits: `_count` ≤ 100, `_total` accurate or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater.model import Resource
from local.healthlake.versions import Term, Version, Versions, instant

_TOKENS = {"identifier": ("identifier",), "code": ("code", "vaccineCode", "medicationCodeableConcept"),
           "status": ("status", "clinicalStatus")}  # fmt: skip
_REFERENCES = {"patient": ("subject", "patient", "beneficiary"), "subject": ("subject",)}
_DATES = ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "period", "performedDateTime", "performedPeriod",
          "occurrenceDateTime", "recordedDate", "date", "authoredOn", "start", "issued")  # fmt: skip
_PREFIXED = re.compile(r"(?P<prefix>eq|gt|ge|lt|le)?(?P<time>\d{4}.*)")
_COMPARE = {
    "eq": "{low} >= ? AND {high} <= ?",
    "gt": "{high} > ?2",
    "ge": "{high} > ?1",
    "lt": "{low} < ?1",
    "le": "{low} < ?2",
}


class NotUnderstood(Exception):
    """A search that HealthLake or the stand-in refuses; `parameter` is its name."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Page:
    matches: Sequence[Version]
    total: int
    more: bool


def terms(resource: Resource) -> list[Term]:
    """What `resource` can be found by."""
    found = [Term(name, *token) for name, paths in _TOKENS.items() for token in _tokens(resource, paths)]
    tags = resource.get("meta", {}).get("tag", ())
    found += [Term("_tag", tag.get("system", ""), tag.get("code", "")) for tag in tags]
    for name, paths in _REFERENCES.items():
        for path in paths:
            kind, _, identity = _reference(resource.get(path)).rpartition("/")
            if identity and (name != "patient" or kind == "Patient"):
                found.append(Term(name, kind, identity))
    for path in _DATES:
        if path in resource:
            found.append(Term("date", *_span(resource[path])))
            break
    return found


def find(
    versions: Versions, store: str, kind: str, asked: Sequence[tuple[str, str]], *, seen_until: datetime,
    count: int, offset: int,
) -> Page:  # fmt: skip
    """The newest version of each that was written before `seen_until` and matches all of `asked` (name, value)."""
    clauses, values = ["v.body IS NOT NULL"], []
    for name, value in asked:
        options = [_clause(name, option) for option in value.split(",") if option]
        if not options:
            raise NotUnderstood(name)
        clauses.append("(" + " OR ".join(clause for clause, _ in options) + ")")
        values += [each for _, option in options for each in option]
    rows = versions.rows(
        "WITH seen AS (SELECT id, MAX(version) AS version FROM versions WHERE store=? AND type=? AND at<=? GROUP BY id)"
        " SELECT v.type, v.id, v.version, v.at, v.body FROM seen JOIN versions AS v"
        " ON v.store=? AND v.type=? AND v.id=seen.id AND v.version=seen.version"
        f" WHERE {' AND '.join(clauses)} ORDER BY v.at DESC, v.id",
        (store, kind, instant(seen_until), store, kind, *values),
    )
    return Page(rows[offset : offset + count], len(rows), len(rows) > offset + count)


def _clause(name: str, value: str) -> tuple[str, list[str]]:
    """One option of a parameter as SQL over `v`, and its values."""
    term = (
        "EXISTS (SELECT 1 FROM terms AS t WHERE t.store=v.store AND t.type=v.type AND t.id=v.id"
        " AND t.version=v.version AND t.name=? AND {})"
    )
    if name == "_id":
        return "v.id=?", [value]
    if name in ("_lastUpdated", "date"):
        column = ("v.at", "v.at") if name == "_lastUpdated" else ("t.first", "t.second")
        comparison, bounds = _comparison(name, value, *column)
        return (comparison, bounds) if name == "_lastUpdated" else (term.format(comparison), [name, *bounds])
    if name in _REFERENCES:
        kind, _, identity = value.rpartition("/")
        return (term.format("t.second=? AND t.first=?"), [name, identity, kind]) if kind else (
            term.format("t.second=?"), [name, identity])  # fmt: skip
    if name in _TOKENS or name == "_tag":
        system, bar, code = value.rpartition("|")
        if not bar:
            return term.format("t.second=?"), [name, code]
        return (term.format("t.first=? AND t.second=?"), [name, system, code]) if code else (
            term.format("t.first=?"), [name, system])  # fmt: skip
    raise NotUnderstood(name)


def _comparison(name: str, value: str, low: str, high: str) -> tuple[str, list[str]]:
    found = _PREFIXED.fullmatch(value)
    if found is None:
        raise NotUnderstood(name)
    try:
        first, last = bounds(found["time"])
    except ValueError:
        raise NotUnderstood(name) from None
    prefix = found["prefix"] or "eq"
    sql = _COMPARE[prefix].format(low=low, high=high)
    if prefix == "eq":
        # An instant is a span without width, and its end is still inside.
        return sql, [first, last]
    return sql.replace("?1", "?").replace("?2", "?"), [first if "?1" in sql else last]


def bounds(time: str) -> tuple[str, str]:
    """The first and the last instant of a FHIR date or dateTime of any precision. Raises ValueError for others."""
    if len(time) == 4:
        first = datetime(int(time), 1, 1, tzinfo=UTC)
        after = first.replace(year=first.year + 1)
    elif len(time) == 7:
        first = datetime.fromisoformat(f"{time}-01").replace(tzinfo=UTC)
        after = (first + timedelta(days=31)).replace(day=1)
    elif len(time) == 10:
        first = datetime.fromisoformat(time).replace(tzinfo=UTC)
        after = first + timedelta(days=1)
    else:
        first = datetime.fromisoformat(time.replace(" ", "+"))
        first = first if first.tzinfo else first.replace(tzinfo=UTC)
        after = first + (timedelta(milliseconds=1) if "." in time else timedelta(seconds=1))
    return instant(first), instant(after - timedelta(milliseconds=1))


def _tokens(resource: Resource, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        values = resource.get(path, ())
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str):
                yield "", value
            elif isinstance(value, Mapping) and "coding" in value:
                yield from ((coding.get("system", ""), coding.get("code", "")) for coding in value["coding"])
            elif isinstance(value, Mapping) and "value" in value:
                yield value.get("system", ""), value["value"]


def _reference(value: Any) -> str:
    return str(value.get("reference", "")) if isinstance(value, Mapping) else ""


def _span(value: Any) -> tuple[str, str]:
    """The two ends of a date, dateTime, instant or Period; an end that is not given lies as far as it can."""
    if isinstance(value, Mapping):
        start, end = value.get("start"), value.get("end")
        return (bounds(start)[0] if start else "0001"), (bounds(end)[1] if end else "9999")
    try:
        return bounds(str(value))
    except ValueError:
        return "0001", "9999"
