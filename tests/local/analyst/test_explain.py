from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import HeadwaterError
from headwater.inbound.convert import draft
from local.analyst.collection import Collection
from local.analyst.examples import SENDER, examples, sender_of
from local.analyst.explain import Explanation, explain
from local.analyst.mappings import PLAIN, Mappings, bundle, content_type, envelope, format_of
from local.analyst.parts import Csv, Hl7v2, Json, Xml, other, removed
from local.analyst.source_map import TracingEngine
from local.cli import main
from tests.local.analyst.conftest import ADMISSION, REPOSITORY, RESULTS

HL7 = "application/hl7-v2"


@pytest.fixture(scope="module")
def all_mappings() -> Mappings:
    return Mappings(REPOSITORY)


def asked(path: str, mappings: Mappings, file: Path = RESULTS) -> list[Explanation]:
    body, engine = file.read_bytes(), mappings.engine(SENDER)

    def convert(body: bytes) -> Any:
        return bundle(draft(envelope(body, SENDER, HL7), SENDER, engine))

    tracing = TracingEngine(engine)
    traced = bundle(draft(envelope(body, SENDER, HL7), SENDER, tracing))
    return explain(path, traced, convert, Hl7v2(body))


def line_at(place: str) -> str:
    name, line, _ = place.rsplit(":", 2)
    return (REPOSITORY / "base" / name).read_text().split("\n")[int(line) - 1]


@pytest.mark.parametrize("example", list(examples(REPOSITORY, REPOSITORY)), ids=str)
def test_a_tracing_engine_makes_what_the_engine_makes(example: Any, all_mappings: Mappings) -> None:
    ehr = all_mappings.ehr(example.ehr) if example.ehr else sender_of(example.message, REPOSITORY)
    body = example.message.read_bytes()
    message = envelope(body, ehr, content_type(format_of(example.message, body), ehr))
    engine = all_mappings.engine(ehr)
    assert draft(message, ehr, TracingEngine(engine)) == draft(message, ehr, engine)


@pytest.mark.parametrize(
    ("path", "template", "says", "field"),
    [
        ("Patient.name[0].family", "hl7v2/datatype/XPN.liquid", '"family": "{{ xpn.1.1 }}"', "PID-5.1"),
        ("Patient.gender", "hl7v2/segment/PID.liquid", "administrative-gender", "PID-8"),
        ("Patient.name[0].given[0]", "hl7v2/datatype/XPN.liquid", "xpn.2", "PID-5.2"),
        ("Observation[1].valueQuantity.value", "hl7v2/datatype/CQ.liquid", "quantity.value", "OBX[2]-5"),
        ("Observation[1].valueQuantity.unit", "hl7v2/datatype/CQ.liquid", "unit.unit", "OBX[2]-6"),
        ("Observation[0].issued", "hl7v2/segment/OBX.liquid", '"issued": "{{ issued }}"', "OBR-22"),
    ],
)
def test_an_element_is_of_one_line_and_one_field(
    path: str, template: str, says: str, field: str, all_mappings: Mappings
) -> None:
    (found,) = asked(path, all_mappings)
    innermost = found.places[0][0]
    assert innermost.startswith(f"{template}:")
    assert says in line_at(innermost)
    assert field in found.values
    assert not [name for name in found.values if name.startswith("PID-5") and not field.startswith("PID-5")]


def test_the_includes_that_led_there_are_told_up_to_the_root(all_mappings: Mappings) -> None:
    (found,) = asked("Patient.name[0].family", all_mappings)
    assert [place.split(".liquid")[0] for place in found.places[0]] == [
        "hl7v2/datatype/XPN",
        "hl7v2/segment/PID",
        "hl7v2/orders",
        "hl7v2/ORU_R01",
    ]


def test_an_id_depends_on_what_it_is_made_of(all_mappings: Mappings) -> None:
    (found,) = asked("Patient.id", all_mappings)
    assert set(found.values) == {"PID-3.1", "PID-3.4.2"}


def test_a_reference_in_the_place_of_a_whole_resource_is_where_that_resource_was_written(
    all_mappings: Mappings,
) -> None:
    (found,) = asked("Observation[0].performer[0].reference", all_mappings)
    assert found.places[0][0].startswith("hl7v2/role.liquid:")
    assert "the pipeline" in found.note
    assert "OBX[1]-16.1" in found.values


def test_what_the_pipeline_makes_has_no_line_but_its_field(all_mappings: Mappings) -> None:
    (found,) = asked("Provenance.recorded", all_mappings)
    assert found.places == ()
    assert found.note
    assert found.values == ("MSH-7",)


def test_without_its_message_type_nothing_is_made(all_mappings: Mappings) -> None:
    (found,) = asked("Patient.gender", all_mappings, ADMISSION)
    assert "MSH-9.2" in found.vital


def test_a_path_with_several_elements_explains_each(all_mappings: Mappings) -> None:
    found = asked("Patient.name[0].given[*]", all_mappings)
    assert [each.steps[-1] for each in found] == list(range(len(found)))


