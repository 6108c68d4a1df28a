"""What the golden pairs of `json/rest_v1` do not show: rows alone, rows of somebody else, odd values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.inbound.convert import convert
from headwater.model import Converted
from tests.mappings.examples import PLAIN, engine, envelope

SENDER = replace(PLAIN, feed=replace(PLAIN.feed, templates={"json": "json/rest_v1"}))
CHART = {"practiceid": "CEDARGROVE", "patientid": "40217", "retrievedat": "2026-03-12T10:45:00-04:00"}
PROBLEM = {"problemid": 8801, "name": "Type 2 diabetes mellitus", "code": "44054006", "codeset": "SNOMED"}


def converted(body: dict[str, Any]) -> Converted:
    return convert(envelope(SENDER, json.dumps(body).encode(), "application/json"), SENDER, engine(SENDER.name))


def ids(made: Converted, kind: str) -> list[str]:
    return [one["id"] for one in made.resources if one["resourceType"] == kind]


def test_a_row_alone_is_the_same_resource_as_in_a_list() -> None:
    listed, alone = converted({**CHART, "problems": [PROBLEM]}), converted({**CHART, **PROBLEM})
    assert ids(listed, "Condition") == ids(alone, "Condition") != []
    assert ids(listed, "Patient") == ids(alone, "Patient")


def test_a_number_is_the_same_as_its_text() -> None:
    assert ids(converted({**CHART, "patientid": 40217}), "Patient") == ids(converted(CHART), "Patient")


def test_rows_of_two_patients_are_refused() -> None:
    rows = [{**PROBLEM, "patientid": "40217"}, {**PROBLEM, "problemid": 1, "patientid": "40218"}]
    with pytest.raises(Quarantine, match=r"convert\.patient_several"):
        converted({"practiceid": "CEDARGROVE", "retrievedat": CHART["retrievedat"], "problems": rows})


def test_a_row_without_a_patient_is_refused() -> None:
    with pytest.raises(Quarantine, match=r"convert\.patient_unidentified"):
        converted({"retrievedat": CHART["retrievedat"], "problems": [PROBLEM]})


def test_a_payload_that_says_no_time_is_refused() -> None:
    with pytest.raises(Quarantine, match=r"convert\.time_missing"):
        converted({"patientid": "40217", "problems": [PROBLEM]})


def test_an_open_slot_is_nobodys_appointment() -> None:
    slot = {"appointmentid": "1", "appointmentstatus": "o", "date": "03/12/2026", "starttime": "09:15", "duration": 15}
    assert ids(converted({**CHART, "appointments": [slot]}), "Appointment") == []


def test_a_unit_that_is_named_is_not_replaced_by_the_usual_one() -> None:
    weight = {"clinicalelementid": "VITALS.WEIGHT", "value": "155", "unit": "lb", "vitalid": "7"}
    made = converted({**CHART, "vitals": [{"readings": [[{**weight, "readingtaken": "03/12/2026 09:16:32"}]]}]})
    [quantity] = [one["valueQuantity"] for one in made.resources if one["resourceType"] == "Observation"]
    assert quantity == {"value": 155, "unit": "lb", "system": "http://unitsofmeasure.org", "code": "[lb_av]"}
