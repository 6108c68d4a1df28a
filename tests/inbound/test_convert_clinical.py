"""inbound/convert, clinical HL7 v2: what senders do against the standard, and ids that orders and documents keep."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.inbound.convert import convert
from headwater.model import Converted
from tests.mappings.examples import MAPPINGS, PLAIN, engine, envelope

EXAMPLES = MAPPINGS / "base/hl7v2/examples"
PATIENT = "PID|1||A1^^^MAIN^MR||Rivera^Ana"
ORDER = "OBR|1|P-1^EHR|F-1^LAB|58410-2^CBC^LN|||20250711083000|||||||||||||||20250711090000|||F"


def take(kind: str, *segments: str) -> Converted:
    header = f"MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||{kind}|C-1|P|2.5.1"
    return convert(envelope(PLAIN, "\r".join((header, *segments)).encode()), PLAIN, engine(PLAIN.name))


def every(converted: Converted, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in converted.resources if resource["resourceType"] == kind]


def only(converted: Converted, kind: str) -> dict[str, Any]:
    (found,) = every(converted, kind)
    return found


def example(name: str) -> Converted:
    return convert(envelope(PLAIN, (EXAMPLES / f"{name}.hl7").read_bytes()), PLAIN, engine(PLAIN.name))


# ------------------------------------------------------------------------------------------------- against the standard


def test_results_without_an_orc_are_results() -> None:
    with_orc = take("ORU^R01", PATIENT, "ORC|RE|P-1^EHR|F-1^LAB", ORDER, "OBX|1|NM|718-7^Hb^LN||13|g/dL^^UCUM")
    without = take("ORU^R01", PATIENT, ORDER, "OBX|1|NM|718-7^Hb^LN||13|g/dL^^UCUM")
    for kind in ("ServiceRequest", "DiagnosticReport", "Observation"):
        assert only(with_orc, kind)["id"] == only(without, kind)["id"]
    assert only(without, "Observation")["valueQuantity"]["value"] == 13


def test_an_obx_before_any_order_is_the_patient_s_and_in_no_report() -> None:
    converted = take(
        "ORU^R01", PATIENT, "OBX|1|NM|8867-4^HR^LN||118|/min^^UCUM", ORDER, "OBX|1|NM|718-7^Hb^LN||13|g/dL^^UCUM"
    )
    pulse, hemoglobin = every(converted, "Observation")
    assert [pulse["code"]["coding"][0]["code"], hemoglobin["code"]["coding"][0]["code"]] == ["8867-4", "718-7"]
    assert pulse["category"][0]["coding"][0]["code"] == "vital-signs"
    assert only(converted, "DiagnosticReport")["result"] == [{"reference": f"Observation/{hemoglobin['id']}"}]


def test_results_of_no_order_at_all_are_observations() -> None:
    converted = take("ORU^R01", PATIENT, "OBX|1|NM|8867-4^HR^LN||118|/min^^UCUM|||||F|||20250711083000")
    assert only(converted, "Observation")["effectiveDateTime"] == "2025-07-11T08:30:00-04:00"
    assert every(converted, "DiagnosticReport") == []


@pytest.mark.parametrize("kind", ["ST", "NM", "CWE"])
def test_several_values_are_components(kind: str) -> None:
    observation = only(take("ORU^R01", PATIENT, ORDER, f"OBX|1|{kind}|X^Test^L||5~7"), "Observation")
    assert len(observation["component"]) == 2
    assert not [name for name in observation if name.startswith("value")]


@pytest.mark.parametrize("kind", ["TX", "FT"])
def test_several_values_of_a_text_are_its_lines(kind: str) -> None:
    observation = only(take("ORU^R01", PATIENT, ORDER, f"OBX|1|{kind}|X^Test^L||one~two"), "Observation")
    assert observation["valueString"] == "one\ntwo"


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("SN", ">^80", {"valueQuantity": {"comparator": ">", "value": 80}}),
        ("SN", "=^80", {"valueQuantity": {"value": 80}}),
        ("SN", "^1^:^128", {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}),
        ("SN", "^2^-^4", {"valueRange": {"low": {"value": 2}, "high": {"value": 4}}}),
        ("SN", "^2^+", {"valueString": "2 +"}),
        ("NM", "<0.01", {"valueQuantity": {"comparator": "<", "value": 0.01}}),
        ("NM", "1,200", {"valueQuantity": {"value": 1200}}),
        ("NM", "not done", {"valueString": "not done"}),
    ],
)
def test_numbers_with_a_sign_before_them(kind: str, sent: str, value: dict[str, Any]) -> None:
    observation = only(take("ORU^R01", PATIENT, ORDER, f"OBX|1|{kind}|X^Test^L||{sent}"), "Observation")
    found = {name: said for name, said in observation.items() if name.startswith("value")}
    assert found == value


def test_documents_in_results_arrive_byte_by_byte() -> None:
    pdf, rtf, cda, text = every(example("oru-r01-embedded-documents"), "Observation")
    kinds = [one["extension"][0]["valueAttachment"]["contentType"] for one in (pdf, rtf, cda)]
    assert kinds == ["application/pdf", "text/rtf", "text/xml"]
    data = [base64.b64decode(one["extension"][0]["valueAttachment"]["data"]) for one in (pdf, rtf, cda)]
    assert data[0].startswith(b"%PDF-1.4")
    assert data[1] == rb"{\rtf1\ansi Benign nevus, \b completely\b0  excised.}"
    assert data[2] == b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
    assert text["valueString"] == "Skin, left forearm:\nCompound nevus&no atypia\nMargins free"


def test_a_note_is_about_what_it_stands_behind() -> None:
    converted = take(
        "ORU^R01", PATIENT, ORDER, "NTE|1||about the order", "OBX|1|ST|X^Test^L||a", "NTE|1||about the result"
    )
    assert only(converted, "ServiceRequest")["note"] == [{"text": "about the order"}]
    assert only(converted, "Observation")["note"] == [{"text": "about the result"}]


def test_a_note_behind_a_specimen_is_the_specimen_s() -> None:
    spm = "SPM|1|S-1&EHR||BLD^Whole blood^HL70487"
    converted = take("ORU^R01", PATIENT, ORDER, "OBX|1|ST|X^Test^L||a", spm, "NTE|1||about the specimen")
    assert only(converted, "Specimen")["note"] == [{"text": "about the specimen"}]
    assert "note" not in only(converted, "Observation")


def test_segments_that_nobody_knows_change_nothing_and_are_reported() -> None:
    plain = take("ORU^R01", PATIENT, ORDER, "OBX|1|ST|X^Test^L||a")
    local = take("ORU^R01", "ZZ1|1|x", PATIENT, "ZPI|y", ORDER, "ZOB|1", "OBX|1|ST|X^Test^L||a", "ZOX|z")
    kept = [
        {k: v for k, v in one.items() if k != "id"} for one in local.resources if one["resourceType"] != "Provenance"
    ]
    assert kept == [
        {k: v for k, v in one.items() if k != "id"} for one in plain.resources if one["resourceType"] != "Provenance"
    ]
    assert {"ZZ1-2", "ZPI-1", "ZOX-1"} <= set(local.unread)


def test_a_question_asked_with_an_order_goes_with_the_request() -> None:
    converted = take("ORU^R01", PATIENT, ORDER, f"OBX|1|ST|ASK^Fasting^L||yes{'|' * 24}QST", "OBX|2|ST|X^Test^L||a")
    asked, result = every(converted, "Observation")
    assert only(converted, "ServiceRequest")["supportingInfo"] == [{"reference": f"Observation/{asked['id']}"}]
    assert only(converted, "DiagnosticReport")["result"] == [{"reference": f"Observation/{result['id']}"}]


# ---------------------------------------------------------------------------------------------------------- the same id


def test_an_order_its_answer_and_its_results_are_one_request() -> None:
    ordered = take("OML^O21", PATIENT, "ORC|NW|P-1^EHR", "OBR|1|P-1^EHR||58410-2^CBC^LN")
    answered = take("ORL^O22", "MSA|AA|C-1", PATIENT, "ORC|OK|P-1^EHR|F-1^LAB", "OBR|1|P-1^EHR|F-1^LAB|58410-2^CBC^LN")
    resulted = take("ORU^R01", PATIENT, ORDER)
    assert len({only(one, "ServiceRequest")["id"] for one in (ordered, answered, resulted)}) == 1


def test_a_medicine_is_one_request_from_prescription_to_dose() -> None:
    prescribed, encoded = example("orm-o01-medicine"), example("rde-o11-encoded-order")
    assert only(prescribed, "MedicationRequest")["id"] == only(encoded, "MedicationRequest")["id"]
    (dispensed,) = only(example("rds-o13-dispensed"), "MedicationDispense")["authorizingPrescription"]
    numbers = [one["value"] for one in only(encoded, "MedicationRequest")["identifier"]]
    assert dispensed["identifier"]["value"] in numbers


def test_an_appointment_stays_itself_when_it_is_cancelled_or_missed() -> None:
    told = [only(example(name), "Appointment") for name in ("siu-s12-booked", "siu-s15-cancelled", "siu-s26-no-show")]
    assert len({one["id"] for one in told}) == 1
    assert [one["status"] for one in told] == ["booked", "cancelled", "noshow"]


def test_a_cancelled_document_is_the_one_that_was_told_of() -> None:
    addendum, cancelled = (
        only(example("mdm-t06-addendum"), "DocumentReference"),
        only(example("mdm-t11-cancelled"), "DocumentReference"),
    )
    assert addendum["id"] == cancelled["id"]
    assert (addendum["status"], cancelled["status"]) == ("current", "entered-in-error")
    (relation,) = addendum["relatesTo"]
    assert (relation["code"], relation["target"]["identifier"]["value"]) == ("appends", "DOC-7001")


def test_a_corrected_immunization_replaces_the_first_and_refusals_stay_apart() -> None:
    first, _, refused = every(example("vxu-v04-infant"), "Immunization")
    corrected = only(example("vxu-v04-immunity-and-reaction"), "Immunization")
    assert first["id"] == corrected["id"] != refused["id"]
    assert refused["status"] == "not-done"


# -------------------------------------------------------------------------------------------------------------- answers


def test_an_acknowledgement_is_about_a_message_and_nobody() -> None:
    converted = take(
        "ACK^R01^ACK",
        "MSA|AE|C/77|rejected",
        "ERR||PID^1^3^1^1|101^Required field missing^HL70357|E||||The identifier is missing",
    )
    assert every(converted, "Patient") == []
    response = only(converted, "MessageHeader")["response"]
    (issue,) = only(converted, "OperationOutcome")["issue"]
    assert (response["identifier"], response["code"]) == ("C-77", "fatal-error")
    assert (issue["code"], issue["location"]) == ("required", ["PID[1]-3.1"])


def test_candidates_for_a_patient_are_refused() -> None:
    with pytest.raises(Quarantine, match=r"convert\.patient_several"):
        take("RSP^K11", "MSA|AA|Q-1", PATIENT, "PID|2||A2^^^MAIN^MR||Rivera^Anna")


def test_what_answers_nothing_is_about_somebody() -> None:
    with pytest.raises(Quarantine, match=r"convert\.patient_missing"):
        take("ORU^R01", ORDER)
