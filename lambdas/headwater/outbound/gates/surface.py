"""surface: only what an EHR's profile declares may be written. What is not known is refused, never assumed."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.ehrs import Ehr, Operation
from headwater.errors import Refuse


def known_ehr(ehrs: Mapping[str, Ehr], name: str) -> Ehr:
    """Raises Refuse('propose.ehr_unknown')."""
    if name not in ehrs:
        raise Refuse("propose.ehr_unknown", place="to", hint="name a folder under mappings/ehrs")
    return ehrs[name]


def surface(ehr: Ehr, resource_type: str, target: str = "") -> Operation:
    """How the EHR takes a new row of this type, or a change of the row `target` (FHIR R4 http.html#create, #update)."""
    return ehr.operation(resource_type, "update" if target else "create")
