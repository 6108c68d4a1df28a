"""The data Microsoft's templates see, and what happens to their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.templates.microsoft import bundle, ccda, hl7text, hl7v2
from headwater.templates.microsoft.converter import Converter

MESSAGE = (
    "MSH|^~\\&|A|B\r"
    'PID|1||7^^^H&1.2~8^^^I||Say "hi"^C:\\E\\x^\\T\\^a\\.br\\b\\X41\\||x\r\n'
    "ORC|1\rOBX|1\rOBX|2\nNTE|1\rORC|2\rOBX|3"
)


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("PID.3.Value", "7^^^H&1.2~8^^^I"),
        ("PID.3.1.Value", "7"),
        ("PID.3.Repeats[1].1.value", "8"),
        ("PID.3.repeats.size", "2"),
        ("PID.3.4.2", "1.2"),
        ("PID.3.4.Value", "H&1.2"),
        ("PID.3.4.Subcomponents[1]", "H"),
        ("PID.3.Components[1].Value", "7"),
        ("PID.5.1.Value", 'Say \\"hi\\"'),
        ("PID.5.2.Value", "C:\\\\x"),
        ("PID.5.3.Value", "&"),
        ("PID.5.4.Value", "a\\\\nbA"),
        ("PID.0.Value", "PID"),
        ("PID.2", ""),
        ("PID.3.0", ""),
        ("PID.99.1.Value", ""),
        ("MSH.1.Value", "|"),
        ("MSH.2.Value", "^~\\&"),
        ("MSH.2.1.Value", "^~\\&"),
        ("MSH.3.Value", "A"),
    ],
)
def test_fields_components_and_subcomponents_are_counted_from_1(hl7: Any, path: str, printed: str) -> None:
    found = "{% assign s = hl7v2Data | get_first_segments: 'MSH|PID' %}"
    made = hl7(f'{found}{{"v": "<{{{{ s.{path} | escape_special_chars }}}}>"}}', MESSAGE)["v"]
    assert made == f"<{printed}>"


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("{% assign x = hl7v2Data | get_segment_lists: 'OBX|NTE' %}{{ x.OBX.size }}{{ x.NTE.size }}{{ x.PID }}", "31"),
        ("{% assign x = hl7v2Data | get_segment_lists: 'ORC' %}{% for o in x.ORC %}"
         "{% assign r = hl7v2Data | get_related_segment_list: o, 'OBX' %}{{ r.OBX.size }}{% endfor %}", "21"),
        ("{% assign p = hl7v2Data | get_parent_segment: 'OBX', 2, 'ORC' %}{{ p.ORC.1.Value }}", "2"),
        ("{% assign p = hl7v2Data | get_parent_segment: 'OBX', 1, 'ORC' %}{{ p.ORC.1.Value }}", "1"),
        ("{% assign p = hl7v2Data | get_parent_segment: 'OBX', 7, 'ORC' %}{{ p.ORC.1.Value }}n", "n"),
        ("{{ hl7v2Data | has_segments: 'PID|ORC' }}{{ hl7v2Data | has_segments: 'PID|ZZZ' }}", "truefalse"),
        ("{% assign x = hl7v2Data | split_data_by_segments: 'ORC' %}"
         "{{ x.size }}{{ x[1].meta.size }}{{ x[0].meta[1] }}", "34PID"),
        ("{{ hl7v2Data.Meta.size }}{% assign x = hl7v2Data | get_first_segments: 'PID' %}{{ x.PID.3 }}", "8"),
    ],
)  # fmt: skip
def test_segments_are_found_by_their_place(hl7: Any, expression: str, printed: str) -> None:
    assert hl7('{"v": "' + expression + '."}', MESSAGE)["v"] == printed + "."


def test_an_unknown_member_is_an_error(hl7: Any) -> None:
    with pytest.raises(Quarantine, match="1302"):
        hl7("{% assign s = hl7v2Data | get_first_segments: 'PID' %}{{ s.PID.3.Nope }}", MESSAGE)


@pytest.mark.parametrize(
    ("message", "number"),
    [("", "1202"), ("PID|1", "1203"), ("MSH|^~", "1204"), ("MSH|^^\\&|", "1205"), ("MSH|^~/&|", "1206")],
)
def test_a_header_that_is_none_is_refused(message: str, number: str) -> None:
    with pytest.raises(Quarantine, match=number):
        hl7v2.parse(message)


def test_what_no_template_read_is_reported(put: Callable[..., Any]) -> None:
    source = '{% assign s = hl7v2Data | get_first_segments: \'PID\' %}{"v": "{{ s.PID.3.1.Value }}{{ s.PID.5.Value }}"}'
    _, unread = Converter([put(root=source)], "Hl7v2").convert_and_report(MESSAGE, "root")
    assert unread == ("MSH-3", "MSH-4", "PID-1", "PID-3.4", "PID-7", "ORC-1", "OBX-1", "NTE-1")


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ('<a x="1"><b/></a>', {"x": "1", "b": None}),
        ("<a><b></b><b/><b> </b></a>", {"b": ["", None, ""]}),
        ("<a>one<b/>two\nlines</a>", {"b": None, "_": ["twolines", "one"]}),
        ("<a><b>t</b></a>", {"b": {"_": "t"}}),
        ("<a><!--1--><b/><!--2--></a>", {"#comment": [], "b": None}),
        ("<a><!--1--></a>", {}),
        (
            '<a xmlns="u" xmlns:s="v" xmlns:r="u"><s:b/><r:c/></a>',
            {"xmlns": "u", "xmlns:s": "v", "s_b": None, "c": None},
        ),
        ('<a xmlns:xsi="w" ><b xsi:type="T"/></a>', {"xmlns:xsi": "w", "b": {"xsi:type": "T"}}),
        ('<a code="attribute"><code/></a>', {"code": None}),
        ("<a><![CDATA[<x>]]></a>", {"_": "<x>"}),
    ],
)
def test_xml_takes_newtonsofts_shape(xml: str, value: Any) -> None:
    made = ccda.parse(f'<?xml version="1.0" encoding="utf-16"?>\n{xml}')
    assert made["a"] == value
    assert list(made["a"]) == list(value)
    assert made["_originalData"].endswith(xml.replace("\n", ""))


@pytest.mark.parametrize(
    "document", ["", "<a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>" * 300 + "</a>" * 300, "plain"]
)
def test_a_document_that_is_not_plain_xml_is_refused(document: str) -> None:
    with pytest.raises(Quarantine, match=r"convert\.input"):
        ccda.parse(document)


def test_sections_are_found_by_template_id_and_title(microsoft: Any) -> None:
    section = {"templateId": [{"root": "1.2"}], "title": {"_": "My Plan"}, "n": 5}
    document = {"ClinicalDocument": {"component": {"structuredBody": {"component": {"section": section}}}}}
    source = (
        "{% assign a = d | get_first_ccda_sections_by_template_id: '9.9|1.2' %}{{ a.1_2.n }}{{ a.9_9.n }}"
        "{% assign b = d | get_first_ccda_sections: 'plan' %}{{ b.plan.n }}"
        "{% assign c = d | get_ccda_section_lists: 'my plan' %}{{ c.my_plan.size }}"
    )
    assert microsoft(source, d=document) == "551"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{,,"a":[,1,,{},],,"b":"",,}', {"a": [1]}),
        ('{"v":"x","v":"","w":null,"s":" "} behind', {"v": "x", "w": None, "s": " "}),
        ('{"a":1.5,"a":2}', {"a": 2}),
        ('{"a":[1].,"b":"t,,u"}', {"a": [1], "b": "t,,u"}),
    ],
)
def test_output_is_read_leniently(text: str, value: Any) -> None:
    assert bundle.parse(text, "T") == value


@pytest.mark.parametrize("text", ['{"a" 1}', '{"a":}', '{"a":1 "b":2}', "[1]", "", '{"a":[1}'])
def test_a_missing_comma_or_value_is_an_error(text: str) -> None:
    with pytest.raises(Quarantine, match="1401"):
        bundle.parse(text, "T")


def entry(resource: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"resource": {"resourceType": "Patient", "id": "1", **resource}, **others}


def test_entries_about_one_resource_become_one() -> None:
    made = bundle.merged(
        {
            "entry": [
                entry({"a": [{"x": 1}, 1], "o": {"p": 1}, "s": "old", "k": 1}),
                entry({"meta": {"versionId": "2"}}),
                {"other": 1},
                entry({"a": [{"x": 1}, 2, 2, True, 1.0], "o": {"q": 2}, "s": "new", "k": None}, more=1),
                {"other": 1},
            ]
        }
    )
    assert made["entry"] == [
        entry({"a": [{"x": 1}, 1, 2, True, 1.0], "o": {"p": 1, "q": 2}, "s": "new", "k": 1}, more=1),
        entry({"meta": {"versionId": "2"}}),
        {"other": 1},
    ]


def test_the_way_back_lays_fields_out_by_number() -> None:
    definition = {"messageDefinition": [{"msh": {"2": "^~\\&", "4": "X"}}, {"PID": {"3": "7", "1": "1"}}]}
    assert hl7text.written(definition, "T") == "MSH|^~\\&||X|\nPID|1||7|\n"
    for wrong in ({}, {"messageDefinition": [{}]}, {"messageDefinition": [{"PID": {"x": 1}}]}):
        with pytest.raises(Quarantine):
            hl7text.written(wrong, "T")


def test_code_maps_come_from_the_first_folder_that_has_them(put: Callable[..., Any]) -> None:
    folder = put(root="{\"v\": \"{{ 'm' | get_property: 'Gender', 'display' }}\"}")
    (folder / "CodeSystem").mkdir()
    (folder / "CodeSystem" / "CodeSystem.json").write_text('{"Mapping": {"Gender": {"m": {"display": "male"}}}}')
    assert Converter([folder], "Hl7v2").convert(MESSAGE, "root") == {"v": "male"}
