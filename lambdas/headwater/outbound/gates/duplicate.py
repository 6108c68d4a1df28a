"""duplicate: what the chart says already, under this name or another, is shown before anything is added.

The same fact needs no decision. The same ingredient or class of allergen, or a record that says the opposite, needs
one, with the row beside it. Where the EHR hides something, nobody can tell: that is said, and nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwater.ehrs import Operation
from headwater.errors import Retry
from headwater.model import Resource
from headwater.outbound import chart
from headwater.outbound.terms import NONE_KNOWN, Terms
from headwater.ports import EhrApi

_MEDICATIONS = ("MedicationStatement", "MedicationRequest")
_WHOLE_LISTS = {"AllergyIntolerance": ("AllergyIntolerance",), "Condition": ("Condition",),
                **dict.fromkeys(_MEDICATIONS, _MEDICATIONS)}  # fmt: skip
_HIDDEN = frozenset({"masked", "redacted", "redact", "r-masked"})
SAME_INGREDIENT, SAME_CLASS = "duplicate.same_ingredient", "duplicate.same_allergen_class"
SAME_CODE, OTHER_VALUE = "duplicate.same_code", "conflict.other_value_at_that_time"
CONTRADICTS = "conflict.no_known_allergies"
HIDDEN, UNREAD = "duplicate.chart_hidden", "duplicate.list_unread"


@dataclass(frozen=True, slots=True)
class Likeness:
    """`same`: the chart says it already. `flags` are codes for the reviewer, `rows` the references they are about."""

    same: bool = False
    flags: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


def duplicate(resource: Resource, operation: Operation, api: EhrApi, terms: Terms) -> Likeness:
    """Look into the chart; raises Retry('propose.chart_unreadable') when it does not open."""
    rows, seen_all = _rows(resource, operation, api)
    flagged: dict[str, list[Resource]] = {}
    for row in rows:
        for flag in _flags(row, resource, terms):
            flagged.setdefault(flag, []).append(row)
    if not seen_all:
        flagged.setdefault(UNREAD, [])
    same = any(chart.same_fact(row, resource) for row in rows)
    references = dict.fromkeys(_reference(row) for found in flagged.values() for row in found)
    return Likeness(same and not {HIDDEN, UNREAD} & flagged.keys(), tuple(sorted(flagged)), tuple(references))


def is_hidden(value: object) -> bool:
    """Whether an EHR has masked or redacted a part of a row (data-absent-reason `masked`, meta.security, or a word in
    place of the value)."""
    if isinstance(value, dict):
        told = (value.get("valueCode"), value.get("code"), value.get("text"), value.get("display"))
        return any(isinstance(one, str) and one.lower().strip("* []") in _HIDDEN for one in told) or any(
            is_hidden(inner) for inner in value.values()
        )
    return isinstance(value, list) and any(is_hidden(inner) for inner in value)


def _rows(resource: Resource, operation: Operation, api: EhrApi) -> tuple[list[Resource], bool]:
    """The rows to compare with, and whether they are all: of lists that are short, the patient's whole list."""
    kinds = _WHOLE_LISTS.get(resource["resourceType"])
    if kinds is None:
        answer, rows = chart.rows_like(resource, operation, api)
        if answer.status != 200:
            raise Retry("propose.chart_unreadable", hint=f"search answered {answer.status}", after=30)
        return rows, True
    found: list[Resource] = []
    seen_all = True
    for kind in kinds:
        answer = api.search(kind, {operation.reconcile["patient"]: chart.subject_of(resource)})
        if answer.status != 200 and kind == resource["resourceType"]:
            raise Retry("propose.chart_unreadable", hint=f"search answered {answer.status}", after=30)
        seen_all = seen_all and answer.status == 200
        found += chart.rows_of(answer, kind)
    return found, seen_all


def _flags(row: Resource, resource: Resource, terms: Terms) -> Iterable[str]:
    if is_hidden(row):
        yield HIDDEN
        return
    if not chart.is_standing(row):
        return
    one, other = chart.concept_of(row), chart.concept_of(resource)
    if resource["resourceType"] in _MEDICATIONS:
        if terms.ingredients(one) & terms.ingredients(other):
            yield SAME_INGREDIENT
    elif resource["resourceType"] == "AllergyIntolerance":
        yield from _of_allergies(terms.allergen_classes(one), terms.allergen_classes(other), row, resource)
    elif chart.codes_of(row) & chart.codes_of(resource):
        yield from _of_codes(row, resource)


def _of_allergies(there: frozenset[str], wished: frozenset[str], row: Resource, resource: Resource) -> Sequence[str]:
    if (NONE_KNOWN in there) != (NONE_KNOWN in wished):
        return (CONTRADICTS,)
    if there & wished:
        return (SAME_CLASS,)
    return (SAME_CODE,) if chart.codes_of(row) & chart.codes_of(resource) else ()


def _of_codes(row: Resource, resource: Resource) -> Sequence[str]:
    if resource["resourceType"] == "Condition":
        return (SAME_CODE,)
    if chart.instant_of(row) != chart.instant_of(resource):
        return ()
    return () if chart.same_value(row, resource) else (OTHER_VALUE,)


def _reference(row: Resource) -> str:
    return f"{row['resourceType']}/{row.get('id', '')}"
