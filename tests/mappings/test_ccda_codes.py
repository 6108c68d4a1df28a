"""The codes that the C-CDA on FHIR guide maps, each in the smallest document that has it (`ccda/codes.csv`)."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator

import pytest

from headwater.inbound.convert import convert
from tests.mappings.examples import PLAIN, engine, envelope
from tests.mappings.test_ccda_rows import DOCUMENT, FOLDER, PLACES, looked_up

SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'
STATUS = '<statusCode code="{code}"/>'
NOTED = (
    '<entryRelationship><observation><code code="{of}"/><value xsi:type="CD" code="{code}" {system}/></observation>'
    "</entryRelationship>"
)
HIVES = f'<value xsi:type="CD" code="247472004" {SNOMED}/>'
REACTION = (
    f'<entryRelationship typeCode="MFST"><observation>{HIVES}{NOTED.replace("{of}", "SEV")}</observation>'
    "</entryRelationship>"
)
VALUE = f'<value xsi:type="CD" code="{{code}}" {SNOMED}/>'
# What is mapped: the page whose carrier holds it, the carrier, the XML, and the path.
MAPPED = {
    "address-use": ("patient", "role", '<addr use="{code}"><city>A</city></addr>', "Patient.address.use"),
    "name-use": ("patient", "person", '<name use="{code}"><family>A</family></name>', "Patient.name.use"),
    "telecom-use": ("patient", "role", '<telecom use="{code}" value="tel:1"/>', "Patient.telecom.use"),
    "telecom-system": ("patient", "role", '<telecom value="{code}:1"/>', "Patient.telecom.system"),
    "gender": ("patient", "person", '<administrativeGenderCode code="{code}"/>', "Patient.gender"),
    "allergy-category": ("allergies", "entry", VALUE, "AllergyIntolerance.category"),
    "allergy-type": ("allergies", "entry", VALUE, "AllergyIntolerance.type"),
    "no-known-allergies": ("allergies", "none", VALUE, "AllergyIntolerance.code.coding.code"),
    "allergy-status": (
        "allergies",
        "entry",
        NOTED.replace("{of}", "33999-4"),
        "AllergyIntolerance.clinicalStatus.coding.code",
    ),
    "criticality": ("allergies", "entry", NOTED.replace("{of}", "82606-5"), "AllergyIntolerance.criticality"),
    "severity": ("allergies", "entry", REACTION, "AllergyIntolerance.reaction.severity"),
    "concern-status": ("problems", "concern", STATUS, "Condition.clinicalStatus.coding.code"),
    "problem-status": ("problems", "entry", NOTED.replace("{of}", "33999-4"), "Condition.clinicalStatus.coding.code"),
    "problem-category": ("problems", "section", "{code}", "Condition.category.coding.code"),
    "immunization-status": ("immunizations", "entry", STATUS, "Immunization.status"),
    "medication-status": ("medications", "entry", STATUS, "MedicationRequest.status"),
    "medication-mood": ("medications", "mood", "", "MedicationRequest.intent"),
    "procedure-status": ("procedures", "entry", STATUS, "Procedure.status"),
    "encounter-status": ("encounters", "entry", STATUS, "Encounter.status"),
    "report-status": ("results", "entry", STATUS, "DiagnosticReport.status"),
    "result-status": ("results", "observation", STATUS, "Observation.status"),
    "null-flavor": (
        "results",
        "observation",
        '<value xsi:type="PQ" nullFlavor="{code}"/>',
        "Observation.dataAbsentReason.coding.code",
    ),
}
CRITICALITY = 'codeSystem="2.16.840.1.113883.5.1063"'


def rows() -> Iterator[tuple[str, str, str]]:
    with (FOLDER / "codes.csv").open(encoding="utf-8", newline="") as lines:
        yield from ((row["of"], row["code"], row["becomes"]) for row in csv.DictReader(lines))


def document(of: str, code: str) -> bytes:
    page, name, xml, _ = MAPPED[of]
    facts = tomllib.loads((FOLDER / f"{page}.toml").read_text("utf-8"))
    carriers = facts.get("carriers", {})
    system = CRITICALITY if of == "criticality" else SNOMED
    xml = xml.replace("{code}", code).replace("{system}", system)
    filled = DOCUMENT.replace("{loinc}", code if name == "section" else facts.get("section", "11450-4"))
    body = carriers.get("ordered" if code == "INT" else name if name in carriers else "entry", "{row}")
    at = name if name in PLACES[:3] else "body"
    body = body.replace("{row}", "" if name == "section" else xml).replace("{attributes}", "")
    for place in PLACES:
        filled = filled.replace(f"{{{place}}}", body if place == at else "")
    return filled.encode()


@pytest.mark.parametrize(("of", "code", "becomes"), list(rows()))
def test_a_code_of_the_guide_is_mapped(of: str, code: str, becomes: str) -> None:
    sent = envelope(PLAIN, document(of, code), "application/cda+xml")
    made = convert(sent, PLAIN, engine(PLAIN.name)).resources
    assert becomes in list(looked_up(MAPPED[of][3], made))
