"""The house dialect: ordinary Liquid, JSON that data cannot break, errors with their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import Hold
from headwater.templates import Engine, TemplateError

Render = Callable[..., str]
Build = Callable[..., Any]


class Name:
    """A drop, as the HL7 parser's fields are."""

    secret = "attribute"

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def lookup(self, name: str | int) -> Any:
        return self.parts[name - 1] if isinstance(name, int) and 0 < name <= len(self.parts) else None

    def __str__(self) -> str:
        return "^".join(self.parts)

    def __iter__(self) -> Any:
        return iter(self.parts)


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("{{ a.b }} {{ a['b'] }} {{ l[0] }} {{ l.first }} {{ l.last }} {{ l.size }}", "1 1 x x z 3"),
        ("{{ a.1.2 }}", "deep"),
        ("{{ d.1 }}|{{ d }}|{{ d.secret }}|{{ d.9 }}", "Ann|Ann^B||"),
        ("{% for x in d %}{{ x }};{% endfor %}", "Ann;B;"),
        ("{% if d.1 == 'Ann' and l contains 'z' %}y{% else %}n{% endif %}", "y"),
        ("{% if nothing %}y{% elsif '' %}empty is true{% endif %}", "empty is true"),
        ("{% unless nothing %}u{% endunless %}", "u"),
        ("{% case d.2 %}{% when 'A' or 'B' %}b{% else %}e{% endcase %}", "b"),
        ("{% case 7 %}{% when 'A', 'B' %}b{% else %}e{% endcase %}", "e"),
        ("{% for x in l limit: 2 offset: 1 %}{{ forloop.index }}{{ x }}{% endfor %}", "1y2z"),
        ("{% for x in l reversed %}{{ x }}{% if forloop.last %}!{% endif %}{% endfor %}", "zyx!"),
        ("{% for x in nothing %}a{% else %}none{% endfor %}", "none"),
        ("{% for i in (1..4) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}"
         "{% endfor %}", "13"),
        ("{% assign q = 'x' | append: 'y' %}{% capture c %}<{{ q }}>{% endcapture %}{{ c }}", "<xy>"),
        ("a {{- 1 -}} b {%- if true -%} c {%- endif %}", "a1bc"),
        ("{% comment %}{{ x {% comment %}{% endcomment %}{% endcomment %}{% # no %}.", "."),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ 'a,b' | split: ',' | join: '-' | upcase }}", "A-B"),
        ("{{ 0.1 | plus: 0.2 }} {{ '7' | divided_by: 2 }} {{ 7.5 | round }}", "0.3 3 8"),
        ("{{ nothing | default: 'd' }}{{ false | default: 'd', allow_false: true }}", "dfalse"),
        ("{{ '2024-02-03T04:05:06' | date: '%d.%m.%Y' }}", "03.02.2024"),
        ("{% if a == empty %}e{% endif %}{% if nothing == blank %}b{% endif %}", "b"),
        ("{% if '5' < 10 and 'x' > 3 %}n{% else %}mixed is false{% endif %}", "mixed is false"),
    ],
)  # fmt: skip
def test_ordinary_liquid_means_what_it_says(text: Render, source: str, printed: str) -> None:
    data = {"a": {"b": 1, "1": {"2": "deep"}}, "l": ["x", "y", "z"], "d": Name("Ann", "B")}
    assert text(source, **data) == printed


def test_include_shares_variables_and_undoes_its_arguments(text: Render) -> None:
    parts = {"p/_X": "{{ a }}{% assign leaked = a %}"}
    assert text("{% assign a = 1 %}{% include 'p/X' a: 2 %}{{ a }}{{ leaked }}", parts) == "212"


def test_render_sees_its_arguments_only(text: Render) -> None:
    assert text("{% assign a = 1 %}{% render 'X', b: 2 %}{{ b }}", {"X": "{{ a }}{{ b }}{% assign b = 3 %}"}) == "2"


def test_include_for_binds_each_item(text: Render) -> None:
    assert text("{% include 'X' for l as each %}{% include 'X' with 9 as each %}", {"X": "<{{ each }}>"}, l=[1, 2]) == (
        "<1><2><9>"
    )


def test_the_first_folder_wins(put: Callable[..., Path]) -> None:
    base, own = put("base", A="base {% include 'B' %}", B="b"), put("own", B="own b")
    assert Engine([own, base]).render("A", {}) == "base own b"


HOSTILE = '","x":[1],"y":"{{ a }}{% if %}\\ \x00\x1f\n\t}],,\x01'


def test_data_never_breaks_json(build: Build) -> None:
    made = build('{"a": "{{ x }}", "b": {{ x }}, "c": ["{{ x }}", {{ x | json }}], "d": "<{{ x }}>"}', x=HOSTILE)
    assert made == {"a": HOSTILE, "b": HOSTILE, "c": [HOSTILE, HOSTILE], "d": f"<{HOSTILE}>"}


def test_json_in_a_string_is_a_string(build: Build) -> None:
    assert json.loads(build('{"a": "{{ x | json }}"}', x={"q": HOSTILE})["a"]) == {"q": HOSTILE}


