"""concept: no wrong concept by a failed code map, no value without its unit, no time that the EHR would have to guess.

Some EHRs put a default where something is missing (a unit, the time "now"); what would be defaulted is refused here.
"""

from __future__ import annotations

from headwater.errors import Refuse
from headwater.model import Resource

_STANDARD_SYSTEMS = {
    "Observation": ("http://loinc.org",),
    "Condition": ("http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"),
    "AllergyIntolerance": ("http://www.nlm.nih.gov/research/umls/rxnorm", "http://snomed.info/sct"),
    "DocumentReference": ("http://loinc.org",),
}
_UCUM = "http://unitsofmeasure.org"
_READY_STATES = ("final",)


def concept(resource: Resource) -> None:
    """Raises Refuse with the element at fault; passes what is complete and in standard codes."""
    kind = resource["resourceType"]
    wanted = _STANDARD_SYSTEMS.get(kind, ())
    codings = resource.get("code", {}).get("coding", []) if wanted else []
    if wanted and not any(coding.get("system") in wanted and coding.get("code") for coding in codings):
        hint = f"no code of {' or '.join(wanted)}: add the local code to the EHR's codes/ and replay the message"
        raise Refuse("concept.unmapped", place=f"{kind}.code", hint=hint)
    if kind == "Observation":
        _observation(resource)


def _observation(resource: Resource) -> None:
    if resource.get("status") not in _READY_STATES:
        hint = "only final results are told; a correction needs an update, which this EHR's profile does not declare"
        raise Refuse("concept.not_final", place="Observation.status", hint=hint)
    effective = resource.get("effectiveDateTime", "")
    if "T" not in effective or not (effective.endswith("Z") or effective[-6:-5] in "+-"):
        hint = "an effective time with a zone is needed, or the EHR would make one up"
        raise Refuse("concept.time_incomplete", place="Observation.effectiveDateTime", hint=hint)
    quantity = resource.get("valueQuantity")
    if quantity is not None and (quantity.get("system") != _UCUM or not quantity.get("code")):
        hint = "no UCUM unit: add the unit to the EHR's codes/ and replay the message"
        raise Refuse("concept.unit_unmapped", place="Observation.valueQuantity.code", hint=hint)
    if not any(name.startswith("value") for name in resource):
        raise Refuse("concept.value_missing", place="Observation.value[x]", hint="there is nothing to tell")
