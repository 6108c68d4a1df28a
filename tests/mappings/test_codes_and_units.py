"""Codes and units in every format: a code that comes with another code's name is not mapped, and a unit is UCUM's with
the sender's own word kept beside it."""

from __future__ import annotations

import json
from atexit import register
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from headwater.ehrs.engines import engine_for
from headwater.inbound.convert import convert
from headwater.model import Converted
from headwater.templates.engine import Engine
from tests.mappings.examples import MAPPINGS, PLAIN, envelope

SENDER = replace(PLAIN, name="clinic", folders=("clinic",))
LAB = "https://clinic.example.org/codes/lab"
MAP = """system,code,display,to_system,to_code,to_display,equivalence
,GLU,Glucose,http://loinc.org,2345-7,Glucose [Mass/volume] in Serum or Plasma,equivalent
,K,Potassium,http://loinc.org,2823-3,Potassium [Moles/volume] in Serum or Plasma,equivalent
"""
UCUM = "http://unitsofmeasure.org"
CDA = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.10.20.22.1.2" extension="2015-08-01"/>
<id root="2.16.840.1.113883.19.5" extension="9"/>
<code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>Summary</title><effectiveTime value="20260312"/>
<recordTarget><patientRole><id root="2.16.840.1.113883.19.5.99" extension="1"/>
<patient><name><family>Okafor</family></name>
<administrativeGenderCode code="F"/></patient></patientRole></recordTarget>
<component><structuredBody><component><section><templateId root="2.16.840.1.113883.10.20.22.2.3.1"/>
<code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/><title>Results</title><text>x</text><entry>
<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/>
<id root="2.16.840.1.113883.19.5.99" extension="77"/><code code="24321-2" codeSystem="2.16.840.1.113883.6.1"/>
<statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.2"/><id root="2.16.840.1.113883.19.5.99" extension="78"/>
<code code="GLU" codeSystem="LABROOT" displayName="NAME"/><statusCode code="completed"/>
<effectiveTime value="20260312"/>
<value xsi:type="PQ" value="104" unit="UNIT"/></observation></component></organizer></entry></section></component>
</structuredBody></component></ClinicalDocument>"""


def hl7v2(name: str, unit: str) -> Converted:
    return _made(
        "\r".join(
            (
                "MSH|^~\\&|LIS|X|HUB|Y|20260312104500||ORU^R01|1|P|2.5.1",
                "PID|1||1^^^MRN^MR||Okafor",
                "OBR|1|7|8|24321-2^Panel^LN|||20260312",
                f"OBX|1|NM|GLU^{name}^{LAB}||104|{unit}|70-99||||F",
            )
        ),
        "application/hl7-v2",
    )


def ccda(name: str, unit: str) -> Converted:
    told = CDA.replace("NAME", name).replace("UNIT", unit).replace('codeSystem="LABROOT"', f'codeSystem="{LAB}"')
    return _made(told, "application/cda+xml")


def redox(name: str, unit: str) -> Converted:
    result: dict[str, Any] = {"Code": "GLU", "Codeset": LAB, "Description": name, "Value": "104", "Units": unit}
    panel = {"Code": "24321-2", "Codeset": "LOINC", "Description": "Panel"}
    order = {
        "ID": "7",
        "Procedure": panel,
        "Results": [{**result, "ValueType": "Numeric", "ReferenceRange": {"Low": "70", "High": "99"}}],
    }
    meta = {"DataModel": "Results", "EventType": "New", "EventDateTime": "2026-03-12T10:45:00Z"}
    who = {"Identifiers": [{"ID": "1", "IDType": "MR"}], "Demographics": {"LastName": "Okafor"}}
    return _made(json.dumps({"Meta": meta, "Patient": who, "Orders": [order]}), "application/json", "json/redox")


def csv(name: str, unit: str) -> Converted:
    told = {"mrn": "1", "last_name": "Okafor", "accession": "7", "order_code": "BMP", "order_name": "Panel"}
    told |= {"test_code": "GLU", "test_name": name, "value": "104", "unit": unit, "ref_low": "70", "ref_high": "99"}
    told |= {"status": "F", "collected_at": "2026-03-12T08:00:00", "resulted_at": "2026-03-12T10:45:00"}
    rows = (",".join(told), ",".join(told.values()), "")
    return _made("\n".join(rows), "text/csv", "csv/lab")


@cache
def _engine() -> Engine:
    """Of a clinic whose map `lab` has two codes, and whose mappings are the base's otherwise."""
    mappings = Path(mkdtemp())
    register(rmtree, mappings)
    (mappings / "base").symlink_to(MAPPINGS / "base")
    (mappings / "ehrs" / SENDER.name / "codes").mkdir(parents=True)
    (mappings / "ehrs" / SENDER.name / "codes" / "lab.csv").write_text(MAP, "utf-8")
    return engine_for(mappings)(SENDER)


def _made(body: str, content_type: str, template: str = "") -> Converted:
    feed = replace(SENDER.feed, templates={content_type.rpartition("/")[2]: template} if template else {})
    sender = replace(SENDER, feed=feed)
    return convert(envelope(sender, body.encode(), content_type), sender, _engine())


def glucose(made: Converted) -> dict[str, Any]:
    found = [one for one in made.resources if one["resourceType"] == "Observation" and "valueQuantity" in one]
    assert len(found) == 1
    return found[0]


FORMATS = pytest.mark.parametrize("made", [hl7v2, ccda, redox, csv])


@FORMATS
def test_a_code_with_its_own_name_or_another_word_for_it_is_mapped(made: Callable[[str, str], Converted]) -> None:
    for name in ("Glucose", "GLUCOSE", "Blood sugar"):
        codings = glucose(made(name, "mg/dL"))["code"]["coding"]
        assert ("http://loinc.org", "2345-7") in {(one["system"], one["code"]) for one in codings}


@FORMATS
def test_a_code_with_anothers_name_is_not_mapped_and_waits_for_an_analyst(
    made: Callable[[str, str], Converted],
) -> None:
    told = made("Potassium", "mg/dL")
    assert [one["code"] for one in glucose(told)["code"]["coding"]] == ["GLU"]
    assert ("lab", "GLU", "Potassium") in {(one.map, one.code, one.display) for one in told.unmapped}


@FORMATS
def test_a_unit_is_ucums_and_the_senders_word_stays(made: Callable[[str, str], Converted]) -> None:
    quantity = glucose(made("Glucose", "MG/DL"))["valueQuantity"]
    assert quantity == {"value": 104, "unit": "MG/DL", "system": UCUM, "code": "mg/dL"}


@pytest.mark.parametrize("made", [hl7v2, redox, csv])
def test_the_bounds_are_told_in_the_unit_of_the_value(made: Callable[[str, str], Converted]) -> None:
    [bounds] = glucose(made("Glucose", "MG/DL"))["referenceRange"]
    assert {bounds[side]["code"] for side in ("low", "high")} == {"mg/dL"}


@pytest.mark.parametrize("made", [hl7v2, redox, csv])  # a unit of C-CDA is UCUM by its specification
def test_a_unit_that_nobody_knows_is_no_ucum(made: Callable[[str, str], Converted]) -> None:
    assert glucose(made("Glucose", "blobs"))["valueQuantity"] == {"value": 104, "unit": "blobs"}
