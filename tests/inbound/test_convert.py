"""inbound/convert: what is refused and where, ids that stay the same, and that no odd value costs more than itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine
from headwater.inbound.convert import convert
from headwater.model import Converted
from headwater.templates import Engine
from tests.mappings.examples import MAPPINGS, PLAIN, ehrs, engine, envelope

ADMIT = (MAPPINGS / "base/hl7v2/examples/adt-a01-inpatient.hl7").read_bytes()
DISCHARGE = (MAPPINGS / "base/hl7v2/examples/adt-a03-discharge.hl7").read_bytes()
RESULT = (MAPPINGS / "base/hl7v2/examples/oru-r01-blood-count.hl7").read_bytes()
HEADER = b"MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ADT^A01|C-1|P|2.5.1\r"


def take(body: bytes, content_type: str = "application/hl7-v2") -> Converted:
    return convert(envelope(PLAIN, body, content_type), PLAIN, engine(PLAIN.name))


def only(converted: Converted, kind: str) -> dict[str, Any]:
    (found,) = [resource for resource in converted.resources if resource["resourceType"] == kind]
    return found


def observations(*segments: bytes) -> list[dict[str, Any]]:
    order = b"OBR|1||F-1^LAB|58410-2^CBC^LN|||20250711083000|||||||||||||||20250711090000|||F\r"
    body = HEADER.replace(b"ADT^A01", b"ORU^R01") + b"PID|1||A1^^^MAIN^MR||Rivera^Ana\r" + order + b"\r".join(segments)
    return [one for one in take(body).resources if one["resourceType"] == "Observation"]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"hello", "convert.not_hl7", "MSH"),
        (HEADER, "convert.patient_missing", "PID"),
        (HEADER + b"PID|1||||Rivera^Ana", "convert.patient_unidentified", "PID-3"),
        (HEADER.replace(b"ADT^A01", b"ZZZ^Z99") + b"PID|1||A1", "convert.template_missing", "MSH-9"),
        (HEADER.replace(b"ADT^A01", b"../../x") + b"PID|1||A1", "convert.template_missing", "MSH-9"),
        (HEADER.replace(b"20250711083000", b"") + b"PID|1||A1", "convert.time_missing", "MSH-7"),
        (HEADER + b"PID|1||A1||Rivera\xff\x81", "convert.charset", "MSH-18"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_its_place(body: bytes, code: str, place: str) -> None:
    with pytest.raises(Quarantine) as refused:
        take(body)
    assert (refused.value.code, refused.value.place) == (code, place)


def test_texts_of_blanks_alone_and_extensions_without_a_value_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "hl7v2").mkdir()
    (tmp_path / "hl7v2/ADT_A01.liquid").write_text(
        '{"resources": [{"resourceType": "Patient", "id": "1", "name": [{"text": "{{ a }} ", "given": [" ", "Ana"]}],'
        ' "extension": [{"url": "urn:a", "valueString": " "}, {"url": "urn:b", "extension": [{"url": "urn:c"}]}]}]}'
    )
    made = Engine([tmp_path])
    for _ in range(3):
        converted = convert(envelope(PLAIN, HEADER + b"PID|1||A1"), PLAIN, made)
        assert converted.resources[0] == {"resourceType": "Patient", "id": "1", "name": [{"given": ["Ana"]}]}


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ('{"resources": {"a": 1}}', 'convert.template_output at hl7v2/ADT_A01.liquid: expected { "resources": [ … ] }'),
        ('{"resources": [{"id": "1"}]}', "convert.template_output at hl7v2/ADT_A01.liquid: expected"),
        ('{"resources": [', "convert.json at hl7v2/ADT_A01.liquid: the template's output is not JSON"),
        ("{% if %}", "convert.template_syntax at hl7v2/ADT_A01.liquid:1:"),
        ("{% include 'none' %}", "convert.template_missing at hl7v2/ADT_A01.liquid:1:11: no template 'none'"),
        ("\n{{ 'x' | code: 'none' }}", "convert.codes_missing at codes/none.csv: no folder has this code map"),
        (
            '{"resources": [{"resourceType": "Patient", "id": "1", "link": [{"other": {"reference": "Patient/2"}}]}]}',
            "convert.reference_dangling at Patient: it refers to what is not there",
        ),
        (
            '{"resources": [{"resourceType": "Patient", "id": "1", "gender": "malex"}]}',
            "convert.invalid at Patient.gender: ",
        ),
    ],
)
def test_a_template_that_goes_wrong_is_named(tmp_path: Path, template: str, error: str) -> None:
    (tmp_path / "hl7v2").mkdir()
    (tmp_path / "hl7v2" / "ADT_A01.liquid").write_text(template)
    ours = {name: each.function for name, each in engine(PLAIN.name).dialect.filters.items()}
    with pytest.raises(Quarantine) as refused:
        convert(envelope(PLAIN, ADMIT), PLAIN, Engine([tmp_path], filters={"code": ours["code"]}))
    assert str(refused.value).startswith(error)


def test_an_unknown_content_type_is_refused() -> None:
    with pytest.raises(Quarantine) as refused:
        take(ADMIT, "application/x-unheard-of")
    assert refused.value.code == "convert.format_unknown"


@pytest.mark.parametrize("name", ["Application/HL7-v2; charset=utf-8", "x-application/hl7-v2+er7", "text/hl7v2"])
def test_hl7_has_several_content_types(name: str) -> None:
    assert take(ADMIT, name).kind == "ADT_A01"


def test_the_same_bytes_give_the_same_resources() -> None:
    assert take(ADMIT) == take(ADMIT)


def test_the_same_thing_has_the_same_id_in_every_message() -> None:
    admitted, discharged, result = take(ADMIT), take(DISCHARGE), take(RESULT)
    assert only(admitted, "Patient")["id"] == only(discharged, "Patient")["id"] == only(result, "Patient")["id"]
    assert only(admitted, "Encounter")["id"] == only(discharged, "Encounter")["id"]
    diagnosis = only(discharged, "Condition")["id"]
    assert diagnosis in [one["id"] for one in admitted.resources if one["resourceType"] == "Condition"]


def test_another_ehr_has_other_ids_for_the_same_numbers() -> None:
    other = ehrs()["epic"]
    elsewhere = convert(envelope(other, ADMIT), other, engine("epic"))
    assert only(elsewhere, "Patient")["id"] != only(take(ADMIT), "Patient")["id"]


def test_a_corrected_result_replaces_the_one_it_corrects() -> None:
    (before,) = observations(b"OBX|1|NM|718-7^Hemoglobin^LN||9.8|g/dL|||||P")
    (after,) = observations(b"OBX|1|NM|718-7^Hemoglobin^LN||8.9|g/dL|||||C")
    assert before["id"] == after["id"]
    assert (before["status"], after["status"]) == ("preliminary", "corrected")


def test_two_results_of_one_test_in_an_order_are_two() -> None:
    first, second = observations(b"OBX|1|NM|2345-7^Glucose^LN||98|mg/dL", b"OBX|2|NM|2345-7^Glucose^LN||101|mg/dL")
    assert first["id"] != second["id"]
    assert [one["valueQuantity"]["value"] for one in (first, second)] == [98, 101]


def test_the_event_time_is_when_it_happened_not_when_it_was_sent() -> None:
    assert take(ADMIT).event_time == datetime(2025, 7, 11, 12, 30, tzinfo=UTC)


def test_provenance_names_message_ehr_and_mappings() -> None:
    provenance = take(ADMIT).resources[-1]
    said = [agent["who"].get("identifier", {}).get("value") for agent in provenance["agent"]]
    assert said[-2] == "example"
    assert re.fullmatch("[0-9a-f]{16}", said[-1])
    assert provenance["entity"][0]["what"]["identifier"]["value"] == envelope(PLAIN, ADMIT).key


def test_a_result_does_not_overwrite_the_encounter_that_adt_tells_of() -> None:
    converted = take(RESULT)
    assert not [one for one in converted.resources if one["resourceType"] == "Encounter"]
    assert only(converted, "DiagnosticReport")["encounter"]["identifier"]["value"] == "V-9930127"


def test_a_code_or_unit_without_a_map_stays_as_sent_and_is_flagged() -> None:
    (seen,) = observations(b"OBX|1|NM|ZINC^Zinc^L||70|mcg%|||||F")
    assert seen["code"]["coding"] == [{"system": "urn:headwater:example:codes:L", "code": "ZINC", "display": "Zinc"}]
    assert seen["valueQuantity"] == {"value": 70, "unit": "mcg%"}
    assert [tag["code"] for tag in seen["meta"]["tag"]] == ["code-unmapped", "unit-unmapped"]


@pytest.mark.parametrize("unit", ["mM", "MG/ML", "Mg"])
def test_units_are_never_guessed_by_ignoring_case(unit: str) -> None:
    (seen,) = observations(f"OBX|1|NM|2345-7^Glucose^LN||5|{unit}|||||F".encode())
    assert "code" not in seen["valueQuantity"]


@pytest.mark.parametrize(
    ("sent", "quantity"),
    [
        ("12.50", {"value": 12.5}),
        ("+1,204", {"value": 1204}),
        ("007", {"value": 7}),
        (".5", {"value": 0.5}),
        ("-3", {"value": -3}),
        ("<5", {"comparator": "<", "value": 5}),
        (">= 60", {"comparator": ">=", "value": 60}),
    ],
)
def test_numbers_as_senders_write_them(sent: str, quantity: dict[str, object]) -> None:
    (seen,) = observations(f"OBX|1|NM|2345-7^Glucose^LN||{sent}||||||F".encode())
    assert seen["valueQuantity"] == quantity


@pytest.mark.parametrize("sent", ["see comment", "1,2", "5 to 7", "--", "1e5", "٣"])
def test_what_is_no_number_is_text(sent: str) -> None:
    (seen,) = observations(f"OBX|1|NM|2345-7^Glucose^LN||{sent}||||||F".encode())
    assert seen["valueString"] == sent


def test_a_discharge_before_the_admission_costs_only_the_admission() -> None:
    """Without its end a finished visit would look open."""
    body = DISCHARGE.replace(b"20250714155000-0400", b"20250601080000-0400")
    assert only(take(body), "Encounter")["period"] == {"end": "2025-06-01T08:00:00-04:00"}


def test_a_phone_in_parts_is_not_lost() -> None:
    body = HEADER + b"PID|1||A1^^^MAIN^MR||Rivera^Ana||||||||^PRN^PH^^1^978^5550142^310~^NET^Internet^ana@example.org"
    phone, mail = only(take(body), "Patient")["telecom"]
    assert (phone["system"], phone["value"], phone["use"]) == ("phone", "+1 978 5550142 X310", "home")
    assert (mail["system"], mail["value"]) == ("email", "ana@example.org")


def test_an_authority_that_is_only_an_oid_is_not_taken_for_a_missing_one() -> None:
    epic = ehrs()["epic"]
    body = HEADER + b"PID|1||A1^^^&1.2.3&ISO^MR~B2^^^^PI||Rivera^Ana"
    identifiers = only(convert(envelope(epic, body), epic, engine("epic")), "Patient")["identifier"]
    assert [one.get("system", "") for one in identifiers] == ["urn:oid:1.2.3", ""]


def test_a_location_is_part_of_the_next_one_outwards() -> None:
    body = HEADER + b"PID|1||A1^^^MAIN^MR||Rivera^Ana\rPV1|1|I|4WEST^412^B^NORTH||||||||||||||||V1"
    places = [one for one in take(body).resources if one["resourceType"] == "Location"]
    kinds = [place["physicalType"]["coding"][0]["code"] for place in places]
    assert kinds == ["bd", "ro", "wa", "si"]
    for inner, outer in pairwise(places):
        assert inner["partOf"]["reference"] == f"Location/{outer['id']}"


def test_no_value_of_a_message_is_in_a_refusal() -> None:
    with pytest.raises(Quarantine) as refused:
        take(HEADER + b"PID|1||||Secretname^Jane||19700101|F")
    assert "Secretname" not in str(refused.value)


ODD_VALUES = (
    *(
        '""',
        "~",
        "^",
        "&",
        "^^^",
        "|",
        "~~",
        "^&^",
        "^^^^^^^^^^",
        "&&&",
        "A&B&C^D&E~F",
        "^A",
        "&A",
        "\\",
        "\\E\\",
        "\\X00\\",
    ),
    *(" ", "  two  spaces ", "a b", "\u2028", "É", "'", '"', "<b>", "<", "{{ x }}", "{% raw %}"),
    *("00000000", "20241340", "UNKNOWN", "-1", "0", "99999999999999999999", "1e999", "NaN"),
    *("http://x y", "urn:oid:", "1.2.3"),
)
ODD = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20),
)


@given(body=st.sampled_from([ADMIT, DISCHARGE, RESULT]), at=st.integers(0, 10_000), odd=ODD)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_odd_value_anywhere_costs_only_itself(body: bytes, at: int, odd: str) -> None:
    """Whatever stands in one field, the message still converts; only who it is about, and when, cannot be spared."""
    segments = [segment.split("|") for segment in body.decode().split("\r") if segment]
    places = [(row, column) for row, fields in enumerate(segments[1:], 1) for column in range(1, len(fields))]
    row, column = places[at % len(places)]
    segments[row][column] = odd
    try:
        converted = take("\r".join("|".join(fields) for fields in segments).encode())
    except Quarantine as refused:
        spared = segments[row][0] == "PID" and column <= 3 and refused.code == "convert.patient_unidentified"
        if not spared:
            raise AssertionError(f"{segments[row][0]}-{column}: {refused}") from refused
    else:
        assert only(converted, "Patient")["id"]


def test_codes_without_a_mapping_are_told_of_the_message_that_has_them() -> None:
    first = take(ADMIT.replace(b"|F|", b"|QQ|", 1))
    assert [(one.map, one.code) for one in first.unmapped if one.code == "QQ"] == [("administrative-gender", "QQ")]
    assert not [one for one in take(ADMIT).unmapped if one.code == "QQ"]
