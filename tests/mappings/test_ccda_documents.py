"""Whole C-CDA documents: each type, what stays the same from one to the next, and documents that lack something."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from functools import cache
from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.fhir.narrative import narrative_problem
from headwater.inbound.convert import convert
from headwater.model import Converted, Resource
from tests.mappings.examples import MAPPINGS, PLAIN, engine, envelope
from tests.mappings.test_ccda_rows import DOCUMENT, PLACES

EXAMPLES = MAPPINGS / "base/ccda/examples"
# Each document type of C-CDA R2.1, and eICR's, by its LOINC code.
TYPES = {
    "care-plan": "52521-2",
    "ccd": "34133-9",
    "consultation-note": "11488-4",
    "diagnostic-imaging-report": "18748-4",
    "discharge-summary": "18842-5",
    "eicr": "55751-2",
    "history-and-physical": "34117-2",
    "operative-note": "11504-8",
    "patient-generated": "51855-5",
    "procedure-note": "28570-0",
    "progress-note": "11506-3",
    "referral-note": "57133-1",
    "transfer-summary": "18761-7",
}
RICH = ("ccd", "referral-note", "discharge-summary")


def take(body: bytes) -> Converted:
    return convert(envelope(PLAIN, body, "application/cda+xml"), PLAIN, engine(PLAIN.name))


@cache
def example(name: str) -> Converted:
    return take((EXAMPLES / f"{name}.xml").read_bytes())


def filled(**places: str) -> bytes:
    """The smallest document, with XML put where it says."""
    text = DOCUMENT.replace("{loinc}", "11450-4")
    for place in PLACES:
        text = text.replace(f"{{{place}}}", places.get(place, ""))
    return text.encode()


def of(kind: str, converted: Converted) -> list[Resource]:
    return [one for one in converted.resources if one["resourceType"] == kind]


def sections(composition: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    waiting = list(composition["section"])
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].get("section", [])
    return found


@pytest.mark.parametrize(("name", "code"), TYPES.items())
def test_each_document_type_is_a_composition_whose_sections_keep_their_words(name: str, code: str) -> None:
    (composition,) = of("Composition", example(name))
    assert composition["type"]["coding"][0]["code"] == code
    sent = (EXAMPLES / f"{name}.xml").read_text("utf-8").count("<section>")
    assert len(sections(composition)) == sent
    for section in sections(composition):
        assert section["title"]
        assert section["text"]["status"] in ("generated", "additional")
        assert narrative_problem(section["text"]["div"]) == ""


@pytest.mark.parametrize("name", RICH)
def test_nothing_in_a_rich_document_is_silently_unread(name: str) -> None:
    assert example(name).unread == ()


@pytest.mark.parametrize("name", RICH)
def test_every_entry_of_a_section_is_told_of_in_it(name: str) -> None:
    (composition,) = of("Composition", example(name))
    with_entries = sum(1 for section in sections(composition) if section.get("entry"))
    body = ET.fromstring((EXAMPLES / f"{name}.xml").read_bytes())
    v3 = "{urn:hl7-org:v3}"
    assert with_entries == sum(1 for section in body.iter(f"{v3}section") if section.find(f"{v3}entry") is not None)


def test_what_a_later_document_tells_again_is_the_same_thing() -> None:
    told = [{(one["resourceType"], one["id"]) for one in example(name).resources} for name in RICH]
    kinds = [kind for kind, _ in set.intersection(*told)]
    assert kinds.count("Condition") == 4
    assert {"Patient", "AllergyIntolerance", "MedicationRequest", "Observation", "Practitioner", "Organization"} <= set(
        kinds
    )
    assert "Composition" not in kinds


def test_an_author_and_a_time_are_one_provenance_of_all_that_they_wrote() -> None:
    ccd = example("ccd")
    (written,) = [one for one in of("Provenance", ccd) if one["recorded"] == "2019-04-02T10:15:00-04:00"]
    assert [target["reference"].partition("/")[0] for target in written["target"]] == ["AllergyIntolerance"] * 3
    (told,) = [one for one in of("Provenance", ccd) if one["agent"][0]["type"]["coding"][0]["code"] == "informant"]
    assert told["agent"][0]["who"]["reference"].startswith("RelatedPerson/")
    pointed = [
        entry["reference"]
        for one in sections(of("Composition", ccd)[0])
        for entry in one.get("entry", ())
        if "reference" in entry
    ]
    assert not [reference for reference in pointed if reference.startswith("Provenance/")]


def test_the_header_is_who_wrote_signed_and_keeps_it() -> None:
    (composition,) = of("Composition", example("ccd"))
    assert [one["mode"] for one in composition["attester"]] == ["legal", "professional"]
    assert composition["relatesTo"][0]["code"] == "replaces"
    assert composition["custodian"]["reference"].startswith("Organization/")
    assert composition["encounter"]["reference"].startswith("Encounter/")
    told = {one["url"].rpartition("/")[2] for one in composition["extension"]}
    assert {
        "DataEntererExtension",
        "InformantExtension",
        "InformationRecipientExtension",
        "ParticipantExtension",
    } <= told
    assert {"PerformerExtension", "OrderExtension", "AuthorizationExtension"} <= told


def test_the_visit_of_the_header_and_of_the_encounters_is_one() -> None:
    visits = [one for one in of("Encounter", example("ccd")) if one["status"] == "finished"]
    assert len(visits) == 1
    assert "diagnosis" in visits[0]
    assert "serviceProvider" in visits[0]


def test_an_implant_is_the_patients_device_with_the_parts_of_its_udi() -> None:
    (device,) = [one for one in of("Device", example("ccd")) if "udiCarrier" in one]
    assert (device["lotNumber"], device["serialNumber"], device["expirationDate"]) == ("LOT7A", "SN4471", "2027-05-12")
    assert device["udiCarrier"][0]["deviceIdentifier"] == "00844588003288"
    assert "patient" in device


def test_us_core_extensions_of_the_patient_come_from_header_and_social_history() -> None:
    (patient,) = of("Patient", example("ccd"))
    told = {one["url"].rpartition("/")[2]: one for one in patient["extension"]}
    assert {"us-core-race", "us-core-ethnicity", "us-core-genderIdentity"} <= told.keys()
    assert told["us-core-birthsex"]["valueCode"] == "F"


def test_a_patients_own_document_is_the_patients() -> None:
    converted = example("patient-generated")
    (composition,) = of("Composition", converted)
    assert composition["author"] == [{"reference": f"Patient/{of('Patient', converted)[0]['id']}"}]


def test_a_case_report_has_its_triggers_and_where_the_patient_was() -> None:
    converted = example("eicr")
    travel = [one for one in of("Observation", converted) if one["code"]["coding"][0]["code"] == "420008001"]
    (place,) = [one for one in of("Location", converted) if one.get("address", {}).get("country") == "PT"]
    assert travel[0]["extension"][0]["valueReference"]["reference"] == f"Location/{place['id']}"
    assert of("Condition", converted)[0]["code"]["coding"][0]["code"] == "27836007"


def test_an_unstructured_document_is_the_file_and_its_header() -> None:
    (document,) = of("DocumentReference", example("unstructured-document"))
    assert document["content"][0]["attachment"]["contentType"] == "application/pdf"
    assert {"author", "custodian", "authenticator"} <= document.keys()
    assert of("Composition", example("unstructured-document")) == []


def test_a_section_that_nobody_knows_keeps_words_and_entries() -> None:
    entry = (
        '<entry><observation classCode="OBS" moodCode="EVN"><code code="1" codeSystem="1.2.3"/></observation></entry>'
    )
    converted = take(filled(body=entry).replace(b"11450-4", b"99999-9"))
    (section,) = of("Composition", converted)[0]["section"]
    assert section["code"]["coding"][0]["code"] == "99999-9"
    assert section["entry"][0]["reference"] == f"Observation/{of('Observation', converted)[0]['id']}"


@pytest.mark.parametrize(
    ("place", "xml"),
    [
        ("section", '<text nullFlavor="NI"/>'),
        ("person", "<birthTime value='18000101120000'/>"),
        ("person", "<guardian><code code='MTH' codeSystem='2.16.840.1.113883.5.111'/></guardian>"),
        ("role", "<providerOrganization><name>A</name><telecom use='HP' value='tel:1'/></providerOrganization>"),
        ("header", "<author><time value='2024'/><assignedAuthor><id nullFlavor='UNK'/></assignedAuthor></author>"),
        ("header", "<relatedDocument typeCode='RPLC'><parentDocument><id root=''/></parentDocument></relatedDocument>"),
    ],
)
def test_a_document_that_lacks_something_is_still_valid(place: str, xml: str) -> None:
    assert len(of("Composition", take(filled(**{place: xml})))) == 1


def test_a_name_in_the_narrative_is_data_and_never_a_template_or_json() -> None:
    body = filled(body='<entry><observation classCode="OBS" moodCode="EVN"><code code="1"/>'
                       '<text>{{ patient }} "}, {% raw %} \\</text></observation></entry>')  # fmt: skip
    (observation,) = of("Observation", take(body))
    assert '{{ patient }} "}, {% raw %} \\' in observation["text"]["div"]


UNIDENTIFIED = {"convert.patient_missing", "convert.patient_unidentified", "convert.time_missing"}


@pytest.mark.parametrize("unknown", [False, True], ids=["left out", "unknown"])
def test_whatever_is_missing_costs_only_itself(unknown: bool) -> None:
    """Elements are left out, or said to be unknown, one at a time: what is left is valid, unless nobody is named."""
    text = (EXAMPLES / "consultation-note.xml").read_text("utf-8")
    count = sum(1 for _ in ET.fromstring(text).iter())
    for at in random.Random(7).sample(range(1, count), 40):
        source = ET.fromstring(text)
        elements = list(source.iter())
        lost = elements[at]
        if unknown:
            lost.clear()
            lost.set("nullFlavor", "UNK")
        else:
            next(one for one in elements if lost in list(one)).remove(lost)
        code = ""
        try:
            take(ET.tostring(source))
        except Quarantine as refused:
            code = refused.code
        assert code in UNIDENTIFIED | {""}