@pytest.mark.parametrize("path", ["Patient.no", "$.entry[900]", "Patient.name[", "Nothing.at.all"])
def test_a_path_to_nothing_is_an_error(path: str, all_mappings: Mappings) -> None:
    with pytest.raises(HeadwaterError) as error:
        asked(path, all_mappings)
    assert error.value.code == "analyst.path"


def test_a_microsoft_collection_is_explained_alike(collection: Path) -> None:
    templates = Collection(collection)
    body = RESULTS.read_bytes()
    traced = templates.traced(body, "ADT_A01")
    assert traced == templates.convert(body, "ADT_A01")
    found = explain("Patient.name[0].family", traced, lambda it: templates.convert(it, "ADT_A01"), Hl7v2(body))
    assert found[0].places == (("Resource/Patient.liquid:3:27", "ADT_A01.liquid:3:13"),)
    assert found[0].values == ("PID-5.1",)
    (gender,) = explain("Patient.gender", traced, lambda it: templates.convert(it, "ADT_A01"), Hl7v2(body))
    assert gender.places[0][0].startswith("Resource/Patient.liquid:4:")


# -------------------------------------------------------------------------------------------------------- the parts


def test_a_message_with_nothing_changed_is_the_same_message() -> None:
    body = RESULTS.read_bytes()
    assert Hl7v2(body).changed([], other).split(b"\r") == body.replace(b"\n", b"\r").split(b"\r")


def test_one_part_is_changed_and_no_other() -> None:
    source = Hl7v2(b"MSH|^~\\&|A|B|||20250101||ADT^A01\rPID|1||7^^^H&1.2&ISO~8||Doe^Jo\r")
    (part,) = [leaf for each in source.parts for leaf in each.leaves() if leaf.name == "PID-3[1].4.2"]
    assert b"PID|1||7^^^H&2.3&ISO~8||Doe^Jo" in source.changed([part], other)
    assert b"PID|1||7^^^H&&ISO~8||Doe^Jo" in source.changed([part], removed)
    assert [each.name for each in source.parts] == ["MSH", "PID"]


def test_the_members_of_a_json_document_are_parts() -> None:
    source = Json(b'{"a": [{"b": "x"}, 2], "c": true}')
    leaves = [leaf for part in source.parts for leaf in part.leaves()]
    assert [leaf.name for leaf in leaves] == ["$.a[0].b", "$.a[1]", "$.c"]
    assert source.changed(leaves, other) == b'{"a": [{"b": "y"}, 3], "c": false}'


@pytest.mark.parametrize("text", ["Doe", "zZ9", "%", "20240229", "1980-02-29", "3.5", "2025"])
def test_a_changed_text_is_another_of_the_same_shape(text: str) -> None:
    assert other(text) != text
    assert text == "%" or len(other(text)) == len(text)


def test_the_cells_of_a_csv_file_are_parts() -> None:
    source = Csv(b'mrn,name\r\n7,"Doe, ""J"""\r\n8,\r\n', PLAIN.feed.csv)
    leaves = [leaf for part in source.parts for leaf in part.leaves()]
    assert [leaf.name for leaf in leaves] == ["row[1].mrn", "row[1].name", "row[2].mrn"]
    assert source.changed(leaves[:2], other) == b'mrn,name\r\n8,"Epf, ""K"""\r\n8,\r\n'


def test_attributes_and_texts_of_an_xml_document_are_parts() -> None:
    source = Xml(b'<a xmlns="urn:x"><b c="1"/><b>two</b><d/></a>')
    leaves = [leaf for part in source.parts for leaf in part.leaves()]
    assert [leaf.name for leaf in leaves] == ["b[1]/@c", "b[2]/text()"]
    assert (
        source.changed(leaves, other) == b'<ns0:a xmlns:ns0="urn:x"><ns0:b c="2" /><ns0:b>uxp</ns0:b><ns0:d /></ns0:a>'
    )


@pytest.mark.parametrize(
    ("file", "path", "field"),
    [
        ("csv/examples/roster.csv", "Patient.name[0].family", "row.last_name"),
        ("json/examples/vitals.jsonl", "Patient.birthDate", "$.patient.birthDate"),
        (
            "ccda/examples/ccd-outpatient.xml",
            "Patient.name[0].family",
            "recordTarget/patientRole/patient/name/family/text()",
        ),
    ],
)
def test_an_element_of_another_format_is_of_one_part_too(file: str, path: str, field: str, capsys: Any) -> None:
    template = {"csv": "roster", "json": "vitals"}.get(file.split("/")[0], "ClinicalDocument")
    message = REPOSITORY / "base" / file
    arguments = ["convert", str(message), "--template", template, "--explain", path, "--raw"]
    kind = {"csv": "csv", "json": "json"}.get(file.split("/")[0], "ccda")
    assert main([*arguments, "--format", kind]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[0])
    assert field in found["changes_with"]
    assert found["places"][0][0].split(".liquid")[0].split("/")[0] == file.split("/")[0]
