from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.fhir.narrative import narrative_problem

OPEN = '<div xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    "content",
    [
        "text",
        "<p>a<br/><b>b</b> &lt; &amp; &#160; é</p>",
        '<table border="1"><thead><tr><th colspan="2">x</th></tr></thead></table>',
        '<a href="https://example.org" name="x">x</a>',
        '<img src="#photo" alt="x"/>',
        '<style>p { color: red }</style><p class="x" style="color: blue">x</p>',
        "<!-- a comment --><ul><li>x</li></ul>",
    ],
)
def test_formatting_is_allowed(content: str) -> None:
    assert narrative_problem(f"{OPEN}{content}</div>") == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<script>x</script>", "basic formatting"),
        ('<iframe src="x"/>', "basic formatting"),
        ("<form><input/></form>", "basic formatting"),
        ('<object data="x"/>', "basic formatting"),
        ("<body>x</body>", "basic formatting"),
        ("<SCRIPT>x</SCRIPT>", "basic formatting"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><text>x</text></svg>', "basic formatting"),
        ('<p onclick="x()">x</p>', "event handlers"),
        ('<a href=" JavaScript:x()">x</a>', "script links"),
        ("<b>x", "well-formed"),
        ("a & b", "well-formed"),
        ("a&nbsp;b", "well-formed"),
        ("", "text or an image"),
        (" <p> </p> ", "text or an image"),
    ],
)
def test_what_a_browser_might_run_or_cannot_read_is_refused(content: str, expected: str) -> None:
    assert expected in narrative_problem(f"{OPEN}{content}</div>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<div>x</div>", "XHTML namespace"),
        ('<p xmlns="http://www.w3.org/1999/xhtml">x</p>', "XHTML namespace"),
        ("x", "well-formed"),
        ("", "well-formed"),
        (f"{OPEN}x</div>{OPEN}x</div>", "well-formed"),
        (f'<!DOCTYPE div [<!ENTITY x "y">]>{OPEN}&x;</div>', "document type"),
        ("\ud800", "well-formed"),
        (None, "XHTML text"),
        (5, "XHTML text"),
    ],
)
def test_it_is_one_div_of_xhtml(value: object, expected: str) -> None:
    assert expected in narrative_problem(value)


@given(st.text())
def test_no_text_makes_it_raise_or_comes_back_in_the_message(text: str) -> None:
    problem = narrative_problem(f"{OPEN}{text}</div>")
    assert problem == "" or problem.startswith("expected ")