@pytest.mark.parametrize(
    ("data", "value"),
    [("12.50", 12.5), ("007", "007"), ("true", True), ("1e5x", "1e5x"), (3, 3), (False, False), ("1, 2", "1, 2")],
)
def test_a_bare_output_is_one_json_value(build: Build, data: Any, value: Any) -> None:
    made = build('{"v": {{ x }}}', x=data)["v"]
    assert made == value
    assert type(made) is type(value)


def test_spare_commas_are_forgiven_and_empties_dropped(build: Build) -> None:
    source = '{,"a": [,,{},[],"", {"b": "{{ no }}"},], , "n": null, "s": " ", "t": [1,,2,],}'
    assert build(source) == {"n": None, "s": " ", "t": [1, 2]}


def test_an_empty_duplicate_does_not_replace(build: Build) -> None:
    assert build('{"v": "2", "v": "{{ no }}", "o": {"a": 1}, "o": {}}') == {"v": "2", "o": {"a": 1}}


def test_commas_inside_strings_stay(build: Build) -> None:
    assert build('{"a": "x,,y [, ] {{ q }},,", "b": ",", }', q=",,") == {"a": "x,,y [, ] ,,,,", "b": ","}


def test_a_capture_is_text_and_escaped_once(build: Build) -> None:
    assert build('{% capture c %}"{{ q }}"{% endcapture %}{"a": "{{ c }}"}', q='a"b') == {"a": '"a"b"'}


def test_partials_are_escaped_by_where_they_stand(build: Build) -> None:
    parts = {"in": "{{ q }}", "out": '"k": "{{ q }}",'}
    assert build('{"a": "<{% include "in" %}>", {% include "out" %}}', parts, q='"') == {"a": '<">', "k": '"'}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a\n {{ x | nope }}", "convert.template_syntax at root.liquid:2:9: unknown filter 'nope'"),
        ("{% nope %}", "convert.template_syntax at root.liquid:1:4: unknown tag 'nope'"),
        ("\n{% if a %}", "convert.template_syntax at root.liquid:2:4: 'if' is never closed"),
        ("{{ a", "convert.template_syntax at root.liquid:1:1: '{{' is never closed"),
        ("{{ a | append }}", "convert.template_syntax at root.liquid:1:8: filter 'append' takes 1 arguments, not 0"),
        ("{% break %}", "convert.template_syntax at root.liquid:1:9: 'break' outside of a loop"),
        ("\n {{ 1 | divided_by: n }}", "convert.template_render at root.liquid:2:4: division by zero"),
        ("{% include 'no' %}", "convert.template_missing at root.liquid:1:11: no template 'no' in"),
        ("{% include '../x' %}", "convert.template_missing at root.liquid:1:11: no template '../x' in"),
        ("{% include 'B' %}", "convert.template_render at B.liquid:2:3: a whole number is needed"),
    ],
)  # fmt: skip
def test_errors_name_template_line_and_column(text: Render, source: str, error: str) -> None:
    with pytest.raises(TemplateError) as raised:
        text(source, {"B": "\n{{ 'secret' | slice: 'secret' }}"})
    assert str(raised.value).startswith(error)


def test_output_that_is_no_json_says_so_without_data(build: Build) -> None:
    with pytest.raises(TemplateError, match=r"convert\.json at root\.liquid") as raised:
        build('{"a": "{{ x }}" "b": 1}', x="secret")
    assert "secret" not in str(raised.value)


def test_a_string_opened_in_one_branch_only_is_refused(build: Build) -> None:
    with pytest.raises(TemplateError, match="quotation mark"):
        build('{"a": {% if x %}"{% endif %}b"}')


@pytest.mark.parametrize("name", ["__class__", "__init__", "lookup", "parts", "__globals__", "secret", "mro"])
def test_no_python_attribute_is_reachable(text: Render, name: str) -> None:
    data = {"d": Name("x"), "f": len, "s": "text", "t": Name}
    source = f"{{{{ d.{name} }}}}{{{{ d['{name}'] }}}}{{{{ s.{name} }}}}{{{{ f.{name} }}}}{{{{ d.{name}.{name} }}}}"
    assert text(source, **data) == ""


def test_template_text_gets_into_the_python_only_as_constants(put: Callable[..., Path]) -> None:
    odd = "'''\"\"\"\\\n#{}"
    folder = put(root=odd + "{{ a['" + "\\x27); import os #" + "'] }}{% assign import-os = 1 %}{{ import-os }}")
    engine = Engine([folder])
    assert engine.render("root", {}) == odd + "1"
    for line in engine.program("root", "text").source.splitlines():
        assert line.startswith(("def template", "    w", "    s.", "    v["))


def test_what_a_filter_raises_on_purpose_passes_with_a_place(put: Callable[..., Path]) -> None:
    def refuse(value: Any) -> str:
        raise Hold("convert.who", hint="ask")

    engine = Engine([put(A="\n{{ 1 | refuse }}")], filters={"refuse": refuse})
    with pytest.raises(Hold, match=r"convert\.who at A\.liquid:2:3: ask"):
        engine.render("A", {})


def test_check_tells_filters_and_partials(put: Callable[..., Path]) -> None:
    folder = put(A="{{ a | upcase | append: 'x' }}{% include 'B' %}{% render 'C' %}")
    assert Engine([folder]).check("A") == (("upcase", "append"), ("B", "C"))
