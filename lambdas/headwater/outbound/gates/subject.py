"""subject: what is said is said of this patient, and of nobody else in the same breath.

A mapping that swaps two patients is the worst that can happen, and easy to see: every reference to a patient in the
resource must be the one that the request, and later the chart, is about.
"""

from __future__ import annotations

from collections.abc import Iterator

from headwater.errors import Refuse
from headwater.model import Resource


def subject(resource: Resource, patient_ref: str) -> None:
    """Raises Refuse('subject.mismatch'); a resource that names no patient at all is refused too."""
    if resource["resourceType"] == "Patient":
        named = {f"Patient/{resource['id']}"} if resource.get("id") else {patient_ref}
    else:
        named = set(_patients(resource))
    if named != {patient_ref}:
        hint = "it is about another patient than the request" if named else "it says of nobody that it is about them"
        raise Refuse("subject.mismatch", place=f"{resource['resourceType']}.subject", hint=hint)


def _patients(value: object) -> Iterator[str]:
    """Every reference to a Patient, without host and version."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            parts = reference.split("/_history/")[0].rsplit("/", 2)[-2:]
            if parts[0] == "Patient":
                yield "/".join(parts)
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _patients(inner)
