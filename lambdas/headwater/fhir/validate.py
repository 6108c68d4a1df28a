"""Is this resource valid FHIR R4 4.0.1? The last word of `convert`, and of `propose` before a clinician sees anything.

Checked: elements and their cardinality, types, choices, primitive formats and ranges, required bindings, references and
their targets, contained resources, extensions, Bundles with all they hold, narratives, and R4's invariants of severity
error. Not checked: profiles, terminology beyond required bindings, and whether a referenced resource exists elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from headwater.fhir import tables
from headwater.fhir.checks import check_resource
from headwater.fhir.values import Scope
from headwater.model import Resource


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: `path` as `Observation.component[2].valueQuantity.value`, `code` what kind it is, `message` what is
    expected there. `code` is an invariant's key in R4 (`obs-6`) or one of structure, resource_type, unknown_element,
    required, cardinality, choice, empty, null, value, code, reference, contained, depth. No field ever holds a value of
    the resource, which may be PHI.
    """

    path: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} ({self.code})"


def validate(resource: Resource, found: list[str] | None = None) -> list[Issue]:
    """Every fault of the resource, an object's own after those of its elements; empty when it is valid. Then `found`,
    if given, has all its literal references (`references`).

    Takes any parsed JSON and never raises. Numbers may be int, float or Decimal: that decimals keep their
    precision is up to whoever parsed them.
    """
    try:
        faults = check_resource(resource, Scope({}, [] if found is None else found))
    except RecursionError:
        faults = [("", "depth", "expected fewer levels of nesting")]
    if not faults:
        return []
    root = tables.resource_name(resource) or "Resource"
    return [Issue(root + path, code, message) for path, code, message in faults]
