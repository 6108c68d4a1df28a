"""CDA's narrative as XHTML: each element as the C-CDA on FHIR guide wants it, and nothing that could harm."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.fhir.narrative import narrative_problem
from headwater.formats.ccda import parse
from headwater.formats.ccda.narrative import XHTML
from tests.formats.test_ccda import DOCUMENT

PICTURE = (
    '<entry><observationMedia ID="M1"><value mediaType="image/png" representation="B64">aVZ\nCT1Jw</value>'
    "</observationMedia></entry>"
)


def section(narrative: str, entries: str = "") -> dict[str, Any]:
    inside = f"<section><text>{narrative}</text>{entries}</section>"
    found: dict[str, Any] = parse(DOCUMENT.format(inside).encode())["section"]
    return found


def marked(narrative: str, entries: str = "") -> str:
    div: str = section(narrative, entries)["text"]["div"]
    assert narrative_problem(div) == ""
    return div.removeprefix(XHTML).removesuffix("</div>")


@pytest.mark.parametrize(
    ("cda", "xhtml"),
    [
        ("<content>a</content>", "<span>a</span>"),
        ("<paragraph>a</paragraph>", "<p>a</p>"),
        ("<list><item>a</item></list>", "<ul><li>a</li></ul>"),
        ('<list listType="ordered"><item>a</item></list>', "<ol><li>a</li></ol>"),
        ("<list><caption>c</caption><item>a</item></list>", "<ul><li>c</li><li>a</li></ul>"),
        ("a<br/>b", "a<br/>b"),
        ("m<sup>2</sup> H<sub>2</sub>O", "m<sup>2</sup> H<sub>2</sub>O"),
        ("<table><caption>c</caption><tbody><tr><td>a</td></tr></tbody></table>",) * 2,
        ("<paragraph><caption>c</caption>a</paragraph>", "<p><span>c</span>a</p>"),
        (
            '<linkHtml href="https://example.org/a?b=1&amp;c">a</linkHtml>',
            '<a href="https://example.org/a?b=1&amp;c">a</a>',
        ),
        ("<footnote>a</footnote>", '<span class="footnote">a</span>'),
        ('<footnoteRef IDREF="f"/>a', '<span class="footnoteRef"></span>a'),
        ('<content styleCode="Bold xx">a</content>', '<span class="Bold xx">a</span>'),
        ('<content ID="a1">a</content>', '<span id="a1">a</span>'),
        ('<td colspan="2" onclick="x()">a</td>', '<td colspan="2">a</td>'),
        ("1 &lt; 2 &amp; &quot;3&quot;", '1 &lt; 2 &amp; "3"'),
    ],
)
def test_an_element_becomes_its_like_in_xhtml(cda: str, xhtml: str) -> None:
    assert marked(cda) == xhtml


def test_a_picture_comes_out_of_the_entry_that_holds_it() -> None:
    made = marked('a<renderMultiMedia referencedObject="M1"/>', PICTURE)
    assert '<img src="data:image/png;base64,aVZCT1Jw" alt="M1"/>' in made


def test_what_is_no_picture_is_not_shown_as_one() -> None:
    page = PICTURE.replace("image/png", "text/html")
    assert "<img" not in marked('a<renderMultiMedia referencedObject="M1"/>', page)


@pytest.mark.parametrize(
    "harm", ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x", " javascript:x"]
)
def test_a_link_that_could_harm_is_none(harm: str) -> None:
    assert marked(f'<linkHtml href="{harm}">a</linkHtml>') == "<a>a</a>"


@pytest.mark.parametrize("name", ["script", "iframe", "object", "form", "style", "img"])
def test_what_is_no_text_is_only_its_words(name: str) -> None:
    assert marked(f"a<{name}>b</{name}>") == f'a<span class="{name}">b</span>'


def test_a_narrative_of_nothing_has_no_xhtml() -> None:
    assert "div" not in section(" <paragraph/> ")["text"]


@pytest.mark.parametrize(
    ("narrative", "alone"),
    [
        ('<list><item ID="r">a</item><item>b</item></list>', '<ul><li id="r">a</li></ul>'),
        (
            '<table><tbody><tr ID="r"><td>a</td><td>b</td></tr></tbody></table>',
            '<table><tbody><tr id="r"><td>a</td><td>b</td></tr></tbody></table>',
        ),
        (
            '<table><tbody><tr><td ID="r">a</td><td>b</td></tr></tbody></table>',
            '<table><tbody><tr><td id="r">a</td></tr></tbody></table>',
        ),
        ('<paragraph>x <content ID="r">a</content></paragraph>', '<span id="r">a</span>'),
    ],
)
def test_the_text_of_an_entry_is_its_part_of_the_narrative(narrative: str, alone: str) -> None:
    entry = '<entry><observation><text><reference value="#r"/></text></observation></entry>'
    text = section(narrative, entry)["entry"]["observation"]["text"]
    assert text["div"] == f"{XHTML}{alone}</div>"
    assert narrative_problem(text["div"]) == ""


TAGS = st.sampled_from(["content", "paragraph", "list", "item", "table", "td", "br", "script", "linkHtml", "x:y", "a"])
VALUES = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TAGS, st.sampled_from(["ID", "styleCode", "href", "onload", "width"]), VALUES), max_size=8))
def test_whatever_a_narrative_holds_its_xhtml_is_harmless(nested: list[tuple[str, str, str]]) -> None:
    nested = [(tag.replace("x:y", "other"), key, value) for tag, key, value in nested]
    opened = "".join(f"<{tag} {key}={quoteattr(value)}>{escape(value)}" for tag, key, value in nested)
    closed = "".join(f"</{tag}>" for tag, _, _ in reversed(nested))
    marked(f"words {opened}{closed}")
