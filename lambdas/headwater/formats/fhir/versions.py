"""Which FHIR release a resource was written for. JSON does not say it, so it is read off what only one of them has.

Sources: the resource pages and "R4 Diff" sections of hl7.org/fhir (DSTU2 1.0.2, STU3 3.0.2, R4 4.0.1, R5 5.0.0).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headwater.model import Resource

DSTU2, STU3, R4, R5 = "DSTU2", "STU3", "R4", "R5"

_DECLARED = {"1.0": DSTU2, "0.5": DSTU2, "3.0": STU3, "5.0": R5}
_PROFILES = (
    ("/DSTU2/", DSTU2),
    ("/guides/argonaut/", DSTU2),
    ("/STU3/", STU3),
    ("/stu3/", STU3),
)
_TYPES = {
    **dict.fromkeys(("MedicationOrder", "DiagnosticOrder", "Conformance", "DeviceUseRequest", "Order"), DSTU2),
    **dict.fromkeys(("ProcedureRequest", "ReferralRequest", "ProcessRequest", "EligibilityRequest"), STU3),
    **dict.fromkeys(("ImagingManifest", "Sequence", "BodySite", "ServiceDefinition", "DeviceComponent"), STU3),
    **dict.fromkeys(("GenomicStudy", "InventoryReport", "NutritionIntake", "FormularyItem", "Transport"), R5),
}
# Elements that only that release has; where two have it, the later one.
_ELEMENTS = {
    ("AllergyIntolerance", "substance"): DSTU2,
    ("AllergyIntolerance", "assertedDate"): STU3,
    ("Condition", "patient"): DSTU2,
    ("Condition", "dateRecorded"): DSTU2,
    ("Condition", "assertedDate"): STU3,
    ("DocumentReference", "indexed"): STU3,
    ("Encounter", "indication"): DSTU2,
    ("Encounter", "actualPeriod"): R5,
    ("Immunization", "reported"): DSTU2,
    ("Immunization", "notGiven"): STU3,
    ("Immunization", "date"): STU3,
    ("MedicationAdministration", "wasNotGiven"): DSTU2,
    ("MedicationAdministration", "notGiven"): STU3,
    ("MedicationRequest", "medication"): R5,
    ("MedicationStatement", "wasNotTaken"): DSTU2,
    ("MedicationStatement", "taken"): STU3,
    ("Observation", "comments"): DSTU2,
    ("Observation", "comment"): STU3,
    ("Observation", "related"): STU3,
    ("Patient", "careProvider"): DSTU2,
    ("Patient", "animal"): STU3,
    ("Procedure", "notPerformed"): DSTU2,
    ("Procedure", "notDone"): STU3,
    ("Procedure", "occurrenceDateTime"): R5,
}
# Elements that were a code and are a CodeableConcept or a Coding in R4.
_ONCE_CODES = {
    ("AllergyIntolerance", "clinicalStatus"): STU3,
    ("AllergyIntolerance", "verificationStatus"): STU3,
    ("Condition", "clinicalStatus"): STU3,
    ("Condition", "verificationStatus"): STU3,
    ("Encounter", "class"): DSTU2,
}


def version_of(resources: Iterable[Resource]) -> str:
    """The release that the resources were written for: the first sign of another one than R4 decides."""
    return next((version for resource in resources if (version := _version(resource))), R4)


def _version(resource: Resource) -> str | None:
    kind = resource["resourceType"]
    declared = resource.get("fhirVersion")
    if isinstance(declared, str) and declared[:3] in _DECLARED:
        return _DECLARED[declared[:3]]
    if kind in _TYPES:
        return _TYPES[kind]
    meta = resource.get("meta")
    for profile in _texts(meta.get("profile") if isinstance(meta, dict) else None):
        for sign, version in _PROFILES:
            if sign in profile:
                return version
    for element in resource:
        if (kind, element) in _ELEMENTS:
            return _ELEMENTS[kind, element]
        if (kind, element) in _ONCE_CODES and isinstance(resource[element], str):
            return _ONCE_CODES[kind, element]
    return None


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
