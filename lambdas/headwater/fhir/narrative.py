"""Is a narrative XHTML that a browser may safely show? FHIR R4 narrative.html#xhtml, invariants txt-1 and txt-2.

Parsed by expat and never built into a tree. HTML entities such as `&nbsp;` are not XML and thus not well-formed here.
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

_XHTML = "http://www.w3.org/1999/xhtml"

# HTML 4.0 chapters 7-11 (without section 4 of chapter 9) and 15, links, images and internal style sheets.
_ELEMENT = re.compile(
    "a|abbr|acronym|address|area|b|bdo|big|blockquote|br|caption|center|cite|code|col|colgroup|dd|dfn|dir|div|dl|dt|em|"
    "font|h[1-6]|hr|i|img|kbd|li|map|menu|ol|p|pre|q|s|samp|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|"
    "th|thead|tr|tt|u|ul|var"
)
_LINKS = frozenset({"href", "src", "cite", "background", "longdesc"})
_SCRIPT_LINK = re.compile(r"\s*(?:java|vb)script\s*:", re.IGNORECASE)


class _Unfit(Exception):
    """Carries the message out of expat's callbacks."""


class _Reader:
    def __init__(self) -> None:
        self.depth = 0
        self.content = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        if self.depth == 0 and (namespace, tag) != (_XHTML, "div"):
            raise _Unfit("expected one <div> of the XHTML namespace")
        if namespace != _XHTML or not _ELEMENT.fullmatch(tag):
            raise _Unfit("expected basic formatting elements only: no scripts, forms, frames or objects")
        for attribute, value in attributes.items():
            if attribute.lower().startswith("on") or (attribute in _LINKS and _SCRIPT_LINK.match(value)):
                raise _Unfit("expected no event handlers and no script links")
        self.depth += 1
        self.content = self.content or tag == "img"

    def text(self, data: str) -> None:
        self.content = self.content or not data.isspace()

    @staticmethod
    def doctype(*_: Any) -> None:
        raise _Unfit("expected no document type declaration")


def narrative_problem(value: Any) -> str:
    """What is wrong with a `Narrative.div`, in words without its content; empty when nothing is."""
    if type(value) is not str:
        return "expected XHTML text"
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(value.encode(), True)
    except _Unfit as unfit:
        return str(unfit)
    except (expat.ExpatError, UnicodeEncodeError):
        return "expected well-formed XHTML"
    return "" if reader.content else "expected text or an image inside the <div>"
