"""HL7 v2 as it is sent, not as it should be: what senders get wrong costs a message no more than that one thing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.fhir.merged import is_replaced
from headwater.formats.hl7v2 import split_batch
from headwater.inbound.convert import convert
from headwater.model import Converted
from tests.mappings.examples import PLAIN, engine, envelope

HEAD = "MSH|^~\\&|ADT1|MERCY|HUB|EAST|20250714091500-0400||ADT^A01^ADT_A01|Q-1|P|2.5.1"
EVN = "EVN|A01|20250714091433-0400"
PID = "PID|1||M4471902^^^MERCY^MR||Ravenscroft^Imogen^Claire||19840217|F"
PV1 = "PV1|1|I|4W^412^B^MERCY" + "|" * 16 + "V7300518^^^MERCY^VN" + "|" * 25 + "20250712183000-0400"
AL1 = "AL1|1|DA|7980^Penicillin G^RXNORM|SV|Hives"


def converted(*segments: str) -> Converted:
    sent = envelope(PLAIN, "\r".join(segments).encode(), "application/hl7-v2")
    return convert(sent, PLAIN, engine(PLAIN.name))


def resources(*segments: str) -> dict[str, list[dict[str, Any]]]:
    """What a message becomes, by resource type."""
    made: dict[str, list[dict[str, Any]]] = {}
    for resource in converted(*segments).resources:
        made.setdefault(resource["resourceType"], []).append(resource)
    return made


def essence(*segments: str) -> set[str]:
    """The ids of all that is made, but for what is about the message itself."""
    about = ("MessageHeader", "Provenance")
    return {one["id"] for one in converted(*segments).resources if one["resourceType"] not in about}


USUAL = essence(HEAD, EVN, PID, PV1, AL1)


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param((HEAD, EVN, PID, "ZPD|1|local", PV1, "ZZZ", AL1, "Z01|^~"), id="Z-segments anywhere"),
        pytest.param((HEAD.replace("ADT_A01", "ORU_R01"), EVN, PID, PV1, AL1), id="a wrong structure"),
        pytest.param((HEAD.replace("^ADT_A01", ""), EVN, PID, PV1, AL1), id="no structure"),
        pytest.param((HEAD.replace("ADT^A01^ADT_A01", "ADT"), EVN, PID, PV1, AL1), id="the event only in EVN-1"),
        pytest.param((HEAD, AL1, PV1, PID, EVN), id="segments out of order"),
        pytest.param((HEAD, PID, PV1, AL1), id="no EVN"),
        pytest.param((HEAD, EVN, PID + "|" * 60 + "more than HL7 has", PV1, AL1), id="too many fields"),
        pytest.param(
            (HEAD, EVN, PID.replace("^Claire", "^Claire^^^^^^^^^^^^^^^^^^x"), PV1, AL1), id="too many components"
        ),
        pytest.param((HEAD, EVN, PID, "NK1", "PV2|", "DG1|1", "IN1|1", "PR1|1||", PV1, AL1), id="empty segments"),
        pytest.param((HEAD, EVN, PID + " \t", "  ", PV1, AL1), id="blanks at the ends of lines, and alone"),
    ],
)
def test_the_same_comes_out_in_spite_of(segments: tuple[str, ...]) -> None:
    assert essence(*segments) >= USUAL


SPARSE = [
    "NK1|1||SPO",
    "NK1|1|^^^^^^L",
    "IN1|1",
    "IN1|1|PLAN",
    "GT1|1",
    "PR1|1||^^",
    "DG1|1||^^",
    "ROL|1|AD|PP",
    "ROL|1|AD|AT",
    "PRT|1|AD||AT",
    "IAM|1",
    "AL1|1|DA",
    "IN3|1",
    "PD1|||^^^^^",
    "SFT|^^",
    "SFT",
    "DRG|",
    "ACC|",
    "DB1|1",
    "MRG|^^^MERCY",
    "PDA",
    "ARV",
    "PV2",
    "ROL",
    "PRT",
    "FT1|1||||||CG",
    "OBX|1|NM|||5",
    "EVN|",
    "ZZZ",
]


@pytest.mark.parametrize("event", ["A01", "A08"])
@pytest.mark.parametrize("segment", SPARSE)
def test_a_segment_that_says_hardly_anything_costs_nothing(segment: str, event: str) -> None:
    assert essence(HEAD.replace("A01", event), EVN, PID, PV1, AL1, segment) >= USUAL


def test_other_delimiters_say_the_same() -> None:
    swapped = str.maketrans("|^~&", "#@$%")
    assert essence(*(segment.translate(swapped) for segment in (HEAD, EVN, PID, PV1, AL1))) == USUAL


def test_without_a_visit_there_is_a_patient_and_no_encounter() -> None:
    made = resources(HEAD, EVN, PID, "DG1|1||R07.9^Chest pain^I10")
    assert "Encounter" not in made
    assert "encounter" not in made["Condition"][0]


def test_a_person_without_a_visit_gets_none_from_an_account_number() -> None:
    made = resources(HEAD.replace("A01", "A31"), EVN, PID + "|" * 10 + "A9920147^^^MERCY^AN", "PV1|1|N")
    assert "Encounter" not in made


@pytest.mark.parametrize("event", ["ADT^A40", "ADT^A47", "DFT^P03", "BAR^P12"])
def test_what_tells_little_of_a_visit_names_it_and_does_not_overwrite_it(event: str) -> None:
    made = resources(HEAD.replace("ADT^A01", event), EVN, PID, PV1, "DG1|1||R07.9^Chest pain^I10")
    assert "Encounter" not in made
    assert made["Condition"][0]["encounter"]["identifier"]["value"] == "V7300518"


def test_an_account_with_its_payers_is_not_overwritten_by_a_transfer() -> None:
    account = PID + "|" * 10 + "A9920147^^^MERCY^AN"
    made = resources(HEAD.replace("A01", "A02"), EVN, account, PV1)
    assert "Account" not in made
    assert made["Encounter"][0]["account"][0]["identifier"]["value"] == "A9920147"
    told = resources(HEAD, EVN, account, PV1, "IN1|1|PPO200|66021^^^NAIC|Blue Heron Mutual")
    assert told["Account"][0]["coverage"][0]["coverage"]["reference"] == f"Coverage/{told['Coverage'][0]['id']}"


@pytest.mark.parametrize("place", ["PID-5", "PID-7", "PID-11", "PID-13", "PID-19", "PV1-7", "PV1-44", "AL1-3", "AL1-5"])
def test_an_explicit_null_is_no_value(place: str) -> None:
    name, number = place.split("-")
    segments = []
    for segment in (HEAD, EVN, PID, PV1, AL1):
        fields = segment.split("|") + [""] * 60
        if fields[0] == name:
            fields[int(number)] = '""'
        segments.append("|".join(fields))
    assert '""' not in json.dumps(converted(*segments).resources)


def test_two_patients_in_one_message_stay_two() -> None:
    swap = [HEAD.replace("A01", "A17"), EVN, PID, PV1, PID.replace("M4471902", "M5500012"), PV1.replace("V73", "V99")]
    messages = split_batch("\r".join(swap).encode())
    made = [resources(*message.decode().split("\r")) for message in messages]
    assert [len(one["Patient"]) for one in made] == [1, 1]
    assert made[0]["Patient"][0]["id"] != made[1]["Patient"][0]["id"]
    assert [one["Encounter"][0]["subject"]["reference"] for one in made] == [
        f"Patient/{one['Patient'][0]['id']}" for one in made
    ]


def test_what_is_one_patients_never_becomes_anothers() -> None:
    with pytest.raises(Quarantine) as refused:
        converted(HEAD, EVN, PID, PID.replace("M4471902", "M5500012"), AL1)
    assert (refused.value.code, refused.value.place) == ("convert.patient_several", "PID")


def test_a_merge_leaves_one_patient_that_counts() -> None:
    made = resources(HEAD.replace("A01", "A40"), EVN, PID, "MRG|M3300871^^^MERCY^MR")
    survivor, prior = sorted(made["Patient"], key=is_replaced)
    assert survivor["link"] == [{"other": {"reference": f"Patient/{prior['id']}"}, "type": "replaces"}]
    assert prior["link"] == [{"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}]
    assert prior["active"] is False
    alone = resources(HEAD, EVN, PID.replace("M4471902", "M3300871"))
    assert prior["id"] == alone["Patient"][0]["id"], "the id by which the store knows the one that is replaced"


@pytest.mark.parametrize("merged", ["MRG", "MRG|", "MRG|M4471902^^^MERCY^MR", 'MRG|""'])
def test_a_merge_with_nobody_else_is_an_update(merged: str) -> None:
    made = resources(HEAD.replace("A01", "A40"), EVN, PID, merged)
    assert len(made["Patient"]) == 1
    assert "link" not in made["Patient"][0]


@pytest.mark.parametrize("event", ["A43", "A44", "A45"])
def test_what_is_moved_is_the_new_patients_and_the_old_one_stays_as_it_was(event: str) -> None:
    moved = PID + "|" * 10 + "A9920147^^^MERCY^AN"
    made = resources(HEAD.replace("A01", event), EVN, moved, "MRG|M8811250^^^MERCY^MR||A9930000^^^MERCY^AN", PV1)
    assert len(made["Patient"]) == 1
    assert [one["identifier"][0]["value"] for one in made["Account"]] == ["A9920147"]
    assert made["Encounter"][0]["subject"] == made["Account"][0]["subject"][0]


def test_an_unknown_event_is_set_aside_and_not_guessed() -> None:
    with pytest.raises(Quarantine) as refused:
        converted(HEAD.replace("A01", "Z99"), EVN, PID)
    assert (refused.value.code, refused.value.place) == ("convert.template_missing", "MSH-9")


def test_a_role_that_ends_before_it_begins_costs_only_the_end() -> None:
    made = resources(HEAD, EVN, PID, "ROL|R-1^MERCY|AD|PP|77^Ortega^Lucia|20250301|20240101", PV1)
    assert made["PractitionerRole"][0]["period"] == {"start": "2025-03-01"}


@pytest.mark.parametrize("discharged", ["UNKNOWN", "20251399", "00000000"])
def test_a_discharge_that_is_no_time_costs_only_itself(discharged: str) -> None:
    made = resources(HEAD, EVN, PID, f"{PV1}|{discharged}")
    assert made["Encounter"][0]["period"] == {"start": "2025-07-12T18:30:00-04:00"}


def test_the_same_allergy_by_other_segments_is_the_same() -> None:
    update = HEAD.replace("A01", "A60")
    by_iam = resources(update, EVN, PID, "IAM|1|DA|7980^Penicillin G^RXNORM|SV|Hives|U|AL-1^MERCY")
    by_al1 = resources(HEAD, EVN, PID, AL1)
    assert by_iam["AllergyIntolerance"][0]["id"] == by_al1["AllergyIntolerance"][0]["id"]


def test_a_deleted_allergy_is_an_error_and_not_active() -> None:
    made = resources(HEAD.replace("A01", "A60"), EVN, PID, "IAM|1|DA|2670^Codeine^RXNORM||Nausea|D")
    [allergy] = made["AllergyIntolerance"]
    assert allergy["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in allergy


def test_an_employer_is_a_contact_and_no_related_person() -> None:
    made = resources(HEAD, EVN, PID, "NK1|1||EMR^Employer^HL70063||||E||||||Larkspur Robotics^L")
    assert "RelatedPerson" not in made
    assert made["Patient"][0]["contact"][0]["organization"]["reference"].startswith("Organization/")
