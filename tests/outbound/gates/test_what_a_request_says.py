"""subject, content, concept, loop: what a request says of itself, before anybody else is asked."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from headwater.fhir import ucum
from headwater.model import ProposalState, Resource
from tests.outbound.conftest import SOURCE, TARGET, Desk, observation, wish

LOINC = "http://loinc.org"


def reason(desk: Desk, resource: Resource | None = None, **changes: Any) -> str:
    return desk.propose(wish(resource, **changes)).reason.partition(" ")[0]


def coded(code: str, display: str = "", text: str = "") -> Resource:
    coding = {"system": LOINC, "code": code, **({"display": display} if display else {})}
    return {"coding": [coding], **({"text": text} if text else {})}


def quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


# ----------------------------------------------------------------------------------------------------------- subject


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {"reference": "Patient/person-2"}},
        {"subject": {"display": "Marisol"}},
        {"derivedFrom": [{"reference": "Patient/person-2"}]},
    ],
)
def test_a_fact_about_another_patient_is_refused_and_somebody_is_told(desk: Desk, changes: Resource) -> None:
    assert reason(desk, observation(**changes)) == "subject.mismatch"
    assert [subject for _, subject, _ in desk.notices.told] == ["Headwater: subject.mismatch"]
    assert "alert.subject.mismatch" in desk.watch.outcomes


def test_a_template_that_swaps_patients_is_caught(desk: Desk) -> None:
    engine_for = desk.engine_for

    class Swapping:
        def build(self, name: str, variables: Any) -> Resource:
            built: Resource = engine_for(desk.ehrs[TARGET]).build(name, variables)
            return {**built, "subject": {"reference": "Patient/somebody-else"}}

    desk.engine_for = lambda _: Swapping()
    assert reason(desk) == "subject.mismatch"
    assert desk.chart.posts == 0


# ----------------------------------------------------------------------------------------------------------- content


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<script>alert(1)</script>", "content.markup"),
        ("<iframe src='x'></iframe>", "content.markup"),
        ("&lt;img src=x onerror='y'&gt;", "content.markup"),
        ('<b onclick="x">bold</b>', "content.markup"),
        ('<a href="https://evil.example.org">here</a>', "content.markup"),
        ("walk\x07test", "content.control_characters"),
        ("x" * 20_001, "content.too_long"),
        ("x" * 200_000, "content.too_large"),
    ],
)
def test_hostile_text_is_refused(desk: Desk, text: str, code: str) -> None:
    assert reason(desk, observation(note=[{"text": text}])) == code


@pytest.mark.parametrize(
    "text", ["glucose < 5 and > 3", "line one\nline two\tend", 'said "ouch" & left', "a<b>c", "x < a few", "if p<a"]
)
def test_plain_text_is_left_as_it_is(desk: Desk, text: str) -> None:
    proposal = desk.propose(wish(observation(note=[{"text": text}])))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    assert orjson.loads(proposal.payload)["note"][0]["text"] == text


def test_an_attachment_is_looked_into(desk: Desk) -> None:
    data = base64.b64encode(b"<script>alert(1)</script>").decode()
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": coded("11506-3"),
        "subject": {"reference": "Patient/person-1"},
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }
    assert reason(desk, note) == "content.markup"


# ----------------------------------------------------------------------------------------------------------- concept


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        (coded("4548-4", "hemoglobin and hematocrit panel"), True),
        (coded("4548-4", text="hemoglobin and hematocrit panel"), True),
        (coded("24331-1", "Lipase [Enzymatic activity/volume] in Serum or Plasma"), True),
        (coded("3016-3", "Thyroxine (T4) free"), True),
        (coded("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "HbA1c"), False),
        (coded("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "GLU"), False),
        (coded("99999-9", "anything at all"), False),
    ],
)
def test_a_display_must_name_what_the_code_names(desk: Desk, code: Resource, refused: bool) -> None:
    unit = "%" if code["coding"][0]["code"] == "4548-4" else "mg/dL"
    said = reason(desk, observation(code=code, valueQuantity=quantity(5, unit)))
    assert (said == "concept.display_disagrees") is refused


def test_a_unit_must_convert_into_what_the_concept_is_told_in(desk: Desk) -> None:
    assert reason(desk, observation(valueQuantity=quantity(112, "kg"))) == "concept.unit_implausible"
    assert reason(desk, observation(valueQuantity=quantity(1.12, "g/L"))) == ""


def test_a_component_is_held_to_the_same(desk: Desk) -> None:
    part = {"code": coded("8480-6"), "valueQuantity": {"value": 120, "unit": "mmHg"}}
    panel = observation(code=coded("85354-9"), component=[part])
    del panel["valueQuantity"]
    assert reason(desk, panel) == "concept.unit_unmapped"


# -------------------------------------------------------------------------------------------------------------- loop


def weight(value: float, unit: str, **changes: Any) -> Resource:
    return {**observation(code=coded("29463-7", "Body weight"), valueQuantity=quantity(value, unit)), **changes}


def test_an_echo_without_marker_under_a_new_id_and_unit_is_known_by_what_it_says(desk: Desk) -> None:
    intent = desk.approved(wish(weight(82.5, "kg"))).intent
    assert desk.send(intent).state is ProposalState.FILED
    desk.clock.move(2)
    back = weight(181.9, "[lb_av]", id="new-id", effectiveDateTime="2026-11-20T13:15:30Z")
    echoed = desk.propose(wish(back, to=SOURCE, origin_ehr=TARGET, origin_ref="Observation/new-id"))
    assert (echoed.state, echoed.reason.partition(" ")[0]) == (ProposalState.REFUSED, "loop.own_echo_by_content")


@pytest.mark.parametrize(
    "changes", [{"effectiveDateTime": "2026-11-20T14:15:00Z"}, {"valueQuantity": quantity(190, "[lb_av]")}]
)
def test_news_from_there_is_no_echo(desk: Desk, changes: Resource) -> None:
    desk.send(desk.approved(wish(weight(82.5, "kg"))).intent)
    news = weight(181.9, "[lb_av]", **changes)
    said = reason(desk, news, to=SOURCE, origin_ehr=TARGET, origin_ref="Observation/2")
    assert said != "loop.own_echo_by_content"


def test_the_same_fact_in_another_unit_is_the_same_wish(desk: Desk) -> None:
    first = desk.propose(wish(weight(82.5, "kg")))
    again = desk.propose(wish(weight(82500, "g"), origin_ref="Observation/other"))
    assert again.intent == first.intent
    assert len(desk.proposals.rows) == 1


def test_a_corrected_value_takes_the_place_of_one_that_still_waits(desk: Desk) -> None:
    first = desk.propose(wish(weight(82.5, "kg")))
    second = desk.propose(wish(weight(28.5, "kg")))
    assert second.state is ProposalState.PROPOSED
    assert desk.proposals.rows[first.intent].state is ProposalState.SUPERSEDED


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((82.5, "kg"), (181.88, "[lb_av]"), True),
        ((98.6, "[degF]"), (37.0, "Cel"), True),
        ((90, "mg/dL"), (0.9, "g/L"), True),
        ((5.4, "10*3/uL"), (5.4, "10*9/L"), True),
        ((120, "mm[Hg]"), (16.0, "kPa"), True),
        ((72, "/min"), (1.2, "/s"), True),
        ((5.4, "mmol/L"), (97.3, "mg/dL"), False),
        ((5.4, "[arb'U]"), (5.4, "[arb'U]"), True),
        ((5.4, "[arb'U]"), (5.4, "[other]"), False),
        ((82.5, "kg"), (83.5, "kg"), False),
    ],
)
def test_two_measures_are_one_but_for_rounding(one: Any, other: Any, same: bool) -> None:
    assert ucum.close(ucum.measure(*one), ucum.measure(*other)) is same
