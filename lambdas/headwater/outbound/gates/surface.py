"""surface: only what an EHR's profile declares may be written. What is not known is refused, never assumed."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.ehrs import Ehr, Operation
from headwater.errors import Refuse


def surface(ehrs: Mapping[str, Ehr], ehr: str, resource_type: str) -> tuple[Ehr, Operation]:
    """The EHR and how it takes a create of this type (FHIR R4 http.html#create)."""
    if ehr not in ehrs:
        raise Refuse("propose.ehr_unknown", place="to", hint="name a folder under mappings/ehrs")
    return ehrs[ehr], ehrs[ehr].operation(resource_type, "create")
