"""DotLiquid 2.0's semantics and Microsoft's tags, one case per rule: changing any rule turns one of these red."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from headwater.templates import Engine, TemplateError

Render = Callable[..., str]
Build = Callable[..., Any]


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        # scopes
        ("{% assign PatientId = 1 %}{{ patientID }}", "1"),
        ("{{ Msg.b }}|{{ msg.B }}", "1|"),
        ("{% include 'P/X' a: 2 %}{{ a }}{{ leak }}", "[2]02"),
        ("{% include 'P/W' %}{{ a }}", "9"),
        ("{% include 'P/W' a: 2 %}{{ a }}", "9"),
        ("{% for a in l %}{% assign a = 5 %}{{ a }}{% endfor %}{{ a }}", "xyz5"),
        ("{% for q in l %}{% assign z = q %}{% endfor %}{{ z }}{{ q }}", "z"),
        ("{% include 'P/X' a: 1 b: a, ,c: b %}", "[1]1"),
        ("{% include 'P/X', a : 3 %}", "[3]"),
        ("{% include 'P/X' A: 4 %}", "[4]"),
        # nil stays nil
        ("{% assign r = no | prepend: 'Patient/' %}{% if r %}y{% else %}nil{% endif %}", "nil"),
        ("{% assign r = no | append: 'x' %}{{ r | default: 'd' }}", "d"),
        ("{{ 'x' | prepend: 'Patient/' | append: no }}", "Patient/x"),
        # conditions
        ("{% if true or false and false %}y{% endif %}", "y"),
        ("{% if false and false or true %}y{% else %}n{% endif %}", "n"),
        ("{% if '1' == 1 and 1 == '1' and 60 == 60.0 %}y{% endif %}", "y"),
        ("{% if t == 'TRUE' %}y{% endif %}{% if 'true' == t %}n{% endif %}", "y"),
        ("{% if msg == 'x' or l == 'x' %}y{% else %}n{% endif %}", "n"),
        ("{% if no contains 'x' or no > 8 or no < 8 %}y{% else %}n{% endif %}", "n"),
        ("{% if '' %}y{% endif %}{% if 0 %}y{% endif %}{% if f %}n{% endif %}", "yy"),
        ("{% if l contains 'y' %}y{% endif %}{% if 'abc' contains 'b' %}y{% endif %}", "yy"),
        ("{% if 'abc' startsWith 'a' and 'abc' ends_with 'c' %}y{% endif %}", "y"),
        ("{% if l == empty %}n{% endif %}{% if '' == empty %}y{% endif %}", "y"),
        ("{% if f %}a{% elseif t %}b{% else %}c{% endif %}", "b"),
        ("{% if f %}a{% else if f %}b{% else %}c{% endif %}", "b"),
        ("{% unless f %}a{% else %}b{% endunless %}", "a"),
        ("{% case 1 %}{% when 1 %}a{% when 2 or 1 %}b{% else %}c{% endcase %}", "ab"),
        ("{% case 9 %}{% when 1 %}a{% else %}c{% endcase %}", "c"),
        # numbers
        ("{{ 60.0 }} {{ 1.50 }} {{ d }} {{ i }}", "60 1.5 0.5 7"),
        ("{{ '6' | times: 1.0 }} {{ 'ab' | times: 2 }} {{ 6 | times: 2 }}", "6 abab 12"),
        ("{{ '1' | plus: 2 }} {{ 1 | plus: 2 }} {{ 7 | divided_by: 2 }} {{ -7 | divided_by: 2 }}", "12 3 3 -3"),
        ("{{ no | sign }} {{ no | divide: 2 }} {{ 2.7 | truncate_number }} {{ 7 | divide: 2 }}", "0 0 2 3.5"),
        ("{{ '5' | is_nan }} {{ 'x' | is_nan }}", "true false"),
        ("{{ 2.5 | round }} {{ 3 | pow: 2 }} {{ -3 | abs }}", "2 9 3"),
        # text
        ("{{ 'tel: 5' | replace: 'tel:\\s*','' }} {{ 'a1b2' | replace: '([a-z])(\\d)', '$2$1' }}", "5 1a2b"),
        ("{{ 'a,,b' | split: ',' | size }} {{ 'a b' | split: ' ' | join: '-' }}", "2 a-b"),
        ("{{ 'abcd' | slice: 1, 2 }} {{ 'abc' | slice: -2, 2 }}", "bc bc"),
        ("{{ 'a<\u00e9' | escape }}", "a&lt;&#233;"),
        ("{{ 'x' | appand: 'y' }}", "x"),
        ("{{ 'q\"w' | escape_special_chars }} {{ 'q\\\"w' | unescape_special_chars }}", 'q\\"w q"w'),
        ("{{ 'abc' | char_at: 1 }} {{ 'abc' | contains: 'b' }} {{ 'abc' | match: '[bc]+' }}", "b true bc"),
        ("{{ 'abc' | base64_encode }} {{ 'YWJj' | base64_decode }}", "YWJj abc"),
        ("{{ 'abc' | gzip | gunzip_base64_string }} {{ 'abc' | sha1_hash | slice: 0, 8 }}", "abc a9993e36"),
        ("{{ msg | to_json_string }}{{ no | to_json_string }}", '{"b":1}'),
        ("{{ no | to_array | size }}{{ 'x' | to_array | size }}{{ l | to_array | size }}", "013"),
        ("{{ no | concat: l | size }}{{ l | concat: l | size }}", "36"),
        # syntax
        ("{% if msg[{{key}}] == 1 %}y{% endif %}{% assign y = {{msg.b}} | plus: {{i}} %}{{ y }}", "y8"),
        ("{% assign x = {{msg.b}} %}{{{x}}", "1"),
        ('{% assign x = "{{ "" | now }}" -%}{% if x contains "T" %}y{% endif %}', "y"),
        ("{{ l[1] }}{{ l.size }}{{ l.first }}{{ l.last }}{{ l[9] }}{{ l.1 }}", "y3xz"),
        ("{{ o.2_16_840 }}", "oid"),
        ("{{ o | first | size }}{% for p in o %}{{ p.Key }}={{ p.Value }}{% endfor %}", "02_16_840=oid"),
        ("{{ 'a' | slice: 0, , 1 }}", "a"),
        ("{% for c in 'ab' %}{{ c }};{% endfor %}", "a;b;"),
        ("{% for x in l offset: 1 limit: 1 %}{{ x }}{{ forloop.index0 }}{% endfor %}", "y0"),
        ("{% for x in l reversed %}{{ x }}{% endfor %}{% for x in msg.b %}n{% endfor %}", "zyx"),
        ("{% for i in (1..3) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
        # whitespace: one line break or one run of blanks
        ("a{% assign x = 1 -%}\n  b", "a  b"),
        ("a{% assign x = 1 -%}  \nb", "a\nb"),
        ("a \n\t {%- assign x = 1 %}b", "a \nb"),
        ("{% comment -%} {% comment %} {{ x {% endcomment -%}\nc", "c"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)
def test_the_rules_of_dotliquid_2_0(microsoft: Render, source: str, printed: str) -> None:
    parts = {"P/_X": "[{{ a }}]{% assign leak = a %}{{ c }}{% assign a = 0 %}", "P/_W": "{% assign a = 9 %}"}
    data = {"msg": {"b": 1}, "l": ["x", "y", "z"], "t": True, "f": False, "d": 0.5, "i": 7, "key": "b"}
    assert microsoft(source, parts, **data, o={"2_16_840": "oid"}) == printed


def test_evaluate_trims_and_makes_nothing_nil(microsoft: Render) -> None:
    parts = {"ID/_A": "  {{ x }} \n", "ID/_B": "{% assign y = 1 %} "}
    source = (
        "{% evaluate a using 'ID/A' x: 5 %}{% evaluate b using 'ID/B' %}[{{ a }}{{ b | default: 'nil' }}{{ y }}{{ x }}]"
    )
    assert microsoft(source, parts) == "[5nil1]"
    assert microsoft("{% evaluate b using 'ID/B' %}{% if b %}text{% endif %}", parts) == ""


def test_evaluate_writes_past_its_own_argument(microsoft: Render) -> None:
    assert microsoft("{% evaluate a using 'T' a: 1 %}{{ a }}", {"T": "{{ a }}2"}) == "12"


def test_include_with_a_list_renders_each(microsoft: Render) -> None:
    assert microsoft("{% include 'T' with l %}{% include 'T' with 5 %}", {"T": "<{{ t }}>"}, l=[1, 2]) == "<1><2><5>"


def test_a_pure_partial_gives_the_same_text_and_assignments_again(microsoft: Render) -> None:
    parts = {"P/_T": "{% capture c %}{{ x }}!{% endcapture %}{{ c }}"}
    source = "{% include 'P/T' x: a %}{% assign c = 0 %}{% include 'P/T' x: a %}{{ c }}{% include 'P/T' x: b %}{{ c }}"
    assert microsoft(source, parts, a="1", b="2") == "1!1!1!2!2!"


def test_a_pure_partial_under_a_binding_of_its_variable_is_rendered(microsoft: Render) -> None:
    parts = {"P/_T": "{% capture c %}{{ x }}{% endcapture %}{{ c }}"}
    source = "{% include 'P/T' x: a %}{% for c in l %}{% include 'P/T' x: a %}{% endfor %}{{ c }}"
    assert microsoft(source, parts, a="1", l=["k", "m"]) == "1km1"


def test_a_path_is_looked_up_again_when_its_variable_changed(microsoft: Render) -> None:
    source = (
        "{{ m.a.b }}{% if m.a.b %}{% assign m = n %}{% endif %}{{ m.a.b }}"
        "{% for i in l %}{{ m.a.b }}{% assign m = o %}{% endfor %}{% include 'S' %}{{ m.a.b }}"
    )
    data = {key: {"a": {"b": number}} for number, key in enumerate("mno")}
    assert microsoft(source, {"S": "{% assign m = n %}"}, **data, l=[1, 2]) == "01121"


def test_a_path_behind_a_condition_that_did_not_run_is_looked_up(microsoft: Render) -> None:
    source = "{% if no and m.a %}1{% elsif m.a and m.b %}{{ m.b }}{% endif %}{{ m.a }}{{ no | default: m.b }}{{ m.b }}"
    assert microsoft(source, m={"a": 1, "b": 2}) == "2122"


def test_get_property_falls_back_to_default_and_to_the_code(microsoft: Render) -> None:
    codes = {"M": {"a": {"code": "A", "system": "s"}, "__default__": {"code": "D"}}, "N": {}}
    source = (
        "{{ 'a' | get_property: 'M' }}{{ 'z' | get_property: 'M', 'code' }}{{ 'z' | get_property: 'N', 'display' }}"
        "[{{ 'z' | get_property: 'N', 'system' }}{{ no | get_property: 'M' }}]{{ 'z' | get_property: 'X' }}"
    )
    assert microsoft(source, codes=codes) == "ADz[]z"


def test_ids_are_dotnet_guids_of_sha_256(microsoft: Render) -> None:
    source = "{{ ' 1,2 ' | generate_id_input: 'Patient', false, base }}|{{ 'Patient_1' | generate_uuid }}"
    expected = uuid.UUID(bytes_le=hashlib.sha256(b"Patient_1").digest()[:16])
    assert microsoft(source + "{{ ' ' | generate_uuid }}") == f"Patient_1,2|{expected}"
    assert microsoft("{{ 'a' | generate_id_input: 'B', true, 'c' }}{{ '' | generate_id_input: 'B', true }}") == "B_a_c"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{% mergeDiff m -%}{ 'a': 2, // note\n \"c\": , }{% endmergeDiff -%}", {"a": 2, "valueX": 5, "c": ""}),
        ('{% mergeDiff m -%}{"value[x]": {"q": 1}, "none[x]": 1}{% endmergeDiff -%}', {"a": 1, "valueX": {"q": 1}}),
        ("{% mergeDiff m -%} {% endmergeDiff -%}", {"a": 1, "valueX": 5}),
        ("{% mergeDiff no -%}{}{% endmergeDiff -%}", ""),
    ],
)
def test_merge_diff_puts_members_over_an_object(microsoft: Render, source: str, value: Any) -> None:
    assert json.loads(microsoft(source, m={"a": 1, "valueX": 5})) == value


@pytest.mark.parametrize(
    ("source", "number"),
    [("{% mergeDiff m -%}[1]{% endmergeDiff %}", "1310"), ("{% mergeDiff t -%}{'a':1}{% endmergeDiff %}", "1311")],
)
def test_merge_diff_refuses_what_is_no_object(microsoft: Render, source: str, number: str) -> None:
    with pytest.raises(TemplateError, match=number):
        microsoft(source, m={"a": 1}, t="text")


def test_validate_checks_its_body(put: Callable[..., Any]) -> None:
    folder = put(A="{% validate 's.schema.json' -%}{ \"n\": {{ n }} /* c */ }{% endvalidate -%}")
    (folder / "s.schema.json").write_text(
        '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
    )
    engine = Engine([folder], dialect="microsoft")
    assert engine.render("A", {"n": 1}) == '{ "n": 1 /* c */ }'
    with pytest.raises(TemplateError, match="#/n: type"):
        engine.render("A", {"n": "1.5"})


def test_batch_render_puts_a_comma_behind_each(microsoft: Render, microsoft_json: Build) -> None:
    parts = {"T/_X": '{ "v": "{{ x }}", "of": "{{ all.size }}" }'}
    assert microsoft("{{ l | batch_render: 'T/X', 'x' }}", {"T/_X": "{{ x }}"}, l=[1, 2]) == "1,2,"
    assert microsoft("{{ no | batch_render: 'T/X', 'x' }}{{ x }}", {"T/_X": "n"}) == ""
    made = microsoft_json("{ \"a\": [ {{ l | batch_render: 'T/X', 'x', 'all' }} ] }", parts, l=[1, 2])
    assert made == {"a": [{"v": "1", "of": "2"}, {"v": "2", "of": "2"}]}


def test_json_paths_select_one_token(microsoft: Render) -> None:
    told = json.dumps({"e": [{"r": {"t": "A"}, "v": 1}, {"r": {"t": "B"}, "v": {"w": [2]}}]})
    assert microsoft("{{ j | evaluate: '$.e[0].v' }}{{ j | evaluate: 'e[1].x' }}", j=told) == "1"
    assert microsoft("{{ j | get_object: \"$.e[?(@r.t == 'B')].v\" }}", j=told) == '{"w":[2]}'


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ '2021' | format_as_date_time }}", "2021"),
        ("{{ '202103' | format_as_date_time }}", "2021-03"),
        ("{{ '20210304' | format_as_date_time }}", "2021-03-04"),
        ("{{ '2021030405+0130' | format_as_date_time }}", "2021-03-04T05:00:00+01:30"),
        ("{{ '20210304050607-0500' | format_as_date_time }}", "2021-03-04T05:06:07-05:00"),
        ("{{ '20210304050607+0000' | format_as_date_time }}", "2021-03-04T05:06:07Z"),
        ("{{ '20210304050607.1200+0100' | format_as_date_time: 'utc' }}", "2021-03-04T04:06:07.1200Z"),
        ("{{ '20210304050607+0100' | add_hyphens_date }}{{ no | add_hyphens_date }}", "2021-03-04"),
        ("{{ '2021-03-04T05:06:07Z' | add_seconds: 61.5 }}", "2021-03-04T05:07:08.500Z"),
        ("{{ '2021-03-04T05:06:07+01:00' | format_as_hl7v2_date_time }}", "20210304050607+0100"),
        ("{{ '2021-03' | format_as_hl7v2_date_time }}", "202103"),
        ("{{ '2021-03-04T05:06:07' | date: 'yyyy-MM-ddTHH:mm:ss.fff' }}", "2021-03-04T05:06:07.000"),
        ("{{ '2021-03-04' | date: 'd MMM yy, dddd' }}{{ 'x' | date: 'yyyy' }}", "4 Mar 21, Thursdayx"),
    ],
)
def test_dates_keep_the_precision_that_was_sent(microsoft: Render, source: str, made: str) -> None:
    assert microsoft(source) == made


@pytest.mark.parametrize("value", ["20211301", "2021030405+01", "20210230", "yesterday", "20210304246060+0000"])
def test_a_wrong_date_is_an_error_without_the_value(microsoft: Render, value: str) -> None:
    with pytest.raises(TemplateError, match="1307") as raised:
        microsoft("{{ d | format_as_date_time }}", d=value)
    assert value not in str(raised.value)


def test_a_time_without_a_zone_is_in_the_zone_of_the_process(
    microsoft: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert microsoft("{{ '202103040506' | format_as_date_time }}") == "2021-03-04T05:06:00+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_data_cannot_end_a_json_string(microsoft_json: Build) -> None:
    hostile = 'a"b\nc\\d\\"e\x01,,'
    assert microsoft_json('{"a": "{{ x }}", "b": "<{{ x }}>"}', x=hostile) == {
        "a": 'a"b\nc\\d"e\x01,,',
        "b": '<a"b\nc\\d"e\x01,,>',
    }


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("\n  {{ m.a | append: b }}", "convert.template_render at root.liquid:2:5: text is needed, not a dict"),
        ("{% include 'T/no' %}", "convert.template_missing at root.liquid:1:11: no template 'T/no'"),
        ("{% foo %}", "convert.template_syntax at root.liquid:1:4: unknown tag 'foo'"),
        ("{% evaluate x 'T' %}", "convert.template_syntax at root.liquid:1:12: 'evaluate' is not written"),
        ("{{ 1 | get_segment_lists: 'PID' }}", "1106"),
        ("{{ 'a' | append }}", "filter 'append' has the wrong number"),
    ],
)
def test_errors_name_template_line_and_column(microsoft: Render, source: str, error: str) -> None:
    with pytest.raises(TemplateError) as raised:
        microsoft(source, m={"a": {}})
    assert error in str(raised.value)
