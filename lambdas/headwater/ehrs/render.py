"""What a write is made of: the FHIR resource that the chart shall show, and the very bytes that tell the EHR so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headwater.ehrs.operation import Operation
from headwater.model import Resource


class Templates(Protocol):
    """An EHR's templates: `headwater.templates.engine.Engine` is one."""

    def build(self, name: str, variables: Mapping[str, object]) -> Resource: ...


def render(
    templates: Templates,
    operation: Operation,
    site: Mapping[str, str],
    *,
    resource: Resource,
    patient: str,
    person: Resource,
    marker: str,
) -> tuple[Resource, bytes]:
    """The fact and its bytes; they are the same thing where the operation has no `wire` template.

    Templates know `resource` (the fact to tell, then for `wire` the rendered one), `patient` (its reference there),
    `person` (the EHR's own Patient), `marker` (empty where none is known to survive) and `site`.
    """
    variables = {"patient": patient, "person": person, "marker": marker if operation.marker else "", "site": site}
    fact = templates.build(operation.template, {**variables, "resource": resource})
    wire = templates.build(operation.wire, {**variables, "resource": fact}) if operation.wire else fact
    return fact, operation.encoding.bytes_of(wire)
