"""Patients that a merge has replaced, told from the one that is left (FHIR R4 patient.html#link)."""

from __future__ import annotations

from headwater.model import Resource


def is_replaced(patient: Resource) -> bool:
    """Whether this Patient is another one now: it has a link of type `replaced-by`."""
    return any(link.get("type") == "replaced-by" for link in patient.get("link", ()))
