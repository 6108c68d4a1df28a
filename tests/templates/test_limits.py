"""Whatever a template says, a render ends soon and stays small; whatever data says, the JSON holds."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine
from headwater.templates import Engine, Limits, TemplateError
from headwater.templates.errors import SYNTAX
from headwater.templates.microsoft import ccda, hl7v2, patterns
from headwater.templates.runtime import State

Put = Callable[..., Path]
DOUBLING = "{% assign a = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..80) %}{% assign a = a | append: a %}{% endfor %}"
GREEDY = {
    "endless loop": "{% for i in (1..1000000000) %}{% endfor %}",
    "nested loops": "{% for i in (1..3000) %}{% for j in (1..3000) %}{{ i }}{% endfor %}{% endfor %}",
    "recursion": "{% include 'root' %}",
    "doubling": DOUBLING,
    "replace": "{% assign a = 'a' %}{% for i in (1..9) %}{% assign a = a | replace: 'a', 'aaaaaaaaaa' %}{% endfor %}",
    "much output": "{% for i in (1..400000) %}" + "x" * 1000 + "{% endfor %}",
    "capture": "{% assign a = 'x' %}{% for i in (1..40) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}",
    "long split": DOUBLING.replace("80", "18") + "{% assign l = a | split: '' %}",
    "join": "{% assign l = 'a b c d' | split: ' ' %}{% for i in (1..9) %}{% assign s = l | join: s %}{% endfor %}",
    "concat": "{% assign l = 'a b' | split: ' ' %}{% for i in (1..40) %}{% assign l = l | concat: l %}{% endfor %}",
    "repeat": "{% assign a = 'aaaaaaaaaa' | times: 1000000 %}{{ a }}{{ a }}{{ a }}{{ a }}",
}  # fmt: skip
NOT_IN_HOUSE = {"repeat"}
HARMLESS = {"join"}


def outcome(task: Callable[[], Any]) -> str:
    """The code of the Quarantine that a task ends in, or nothing."""
    try:
        task()
    except Quarantine as error:
        return error.code
    return ""


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
@pytest.mark.parametrize("name", sorted(GREEDY))
def test_a_greedy_template_is_stopped(put: Put, name: str, dialect: str) -> None:
    if dialect == "headwater" and name in NOT_IN_HOUSE:
        pytest.skip("'times' does not repeat text in the house dialect")
    limits = Limits(seconds=2, turns=200_000, output=4_000_000, string=1_000_000, work=16_000_000, items=50_000)
    engine = Engine([put(root=GREEDY[name])], dialect=dialect, limits=limits)
    tracemalloc.start()
    began = time.monotonic()
    stopped = outcome(lambda: engine.render("root", {}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < 10  # tracing memory makes it several times slower
    assert peak < 100_000_000
    assert stopped == "convert.template_limit" or name in HARMLESS


def test_the_deadline_counts_while_rendering(put: Put) -> None:
    engine = Engine([put(root="{% for i in (1..99999) %}{{ i | times: 3 }}{% endfor %}")], limits=Limits(seconds=0.01))
    with pytest.raises(TemplateError, match=r"took more than 0\.01 s"):
        engine.render("root", {})


def test_a_template_that_is_too_long_is_refused(put: Put) -> None:
    with pytest.raises(TemplateError, match="too long"):
        Engine([put(root="x" * 101)], limits=Limits(source=100)).render("root", {})


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
@pytest.mark.parametrize(
    "source",
    [
        "{% if a %}" * 500 + "{% endif %}" * 500,
        "{% for a in b %}" * 40 + "{% endfor %}" * 40,
        "{{ a" + "[a" * 500 + "]" * 500 + " }}",
        "{% if " + "a and " * 3000 + "a %}{% endif %}",
        "{{ a" + " | upcase" * 3000 + " }}",
        "{{ a" + ".b" * 3000 + " }}",
        "{{" * 200_000,
        "{% assign " + "a" * 200_000 + " %}",
        "{% if a %}{{ '" + "'" * 5001 + " }}",
    ],
)
def test_a_source_meant_to_hurt_the_compiler_ends_quickly(put: Put, source: str, dialect: str) -> None:
    began = time.monotonic()
    assert outcome(lambda: Engine([put(root=source)], dialect=dialect).render("root", {})) in ("", SYNTAX)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}", r"((a*)*)*b", r"(a{1,99}){1,99}b"])
def test_a_pattern_with_a_repeat_in_a_repeat_is_refused(pattern: str) -> None:
    with pytest.raises(Exception, match="repeat inside a repeat"):
        patterns.replaced(State(Limits(), None), "a" * 40, pattern, "")


def test_a_text_too_long_for_its_pattern_is_refused() -> None:
    with pytest.raises(Exception, match="too long for its regular expression"):
        patterns.replaced(State(Limits(), None), "a" * 9999, "a*a*a*b", "")


@pytest.mark.parametrize("pattern", [r"\s+", "tel:\\s*", "<br ?/?>", r"([a-z]+)-(\d+)", "[^0-9]"])
def test_patterns_people_use_are_accepted(pattern: str) -> None:
    assert isinstance(patterns.replaced(State(Limits(), None), "a" * 5000, pattern, "-"), str)


def test_a_gzip_bomb_is_cut_off(put: Put) -> None:
    source = "{% assign a = 'a' | times: 90000 | join: '' | gzip %}{{ a | gunzip_base64_string }}"
    with pytest.raises(TemplateError, match="longer than 50000"):
        Engine([put(root=source)], dialect="microsoft", limits=Limits(string=50_000)).render("root", {})


WORDS = re.findall(
    r"\S+",
    """{{ }} {% %} {%- -%} -}} a b . 1 ' " | : , [ ] (1..9) if endif for_x_in_a endfor assign_a_= capture_a endcapture
    case_a when endcase include_'root' evaluate_a_using_'root' mergeDiff_a endmergeDiff break comment endcomment append
    split upcase replace times plus join to_json_string batch_render json == and or contains __class__ __globals__ é""",
)
FRAGMENTS = st.lists(
    st.sampled_from([*(word.replace("_", " ") for word in WORDS), " ", "\n", "\x01", "\x00"]), max_size=40
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FRAGMENTS, st.sampled_from(["headwater", "microsoft"]), st.sampled_from(["render", "build"]))
def test_any_template_renders_or_ends_in_a_quarantine(tmp_path: Path, parts: list[str], dialect: str, how: str) -> None:
    (tmp_path / "root.liquid").write_text("".join(parts), newline="")
    limits = Limits(seconds=2, turns=2_000, depth=10, string=100_000, work=1_000_000, output=100_000)
    data: dict[str, Any] = {"a": {"b": [1, "x", None]}, "b": "y"}
    engine = Engine([tmp_path], dialect=dialect, limits=limits)
    made: list[Any] = []
    code = outcome(lambda: made.append(getattr(engine, how)("root", data)))
    assert made or code.startswith("convert.")
    assert "<class" not in str(made)
    assert "<function" not in str(made)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_data_survives_json_unchanged(first: str, second: str) -> None:
    source = '{"a": "{{ x }}", "b": ["{{ y }}", {"c": "{{ x }}:{{ y }}"}], "d": {{ x | json }}, {{ y | json }}: 1}'
    engine = _engine(source)
    made = engine.build("root", {"x": first, "y": second})
    expected = {"a": first, "b": [each for each in (second, {"c": f"{first}:{second}"}) if each], "d": first}
    wanted = {name: value for name, value in expected.items() if value}
    wanted[second] = 1
    assert made == wanted


_ENGINES: dict[str, Engine] = {}


def _engine(source: str) -> Engine:
    """An engine over one template that needs no folder."""
    if source not in _ENGINES:
        engine = Engine([])
        engine.folders.read = lambda name: source  # type: ignore[method-assign]
        _ENGINES[source] = engine
    return _ENGINES[source]


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='MSHPID|^~\\&\r\n"X4.brTE1', max_size=80))
def test_any_text_is_a_message_or_refused(body: str) -> None:
    try:
        message = hl7v2.parse("MSH|^~\\&|" + body)
    except Quarantine:
        return
    for segment in message.segments:
        for field in segment.drop["fields"]:
            assert field is None or field["value"] is not None
    message.unread()


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='<>/ab="! -[]CDAT&;\n', max_size=60))
def test_any_text_is_a_document_or_refused(body: str) -> None:
    assert outcome(lambda: ccda.parse(body)["_originalData"]) in ("", "convert.input")
