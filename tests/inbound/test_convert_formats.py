"""inbound/convert with formats other than HL7 v2: what they become, and that nothing but our own errors comes out."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs.engines import engine_for
from headwater.errors import HeadwaterError, Quarantine
from headwater.inbound.convert import convert
from headwater.model import Converted
from tests.formats.synthetic_ccda import ccd
from tests.mappings.examples import MAPPINGS, PLAIN, engine, envelope

BASE = MAPPINGS / "base"
BUNDLE = (BASE / "fhir/examples/bundle-transaction.fhir").read_bytes()
CCD = (BASE / "ccda/examples/ccd-outpatient.xml").read_bytes()
ROSTER = (BASE / "csv/examples/roster.csv").read_bytes()
VITALS = (BASE / "json/examples/vitals.jsonl").read_bytes()
ANA = {"resourceType": "Patient", "id": "a", "meta": {"lastUpdated": "2025-07-11T08:30:00Z"}}
SEEN = {"resourceType": "Observation", "issued": "2025-07-11T08:30:00Z"}
CCDA, FHIR, JSON, CSV = "application/cda+xml", "application/fhir+json", "application/json", "text/csv"


def take(body: bytes, content_type: str) -> Converted:
    return convert(envelope(PLAIN, body, content_type), PLAIN, engine(PLAIN.name))


def refused(body: bytes, content_type: str) -> tuple[str, str]:
    with pytest.raises(Quarantine) as error:
        take(body, content_type)
    return error.value.code, error.value.place


def kinds(converted: Converted) -> list[str]:
    return [resource["resourceType"] for resource in converted.resources]


def test_fhir_needs_no_template_and_gets_provenance_beside_the_senders_own() -> None:
    converted = take(BUNDLE, FHIR)
    assert kinds(converted) == ["Patient", "Encounter", "Observation", "Provenance", "Provenance"]
    theirs, ours = converted.resources[-2:]
    assert theirs["recorded"] == "2025-07-11T12:06:00Z"
    assert len(ours["target"]) == 4


@pytest.mark.parametrize("name", ["application/fhir+json; fhirVersion=4.0", "application/fhir+ndjson"])
def test_fhir_has_several_content_types(name: str) -> None:
    assert take(BUNDLE, name).kind == "Bundle"


@pytest.mark.parametrize(
    ("resources", "code", "place"),
    [
        ([], "convert.time_missing", "Bundle.timestamp"),
        ([SEEN], "convert.patient_missing", "Bundle.entry"),
        ([ANA, {**ANA, "id": "b"}], "convert.patient_several", "Bundle.entry"),
        ([{**ANA, "gender": "f"}], "convert.invalid", "Patient.gender"),
        ([{"resourceType": "NutritionIntake"}], "convert.fhir_version_unsupported", "Bundle"),
    ],
)
def test_fhir_that_cannot_be_stored_is_refused_with_its_place(
    resources: list[dict[str, Any]], code: str, place: str
) -> None:
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    assert refused(orjson.dumps(body), FHIR) == (code, place)


def test_a_document_names_the_patient_as_hl7_does() -> None:
    """The same record number of the same authority is the same Patient, whatever format tells of it."""
    admitted = (BASE / "hl7v2/examples/adt-a01-inpatient.hl7").read_bytes()
    ours = replace(PLAIN, feed=replace(PLAIN.feed, authorities={"NORTHSHORE": "urn:oid:2.16.840.1.113883.19.700"}))
    made = engine_for(MAPPINGS)(ours)
    sent = [(CCD, CCDA), (ROSTER, CSV), (VITALS, JSON), (admitted, "text/hl7v2")]
    told = [convert(envelope(ours, body, content_type), ours, made) for body, content_type in sent]
    ids = [one["id"] for each in told for one in each.resources if one["resourceType"] == "Patient"]
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_sections_are_found_wherever_they_are_and_what_is_not_read_is_named() -> None:
    body = CCD.replace(b"<lotNumberText>", b"<desc>flu</desc><lotNumberText>")
    converted = take(body.replace(b"<maritalStatus", b'<desc value="x"/><maritalStatus'), CCDA)
    assert kinds(converted).count("Immunization") == 2
    material = "entry.substanceAdministration.consumable.manufacturedProduct.manufacturedMaterial"
    assert converted.unread == ("recordTarget.patientRole.patient.desc", f"section 11369-6.{material}.desc")


def test_prefixes_change_nothing() -> None:
    prefixed = CCD.replace(b"xmlns:sdtc=", b"xmlns:q=").replace(b"sdtc:deceasedInd", b"q:deceasedInd")
    assert prefixed != CCD
    assert take(prefixed, CCDA).resources[:-1] == take(CCD, CCDA).resources[:-1]


WRITTEN = b'<effectiveTime value="20250711103000-0400"/>'
NUMBER = b'<id root="2.16.840.1.113883.19.700" extension="8842017"/>'
NOBODY = ("convert.patient_unidentified", "recordTarget.patientRole.id")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (WRITTEN, b"", ("convert.time_missing", "ClinicalDocument.effectiveTime")),
        (NUMBER, b'<id nullFlavor="UNK"/>', NOBODY),
        (NUMBER, b'<id root="2.16.840.1.113883.19.700"/>', NOBODY),
        (b"</recordTarget>", b"</recordTarget><recordTarget/>", ("convert.patient_several", "recordTarget")),
    ],
)
def test_a_document_that_cannot_be_stored_is_refused_with_its_place(
    old: bytes, new: bytes, error: tuple[str, str]
) -> None:
    assert old in CCD
    assert refused(CCD.replace(old, new, 1), CCDA) == error


def test_a_root_that_is_only_an_oid_identifies_no_entry() -> None:
    """Some senders write their own OID into every id: these entries are still several things."""
    same = CCD.replace(b'extension="P-1"', b"").replace(b'extension="P-2"', b"")
    conditions = [one["id"] for one in take(same, CCDA).resources if one["resourceType"] == "Condition"]
    assert len(set(conditions)) == 2


@pytest.mark.parametrize(("unit", "code"), [("kg", "kg"), ("lbs", "[lb_av]"), ("F", None)])
def test_a_unit_that_is_none_of_ucum_is_mapped_or_has_no_code(unit: str, code: str | None) -> None:
    body = CCD.replace(b'value="63.4" unit="kg"', f'value="63.4" unit="{unit}"'.encode())
    found = [one["valueQuantity"] for one in take(body, CCDA).resources if "valueQuantity" in one]
    (weight,) = [one for one in found if one["value"] == 63.4]
    assert (weight["unit"], weight.get("code")) == (unit, code)


def test_entries_that_share_an_id_are_still_several() -> None:
    same = CCD.replace(b'extension="R-1-2"', b'extension="R-1-1"').replace(b'extension="P-2"', b'extension="P-1"')
    assert kinds(take(same, CCDA)) == kinds(take(CCD, CCDA))


def test_entries_of_two_patients_that_share_an_id_are_two() -> None:
    """Vendors copy ids out of HL7's examples into every document."""
    other = CCD.replace(b'extension="8842017"', b'extension="8842018"')
    anyones = ("Organization", "Practitioner")
    ours, theirs = (
        {one["id"] for one in take(body, CCDA).resources if one["resourceType"] not in anyones} for body in (CCD, other)
    )
    assert not ours & theirs


