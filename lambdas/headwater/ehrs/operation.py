"""One write that an EHR is known to take: how its bytes are made, where they go, and how the row is found again.

A clinician signs the bytes that go out. Where these are no FHIR resource (a Bundle around one, a form), the `wire`
template makes them of the resource that the chart shall show, and both are kept: one to send, one to compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

import orjson

from headwater.ehrs.conditions import Condition, token, values
from headwater.errors import Refuse
from headwater.model import Resource


class Transport(StrEnum):
    """How a write travels; an adapter each (`adapters/ehr`)."""

    FHIR = "fhir"  # create and update as FHIR R4 defines them (http.html)
    FHIR_OPERATION = "fhir-operation"  # a Bundle posted to an operation; the answer's entries say what became of it
    REST = "rest"  # the vendor's own endpoint


class Encoding(StrEnum):
    """What the bytes of a write are."""

    JSON = "json"
    FORM = "form"  # application/x-www-form-urlencoded; what is no text stands in its field as JSON

    def bytes_of(self, body: Mapping[str, object]) -> bytes:
        """The same body gives the same bytes: they are signed by their hash."""
        if self is Encoding.JSON:
            return orjson.dumps(body)
        fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
        return urlencode(fields).encode()


class AnswerBody(StrEnum):
    """What stands in the body of a successful write."""

    EMPTY = "empty"
    RESOURCE = "resource"
    BUNDLE = "bundle"  # of entries with a response each
    RECORD = "record"  # the vendor's own JSON
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One write that the EHR is known to take, and what it does with it.

    `template` (in the EHR's folders, without `.liquid`) renders the FHIR resource that the chart shall show; `wire`
    makes of it what is sent, where that is something else, in `encoding`. `path` is where that goes, below the FHIR
    address or the vendor's own; `{patient}` is the patient's id. `row_id` and `taken` are about the vendor's own
    answer: the path of the new row's id, and what must hold there besides the status.

    `require` is what must hold of the resource; `marker` is the element path of free text that survives, empty when
    none is known; `reconcile` says how the EHR calls the search parameters `patient`, `code`, `date` that find a write
    again; `losses` are the full element paths that it drops (`Observation.identifier`). After `max_commit_window_s` an
    unseen write will not appear any more; `verify_within_s` is the deadline of a read-back. `assumed` lists the keys
    here that no source states: a person must check them before go-live.
    """

    template: str
    success: tuple[int, ...]
    reconcile: Mapping[str, str]
    max_commit_window_s: int
    verify_within_s: int
    confidence: str
    source: str
    transport: Transport = Transport.FHIR
    wire: str = ""
    encoding: Encoding = Encoding.JSON
    method: str = "POST"
    path: str = ""
    row_id: str = ""
    taken: Condition | None = None
    answer_body: AnswerBody = AnswerBody.UNKNOWN
    marker: str = ""
    require: tuple[Condition, ...] = ()
    losses: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def unmet(self, resource: Resource) -> tuple[str, ...]:
        """Paths of the requirements that the resource does not meet; empty means that it may be sent."""
        return tuple(condition.path for condition in self.require if not condition.holds(resource))

    def search(self, resource: Resource) -> dict[str, str]:
        """FHIR search parameters that find this resource in the chart, whoever wrote it.

        `date` is `ge` one day before the effective time, in UTC: EHRs round times, and a bare day means another
        day in the server's zone, so the caller compares the exact time. Raises Refuse('propose.not_reconcilable')
        when a value is missing: a write that could not be found again must not be made.
        """
        return {name: _search_value(resource, known) for known, name in self.reconcile.items()}


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations on one resource type; one that is not here is not known, and refused."""

    create: Operation | None = None
    update: Operation | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """How the vendor's own API lists a patient's rows of a type, or finds patients, and `template` makes FHIR of each.

    `items` and `id` are dotted paths: the list in the answer, and a row's id in the row. `next` is the path of the
    next page's address. `query` and `path` know `{patient}` and the site's keys; of a search for patients,
    `{identifier}` is the number that was asked for.
    """

    path: str
    template: str
    items: str = ""
    id: str = "id"
    next: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


# Where the standard search parameters find their value in a resource (FHIR R4, the resources' search parameter tables).
SEARCHED = {
    "patient": ("subject.reference", "patient.reference"),
    "code": (
        "code.coding",
        "type.coding",
        "vaccineCode.coding",
        "medicationCodeableConcept.coding",
        "questionnaire",
    ),
    "date": (
        "effectiveDateTime",
        "date",
        "occurrenceDateTime",
        "performedDateTime",
        "recordedDate",
        "authoredOn",
        "authored",
        "sent",
    ),
}


def _search_value(resource: Resource, known: str) -> str:
    found = [value for path in SEARCHED[known] for value in values(resource, path)]
    value = next((value for value in found if token(value).strip("|")), None)
    if value is None:
        raise Refuse("propose.not_reconcilable", place=SEARCHED[known][0], hint=f"nothing to search `{known}` with")
    return _since(token(value), SEARCHED[known][0]) if known == "date" else token(value)


def _since(instant: str, path: str) -> str:
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise Refuse("propose.not_reconcilable", place=path, hint="the time needs an offset")
    return f"ge{(moment.astimezone(UTC) - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}"
