"""The fast way, by objects, gives what the slow way gives, by text; and where it cannot, the slow way decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine
from headwater.formats.hl7v2 import Segment, parse
from headwater.formats.marks import nil_stays
from headwater.formats.remembered import Remembered
from headwater.model import LARGE
from headwater.templates import Engine, Limits, TemplateError
from headwater.templates.building import builder
from tests.mappings.examples import PLAIN
from tests.mappings.examples import engine as ehr_engine

Put = Callable[..., Path]
PARTS = {
    "T/Members": '"m": "{{ x }}", {% if x %}"n": 1,{% endif %}',
    "T/Item": '{% if x %}{ "i": "{{ x }}" },{% endif %}',
    "T/Value": '{% if x %}"{{ x }}"{% else %}"none"{% endif %}',
    "T/Comma": '{ "c": "{{ x }}" },',
    "T/Text": "<{{ x }}>",
    "T/Sets": '{% assign told = x %}"set": "{{ told }}",',
    "T/Alone": '{% if x %}{% assign y = x %}{% assign x = a %}{% endif %}{% for z in y %}{% assign last = z %}{% endfor %}"r": "{{ x }}{{ y }}{{ last }}{{ z }}{{ i }}",',  # noqa: E501
    "T/Deep": '{ "d": {{ x }}{% if x > 1 %}{% assign y = x | minus: 1 %}, "in": {% include \'T/Deep\' x: y %}{% endif %} }',  # noqa: E501
}
DATA: dict[str, Any] = {
    "a": "A",
    "q": 'say "hi"\\n',
    "e": "",
    "l": ["x", "", "y"],
    "m": {"n": {"o": "deep"}, "k": 5},
    "t": True,
    "f": False,
    "i": 7,
}
BOTH = [
    '{ "v": "{{ a }}", "w": "{{ nothing }}", "x": "{{ e }}", "y": "<{{ q }}>", "z": {{ i }} }',
    '{ "v": "2", "v": "", "v": "{{ nothing }}", "o": {}, "l": ["", {}, []], "n": null, "b": false, "s": " " }',
    '{ "a": [{% for x in l %}{ "{{ x }}": "{{ forloop.index }}" },{% endfor %}], {% for x in l %}"k": "{{ x }}",{% endfor %} }',  # noqa: E501
    '{ {% if a %}"one": 1,{% elsif i %}"two": 2{% else %}"three": 3,{% endif %} }',
    '{ "v": {% if nothing %}"x"{% elsif a %}{ "y": "{{ a }}" }{% endif %}, "w": {% unless f %}[1]{% endunless %} }',
    "{ {% include 'T/Members' x: a %} {% include 'T/Members' x: nothing %} \"k\": {% include 'T/Value' x: q %} }",
    "{ \"l\": [{% include 'T/Item' x: a %}{% include 'T/Item' x: nothing %}{% include 'T/Value' x: a %}] }",
    "{ \"v\": {% include 'T/Comma' x: a %} \"w\": {% include 'T/Value' x: m.n.o %} }",
    '{ "v": "{% include \'T/Text\' x: q %}{% if a %}-{{ a }}{% endif %}" }',
    '{% capture c %}{{ a }}{% for x in l %}{{ x }}{% break %}{% endfor %}{% endcapture %}{ "c": "{{ c }}{{ c | size }}" }',  # noqa: E501
    "{% assign told = 'old' %}{ {% include 'T/Sets' x: a %} \"after\": \"{{ told }}\" }",
    '{ "l": [{% for x in l %}{% assign told = x %}{% include \'T/Item\' x: told %}{% endfor %}], "last": "{{ told }}" }',  # noqa: E501
    '{% if m.n.o and m.k > 3 %}{ "v": "{{ m.n.o | append: \'!\' }}" }{% else %}{}{% endif %}',
    '{ "v": "{% case a %}{% when \'B\' %}b{% when \'A\' %}a{% endcase %}", "{{ a }}": 1 }',
    "{% include 'T/Deep' x: 3 %}",
    '{ {% unless true %}"a": 1{% elsif t %}"b": 2{% endunless %} }',
    '{ {% if nothing and a %}"a": 1{% elsif a and nothing %}"b": 2{% else %}"c": "{{ a }}"{% endif %} }',
    '{ "v": "a\\"b\\u0041\\n", "w": "\u00e9{{ q }}\\\\" }',
]
HOUSE = [
    '{ "a": "{{ l.2 }}", "b": "{{ a.1 }}{{ a.2 }}{{ a.text }}", {% if l.0 == \'x\' %}"c": 1{% endif %} }',
    "{ \"v\": {% render 'T/Value', x: a %}, \"w\": [{% render 'T/Item' for l as x %}] }",
    "{% assign x = 's' %}{% assign last = 's' %}{ {% render 'T/Alone', x: l, a: a %} \"o\": { {% render 'T/Alone', a: i %} }, \"s\": \"{{ x }}{{ y }}{{ last }}\" }",  # noqa: E501
    "{ {% assign x = 'own' %}{% include 'T/Members', x: a %} \"x\": \"{{ x }}\" }",
    '{% for x in l %}{% assign x = \'new\' %}{% assign y = x %}{% endfor %}{ "y": "{{ y }}", "x": "{{ x }}" }',
    '{ "v": {{ q }}, "w": {{ m | json }}, "x": {{ nothing }}, "y": {{ t }} }',
]
MICROSOFT = [
    "{% evaluate v using 'T/Text' x: a %}{% evaluate n using 'T/None' x: nothing %}{ \"v\": \"{{ v }}{{ n }}\" }",
    '{% for x in l %}{% assign x = \'past\' %}{% endfor %}{ "x": "{{ x }}" }',
    '{ "m": "{{ m[\'n\'].o }}", "s": "{{ q | replace: \'h.\', \'X\' }}", "d": "{{ \'20210304\' | format_as_date_time }}" }',  # noqa: E501
]


def both(engine: Engine, data: dict[str, Any]) -> Any:
    """What the fast way and the slow one make; the same, or this fails."""
    fast = engine._linked("root", tuple(sorted(data))) or engine._linked("root", tuple(sorted(data)))
    assert fast is not None
    built = fast.function(engine.dialect.state(engine.limits, engine), dict(data))
    told = engine.dialect.read(engine.write("root", data, "value"), "root")
    assert json.dumps(built) == json.dumps(told)  # the order of members counts too
    return built


def outcome(task: Callable[[], Any]) -> str:
    """The JSON that a task makes, or the Quarantine that it ends in."""
    try:
        return json.dumps(task())
    except Quarantine as error:
        return str(error)


@pytest.mark.parametrize(
    ("dialect", "source"),
    [
        *(("headwater", source) for source in (*BOTH, *HOUSE)),
        *(("microsoft", source) for source in (*BOTH, *MICROSOFT)),
    ],
)
def test_objects_are_what_the_text_says(put: Put, dialect: str, source: str) -> None:
    parts = {f"T/_{name[2:]}": part for name, part in PARTS.items()}
    engine = Engine([put(root=source, **parts, **{"T/_None": "{{ x }} "})], dialect=dialect)
    assert both(engine, DATA)
    assert engine.build("root", DATA) == engine.build("root", DATA)


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
@pytest.mark.parametrize(
    "source",
    [
        '{ "v": {{ a }}{{ i }} }',
        '{ {% if a %}"v": {% endif %} 1 }',
        '{ "v": 1 {% if a %} "w": 2 {% endif %} }',
        "{ {{ j }} }",
        '{ "v": {% if nothing %}1{% endif %} }',
        '{ "v": [ {% for x in l %}{ "x": 1 }{% endfor %} ] }',
        '{ "v": "{{ a }}{% if a %}" {% endif %} }',
        "{ {% include p %} }",
        "{ {% include 'Wrong' %} }",
    ],
)
def test_what_cannot_be_built_for_sure_is_decided_by_its_text(put: Put, dialect: str, source: str) -> None:
    engine = Engine([put(root=source, P='"k": "v"', Wrong="{% if")], dialect=dialect)
    data = {**DATA, "p": "P"}
    told = outcome(lambda: engine.dialect.read(engine.write("root", data, "value"), "root"))
    assert [outcome(lambda: engine.build("root", data)) for _ in range(3)] == [told] * 3


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
def test_an_output_that_is_no_value_falls_back_while_it_runs(put: Put, dialect: str) -> None:
    engine = Engine([put(root='{ "v": {% if x %}{{ x }}{% endif %}, "w": 1 }')], dialect=dialect)
    for _ in range(3):
        assert engine.build("root", {"x": "5"}) == {"v": 5, "w": 1}
        with pytest.raises(TemplateError, match=r"convert\.json"):
            engine.build("root", {"x": None})


def test_a_false_item_of_a_list_is_what_it_is(put: Put) -> None:
    engine = Engine([put(root='{ "v": {{ l.1 }}, "w": {% if l.1 == 0 %}"none"{% endif %} }')])
    assert [engine.build("root", {"l": [5, 0]}) for _ in range(3)] == [{"v": 0, "w": "none"}] * 3


GREEDY = {
    "loop": '{ "l": [{% for i in (1..1000000000) %}{ "i": "{{ i }}" },{% endfor %}] }',
    "nested loops": '{ "l": [{% for i in (1..9999) %}{% for j in (1..9999) %}"a",{% endfor %}{% endfor %}] }',
    "members": '{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}{ "v": 1 }',
    "large text": "{% assign a = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..12) %}{% assign a = a | append: a %}{% endfor %}"
    '{ "l": [{% for i in (1..9999) %}"{{ a }}",{% endfor %}] }',
    "large concatenation": "{% assign a = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..40) %}"
    '{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}{ "v": "{{ a }}" }',
    "recursion": "{ \"v\": {% include 'Again' %} }",
}


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
@pytest.mark.parametrize("name", sorted(GREEDY))
def test_a_greedy_template_is_stopped_on_the_fast_way_too(put: Put, name: str, dialect: str) -> None:
    limits = Limits(seconds=5, turns=20_000, output=4_000_000, string=1_000_000, work=16_000_000, items=50_000)
    again = "{ \"w\": {% include 'Again' %} }"
    engine = Engine([put(root=GREEDY[name], Again=again)], dialect=dialect, limits=limits)
    assert engine._linked("root", ()) or engine._linked("root", ())
    with pytest.raises(TemplateError, match=r"convert\.template_limit at \w+\.liquid:1:"):
        engine.build("root", {})


def test_errors_have_their_place_on_the_fast_way(put: Put) -> None:
    folder = put(root='{ "v": "{{ a }}",\n  {% include "P" %} }', P='"w":\n "{{ 1 | divided_by: x }}"')
    engine = Engine([folder])
    for _ in range(2):
        assert engine.build("root", {"x": 1}) == {"w": "1"}
    assert engine._linked("root", ("x",))
    with pytest.raises(TemplateError, match=r"P\.liquid:2:5"):
        engine.build("root", {"x": 0})
    with pytest.raises(TemplateError, match=r"template_missing at root\.liquid:1:13"):
        Engine([put("other", root="{ {% include 'no' %} }")]).build("root", {})


def test_a_partial_that_is_missing_is_an_error_only_where_it_is_called(put: Put) -> None:
    engine = Engine([put(root='{ "v": 1, {% if x %}{% include "no" %}{% endif %} }')])
    for _ in range(3):
        assert engine.build("root", {"x": None}) == {"v": 1}
        with pytest.raises(TemplateError, match="no template 'no'"):
            engine.build("root", {"x": 1})


def test_prepared_roots_are_never_analysed_when_they_run(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = put(A='{ "a": {% include "B" %} }', B='{ "b": "{{ x }}" }'), tmp_path / "cache"
    Engine([folder], cache=cache).prepare([("A", "value")], ["x"])
    monkeypatch.setattr(builder.Builder, "complete", None)
    assert Engine([folder], cache=cache)._linked("A", ("x",))
    assert Engine([folder], cache=cache).build("A", {"x": "r"}) == {"a": {"b": "r"}}


def test_a_changed_partial_is_seen_by_the_roots_that_call_it(put: Put, tmp_path: Path) -> None:
    for told in ("one", "two"):
        folder = put(A='{ "a": {% include "B" %} }', B=f'"{told}"')
        Engine([folder], cache=tmp_path / "cache").prepare([("A", "value")], ["x"])
        assert Engine([folder], cache=tmp_path / "cache").build("A", {"x": 1}) == {"a": told}


def test_nothing_of_a_template_is_python(put: Put) -> None:
    hostile = "'); import os; os._exit(1) #"
    source = f'{{ "{hostile}": "{hostile}{{{{ a }}}}", "{{{{ a }}}}{hostile}": [{{% include "{hostile}" %}}] }}'
    engine = Engine([put(root=source)], dialect="microsoft")
    for _ in range(2):
        with pytest.raises(Quarantine):
            engine.build("root", {"a": "x"})


PIECES = st.sampled_from(
    [
        '"k": "{{ a }}",',
        '"k": "",',
        '"v": {{ i }},',
        '"o": { "x": "{{ m.k }}" },',
        '"l": [{% for x in l %}"{{ x }}",{% endfor %}],',
        "{% assign z = a %}",
        "{% assign a = i %}",
        "{% if a %}",
        "{% else %}",
        "{% endif %}",
        "{% for x in l %}",
        "{% endfor %}",
        "{% capture z %}{{ a }}{{ x }}{% endcapture %}",
        '"z": "{{ z }}{{ x }}",',
        "{% include 'P' x: a %}",
        "{% include 'P' %}",
        "\"n\": {% include 'V' a: z %},",
        "\"r\": {% render 'R', a: z, x: l %},",
        '"w": {% if z %}1{% else %}{ "a": "{{ a }}" }{% endif %},',
        "{% break %}",
        '"',
        ",",
        "}",
    ]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=12), st.sampled_from(["headwater", "microsoft"]))
def test_both_ways_agree_on_any_template(tmp_path: Path, pieces: list[str], dialect: str) -> None:
    (tmp_path / "root.liquid").write_text("{ " + " ".join(pieces) + " }")
    (tmp_path / "P.liquid").write_text('"p": "{{ x }}{{ z }}", {% assign z = x %}')
    (tmp_path / "V.liquid").write_text('{% if a %}"{{ a }}"{% else %}null{% endif %}')
    (tmp_path / "R.liquid").write_text(
        '{% if a %}{% assign z = x %}{% assign x = a %}{% endif %}["{{ x }}", "{{ z }}"]'
    )
    engine = Engine([tmp_path], dialect=dialect, limits=Limits(seconds=2, turns=2_000))
    told = outcome(lambda: engine.dialect.read(engine.write("root", DATA, "value"), "root"))
    assert [outcome(lambda: engine.build("root", DATA)) for _ in range(2)] == [told] * 2


SAID = st.sampled_from(
    [
        '"a": "{{ p.1 }}", "b": "{{ p.2 }}",',
        '"c": ["{{ p.1.1 }}", "{{ p.1.2 }}", "{{ p.1.2.2 }}"],',
        '"d": { "x": "{{ p.2.1 }}-{{ p.3 }}", "y": "{{ p.3.9 }}" },',
        '"e": "{{ p.1 | default: p.2.1 | default: \'none\' }}",',
        '"f": "{{ p.4 | hl7_date }}", "g": "Patient/{{ \'Patient\' | id: p.1 }}",',
        '"h": [{ "s": "{{ p.2.1 | authority | default: p.3 }}" }],',
        "{% assign z = p.4 | hl7_datetime | default: p.1 %}",
        "{% assign z = p.3.1 %}",
        '"z": "{{ z }}{{ x }}", "y": "{{ x.1 }}", "x": "{{ x.2.1 }}",',
        "\"l\": [{% render 'N' for p.1 as x, word: 'w' %}{% render 'N', x: p.2 %}{% render 'N', x: z, word: z %}],",
        "\"n\": {% render 'M', x: p.3, word: 'w' %},",
        "{% render 'O', x: p.2.1 %}",
        "{% include 'I' %}",
        '"v": "{{ w }}",',
        '"i": ["{{ p.41 }}", "{{ p.42.2 }}", "{{ p.42.40 }}", "{{ p.99 }}"], "j": "{{ x.41 }}{{ x.2.41 }}",',
    ]
)
TESTS = st.sampled_from(
    ["p.1", "p.2 == 'M'", "p.3 != 'M' and p.1.1", "p.4 contains '2025' or z", "z == p.1", "p.2.1 == nil", "x.2"]
)


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """What may stand around some text of a template."""
    return (
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, TESTS, inner, inner)
        | st.builds("{{% for x in {} %}}{}{{% endfor %}}".format, st.sampled_from(["p.1", "p.2.1", "z"]), inner)
        | st.builds("{{% case p.2.1 %}}{{% when 'A', 'M' %}}{}{{% else %}}{}{{% endcase %}}".format, inner, inner)
        | st.builds('"{}": {{ {} }},'.format, st.sampled_from("stu"), inner)
        | st.builds("{}{}".format, inner, inner)
    )


FILTERS = {name: each.function for name, each in ehr_engine(PLAIN.name).dialect.filters.items() if each.word}
FIELDS = st.lists(
    st.sampled_from(
        ["", "M", "A^B^C", "A&B^C&D", "A~B^C", '""', "x\\T\\y", " pad", "20250711083000", "^^", "L" * LARGE]
    ),
    min_size=4,
    max_size=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(SAID, blocks, max_leaves=12), FIELDS)
def test_both_ways_agree_on_the_parts_of_a_message(tmp_path: Path, body: str, fields: list[str]) -> None:
    (tmp_path / "root.liquid").write_text(f"{{ {body} }}")
    (tmp_path / "N.liquid").write_text(
        '{% if x %}{ "v": "{{ x.1 }}", "w": "{{ word }}", "x": { "y": "{{ x.2 }}" } }{% else %}{}{% endif %},'
    )
    (tmp_path / "M.liquid").write_text(
        '{ "k": "{{ word }}", "t": {% if x == \'M\' %}"m"{% else %}"{{ x.2 }}"{% endif %} }'
    )
    (tmp_path / "I.liquid").write_text(
        '{% assign z = p.4 | hl7_date %}{% assign w = \'W/\' | append: z %}"w": "{{ w }}",'
    )
    (tmp_path / "O.liquid").write_text('{% if x %}"o": ["{{ x }}"],{% endif %}')
    row = "|".join(["ZZZ", *fields, *[""] * 36, *fields])
    message = parse(f"MSH|^~\\&|A|B|C|D|2025||ADT^A01|1|P|2.5\r{row}".encode(), UTC)
    segment = message.lookup("ZZZ")
    assert isinstance(segment, Segment)
    data = {"p": segment, "message": message}
    engine = Engine([tmp_path], filters=FILTERS, limits=Limits(seconds=2, turns=20_000))
    told = outcome(lambda: engine.dialect.read(engine.write("root", data, "value"), "root"))
    assert [outcome(lambda: engine.build("root", data)) for _ in range(2)] == [told] * 2


def test_a_filter_that_remembers_is_asked_once_for_the_same_texts(put: Put) -> None:
    asked = list[tuple[object, str]]()

    @nil_stays
    def between(value: object, mark: str) -> str:
        asked.append((value, mark))
        return f"{mark}{value}{mark}"

    source = '{ "l": [{% for i in (1..3) %}"{{ p.1 | between: \'-\' }}", "{{ p.2 | between: \'-\' }}",{% endfor %}] }'
    engine = Engine([put(root=source)], filters={"between": Remembered(between)})
    message = parse(b"MSH|^~\\&|A|B|C|D|2025||ADT^A01|1|P|2.5\rZZZ|text|two^parts", UTC)
    for count in (6, 1 + 3, 3):  # by text; by objects, where what has parts is not remembered; the text is known
        asked.clear()
        assert engine.build("root", {"p": message.lookup("ZZZ")}) == {"l": ["-text-", "-two-"] * 3}
        assert len(asked) == count


def test_large_texts_of_a_message_are_paid_for_wherever_they_are_written(put: Put) -> None:
    source = (
        '{ "l": [{% for i in (1..999) %}"{{ p.1 }}", "{{ p.2.1 }}", { "v": "{{ p.1 | default: i }}" },{% endfor %}] }'
    )
    engine = Engine([put(root=source)], limits=Limits(output=1_000_000))
    for text, stopped in (("short", False), ("x" * 9_000, True)):
        message = parse(f"MSH|^~\\&|A|B|C|D|2025||ADT^A01|1|P|2.5\rZZZ|{text}|{text}^b".encode(), UTC)
        build = partial(engine.build, "root", {"p": message.lookup("ZZZ")})
        outcomes = [outcome(build) for _ in range(2)]
        assert all(("template_limit" in each) is stopped for each in outcomes)