def test_a_large_document_becomes_as_many_results() -> None:
    assert kinds(take(ccd(20), CCDA)).count("Observation") == 20


def test_a_document_that_is_a_file_is_kept_as_one() -> None:
    body = CCD[: CCD.index(b"<component>")] + (
        b'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">\n JVBE\n Ri0x\n</text>'
        b"</nonXMLBody></component></ClinicalDocument>"
    )
    (document,) = [one for one in take(body, CCDA).resources if one["resourceType"] == "DocumentReference"]
    assert document["content"] == [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0x"}}]


def test_a_negated_allergy_without_a_substance_is_no_known_allergy() -> None:
    start, end = CCD.index(b'<participant typeCode="CSM">'), CCD.index(b"</participant>") + len(b"</participant>")
    body = (CCD[:start] + CCD[end:]).replace(
        b'<observation classCode="OBS" moodCode="EVN">',
        b'<observation classCode="OBS" moodCode="EVN" negationInd="true">',
        1,
    )
    (allergy,) = [one for one in take(body, CCDA).resources if one["resourceType"] == "AllergyIntolerance"]
    assert allergy["code"]["coding"][0]["code"] == "409137002"  # of drugs, as its value says
    assert allergy["verificationStatus"]["coding"][0]["code"] == "confirmed"


def test_a_template_that_gives_no_time_is_told_so() -> None:
    assert refused(ROSTER.replace(b"2025-07-11 08:30:00", b""), CSV) == ("convert.time_missing", "csv/roster")


def test_errors_hold_no_values() -> None:
    with pytest.raises(Quarantine) as error:
        take(ROSTER.replace(b"8842017", b""), CSV)
    assert "Castellano" not in str(error.value)
    assert error.value.code == "convert.patient_unidentified"


ODD = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12) | st.sampled_from(
    ["", " ", '"', "'", "\\", "{{ x }}", "{% raw %}", "null", "1e999", "-", "\x1f", "&lt;", "UNK", "99999999"]
)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 17), odd=ODD)
def test_an_odd_value_in_a_row_costs_only_itself(place: int, odd: str) -> None:
    header, row = ROSTER.decode().splitlines()
    values = next(csv.reader([row]))
    values[place] = odd
    out = io.StringIO()
    csv.writer(out).writerow(values)
    try:
        assert kinds(take(f"{header}\n{out.getvalue()}".encode(), CSV)) == ["Patient", "Provenance"]
    except Quarantine as error:
        needed = {0: "convert.patient_unidentified", 16: "convert.time_missing"}
        assert error.code == needed.get(place)  # noqa: PT017


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), odd=ODD)
def test_an_odd_attribute_in_a_document_gives_nothing_but_our_own_errors(at: int, odd: str) -> None:
    values = list(re.finditer(r'(?:value|code|root|extension|unit|use)=("[^"]*")', CCD.decode()))
    chosen = values[at % len(values)]
    text = CCD.decode()
    with contextlib.suppress(HeadwaterError):
        converted = take((text[: chosen.start(1)] + quoteattr(odd) + text[chosen.end(1) :]).encode(), CCDA)
        assert kinds(converted)[-1] == "Provenance"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
@pytest.mark.parametrize("content_type", [CCDA, FHIR, JSON, CSV, "application/hl7-v2", "image/png", ""])
def test_whatever_the_bytes_are_nothing_but_our_own_errors(content_type: str, body: bytes) -> None:
    with contextlib.suppress(HeadwaterError):
        assert kinds(take(body, content_type))[-1] == "Provenance"


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(0, 10_000),
    new=st.none() | st.booleans() | st.integers(-(2**60), 2**60) | ODD | st.lists(ODD, max_size=2),
)
def test_an_odd_member_in_a_bundle_gives_nothing_but_our_own_errors(at: int, new: Any) -> None:
    bundle = orjson.loads(BUNDLE)
    places: list[tuple[Any, Any]] = []
    waiting = [bundle]
    while waiting:
        node = waiting.pop()
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    node, key = places[at % len(places)]
    node[key] = new
    with contextlib.suppress(HeadwaterError):
        assert kinds(take(orjson.dumps(bundle), FHIR))[-1] == "Provenance"
