"""What is invalid in a result, with the template lines that wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError
from headwater.fhir.validate import Issue, validate
from headwater.inbound.convert import draft
from local.analyst.explain import places_of
from local.analyst.json_path import find
from local.analyst.mappings import Mappings, bundle, envelope
from local.analyst.source_map import TracingEngine


@dataclass(frozen=True, slots=True)
class Fault:
    """`place` is the innermost template line that wrote the element; empty if no template did, or nobody knows."""

    issue: Issue
    place: str


def faults(body: bytes, ehr: Ehr, content_type: str, mappings: Mappings) -> list[Fault]:
    """Every fault of one message's resources. Raises Quarantine if nothing is made of it."""
    tracing = TracingEngine(mappings.engine(ehr))
    made = bundle(draft(envelope(body, ehr, content_type), ehr, tracing))
    return [
        Fault(issue, _place(made, number, issue))
        for number, entry in enumerate(made["entry"])
        for issue in validate(entry["resource"])
    ]


def _place(made: dict[str, object], number: int, issue: Issue) -> str:
    """The line that wrote the element, or the nearest one around it that is there."""
    path = issue.path.partition(".")[2]
    while True:
        try:
            found = find(made, f"$.entry[{number}].resource" + (f".{path}" if path else ""))
        except HeadwaterError:
            found = []
        places = places_of(made, found[0][0])[0] if found else ()
        if places or not path:
            return places[0][0] if places else ""
        path = path.rpartition(".")[0]
