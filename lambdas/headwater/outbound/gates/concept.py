"""concept: no wrong concept by a failed code map, no value without its unit, no time that the EHR would have to guess.

Some EHRs put a default where something is missing (a unit, the time "now"); what would be defaulted is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.errors import Refuse
from headwater.fhir import ucum
from headwater.model import Resource
from headwater.outbound.terms import Terms

_RXNORM, _SNOMED, _LOINC = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://snomed.info/sct", "http://loinc.org"
STANDARD = {
    "Observation": ("code", (_LOINC,)),
    "Condition": ("code", (_SNOMED, "http://hl7.org/fhir/sid/icd-10-cm")),
    "AllergyIntolerance": ("code", (_RXNORM, _SNOMED)),
    "MedicationStatement": ("medicationCodeableConcept", (_RXNORM,)),
    "MedicationRequest": ("medicationCodeableConcept", (_RXNORM,)),
    "Immunization": ("vaccineCode", ("http://hl7.org/fhir/sid/cvx",)),
    "Procedure": ("code", (_SNOMED, "http://www.ama-assn.org/go/cpt")),
    "DocumentReference": ("type", (_LOINC,)),
}
FINAL = ("final",)
SCORED = ("preliminary",)  # software's word stays preliminary until a clinician has signed it
REVISED = ("final", "amended", "corrected", "entered-in-error")  # what a row may become
_UCUM = "http://unitsofmeasure.org"


def concept(resource: Resource, terms: Terms, *, states: Sequence[str] = FINAL) -> None:
    """Raises Refuse with the element at fault; passes what is complete, in standard codes and of one mind."""
    kind = resource["resourceType"]
    element, systems = STANDARD.get(kind, ("code", ()))
    if systems:
        _coded(resource.get(element, {}), systems, f"{kind}.{element}", terms)
    if kind == "Observation":
        _observation(resource, terms, states)


def _coded(concept_: Resource, systems: tuple[str, ...], place: str, terms: Terms) -> None:
    standard = [one for one in concept_.get("coding", []) if one.get("system") in systems and one.get("code")]
    if not standard:
        hint = f"no code of {' or '.join(systems)}: add the local code to the EHR's codes/ and replay the message"
        raise Refuse("concept.unmapped", place=place, hint=hint)
    if any(terms.contradicts(one, concept_.get("text", "")) for one in standard):
        hint = "the code and the words beside it name two things: a person must say which is meant"
        raise Refuse("concept.display_disagrees", place=place, hint=hint)


def _observation(resource: Resource, terms: Terms, states: Sequence[str]) -> None:
    if resource.get("status") not in states:
        hint = "only final results are told; a correction needs an update of the row that was told before"
        raise Refuse("concept.not_final", place="Observation.status", hint=hint)
    effective = resource.get("effectiveDateTime", "")
    if "T" not in effective or not (effective.endswith("Z") or effective[-6:-5] in "+-"):
        hint = "an effective time with a zone is needed, or the EHR would make one up"
        raise Refuse("concept.time_incomplete", place="Observation.effectiveDateTime", hint=hint)
    parts = [(part, f"Observation.component[{place}]") for place, part in enumerate(resource.get("component", []))]
    for part, place in [(resource, "Observation"), *parts]:
        _quantity(part, place, terms)
    if not parts and not any(name.startswith("value") for name in resource):
        raise Refuse("concept.value_missing", place="Observation.value[x]", hint="there is nothing to tell")


def _quantity(part: Resource, place: str, terms: Terms) -> None:
    quantity = part.get("valueQuantity")
    if quantity is None:
        return
    unit = quantity.get("code")
    if quantity.get("system") != _UCUM or not unit:
        hint = "no UCUM unit: add the unit to the EHR's codes/ and replay the message"
        raise Refuse("concept.unit_unmapped", place=f"{place}.valueQuantity.code", hint=hint)
    expected = next(filter(None, (terms.unit_of(one) for one in part.get("code", {}).get("coding", []))), "")
    if expected and not ucum.same_kind(unit, expected):
        hint = f"this is told in {expected} or what converts into it"
        raise Refuse("concept.unit_implausible", place=f"{place}.valueQuantity.code", hint=hint)
