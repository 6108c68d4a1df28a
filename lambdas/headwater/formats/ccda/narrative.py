"""CDA's narrative (CDA R2 chapter 4.3.5) as text and as the XHTML that FHIR takes (FHIR R4 narrative.html).

The section narratives of a document are read in the parser's own pass, and nothing is built of them but two lists of
pieces. A part with an ID is a span of both, so that an entry that refers to it gets its words, or its mark-up alone.
CDA's elements become those that the C-CDA on FHIR guide names for them; what neither knows is a `span`, and of the
attributes only harmless ones stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from headwater.formats.tree import Data

XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">'

# Where a new line or cell begins, so that words do not run together.
_BREAKS = frozenset({"br", "caption", "item", "list", "paragraph", "table", "td", "th", "tr", "thead", "tbody"})
_SAME = re.compile(
    "a|b|big|br|caption|code|col|colgroup|dd|div|dl|dt|em|h[1-6]|hr|i|li|ol|p|pre|small|span|strong|sub|sup|table|"
    "tbody|td|tfoot|th|thead|tr|tt|u|ul"
)
_TAGS = {"paragraph": "p", "list": "ul", "item": "li", "linkHtml": "a", "content": "span"}
_ALONE = frozenset({"br", "col", "hr"})
# What a part must stand in to be XHTML by itself.
_FRAMES = {
    "li": ("<ul>", "</ul>"),
    "tr": ("<table><tbody>", "</tbody></table>"),
    **dict.fromkeys(("td", "th"), ("<table><tbody><tr>", "</tr></tbody></table>")),
    **dict.fromkeys(("caption", "tbody", "thead", "tfoot"), ("<table>", "</table>")),
}
_RENAMED = {"ID": "id", "styleCode": "class"}
_KEPT = re.compile("abbr|align|border|cellpadding|cellspacing|colspan|headers|rowspan|scope|summary|title|valign|width")
_SAFE_LINKS = ("http://", "https://", "mailto:", "tel:", "#")


class Narratives:
    """All narratives of one document: `read` takes expat's events of one, `settle` hands out what came of them."""

    def __init__(self, parser: Any, deepest: int, too_much: Callable[[int], Any]) -> None:
        self._parser = parser
        self._deepest = deepest
        self._too_much = too_much
        self._words: list[str] = []
        self._marked: list[str] = []
        self._parts: dict[str, tuple[str, int, int, int, int]] = {}
        self._sections: list[tuple[Data, int, int]] = []
        self._pictures: list[tuple[int, str]] = []

    def read(self, section: Data, attributes: Mapping[str, str], resume: Callable[[], None]) -> None:
        """Take everything up to the end of the section's text, which becomes its `text`, and `resume`."""
        parser, words, marked, parts = self._parser, self._words, self._marked, self._parts
        begin, first, first_marked = parser.CurrentByteIndex, len(words), len(marked)
        above: list[tuple[str, str, str, int, int]] = []

        def start(name: str, attributes: Data) -> None:
            if len(above) >= self._deepest:
                self._too_much(0)
            name = name.rpartition(" ")[2]
            if name in _BREAKS:
                words.append("\n")
            tag = _tag(name, attributes, above[-1][1] if above else "")
            above.append((name, tag, attributes.get("ID", ""), len(words), len(marked)))
            if name == "renderMultiMedia":
                self._pictures.append((len(marked), attributes.get("referencedObject", "")))
                marked.append("")
            marked.append(f"<{tag}{_attributes(name, attributes)}{'/>' if tag in _ALONE else '>'}")

        def end(_: str) -> None:
            if not above:
                text = " ".join("".join(words[first:]).split())
                known = attributes.get("ID")
                if known:
                    parts.setdefault(known, ("div", first, len(words), first_marked, len(marked)))
                said = {"_": text, "from": begin, "to": parser.CurrentByteIndex}
                if section.setdefault("text", said) is said:
                    self._sections.append((said, first_marked, len(marked)))
                resume()
                return
            name, tag, known, at, at_marked = above.pop()
            if tag not in _ALONE:
                marked.append(f"</{tag}>")
            if known:
                parts.setdefault(known, (tag, at, len(words), at_marked, len(marked)))
            if name in _BREAKS:
                words.append("\n")

        def characters(text: str) -> None:
            words.append(text)
            marked.append(escape(text, quote=False) if not text.isspace() else text)

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler = characters

    def settle(self, media: Mapping[str, Data]) -> None:
        """Give each section's text its XHTML, `div`; pictures come out of the entries that hold them."""
        for at, name in self._pictures:
            self._marked[at] = _picture(media.get(name, {}), name)
        for text, first, last in self._sections:
            marked = "".join(self._marked[first:last])
            if text["_"] or "<img" in marked:
                text["div"] = f"{XHTML}{marked}</div>"

    def words(self, name: str) -> str:
        """The text of the part with this ID."""
        _, first, last, _, _ = self._parts.get(name, ("", 0, 0, 0, 0))
        return " ".join("".join(self._words[first:last]).split())

    def markup(self, name: str) -> str:
        """The part with this ID as XHTML that stands alone."""
        tag, _, _, first, last = self._parts.get(name, ("", 0, 0, 0, 0))
        before, behind = _FRAMES.get(tag, ("", ""))
        return f"{XHTML}{before}{''.join(self._marked[first:last])}{behind}</div>"


def _tag(name: str, attributes: Data, around: str) -> str:
    if name == "list" and attributes.get("listType") == "ordered":
        return "ol"
    if name == "caption" and around != "table":
        return "li" if around in ("ul", "ol") else "span"
    return _TAGS.get(name) or (name if _SAME.fullmatch(name) else "span")


def _attributes(name: str, attributes: Data) -> str:
    found = []
    for key, value in attributes.items():
        if key in _RENAMED or _KEPT.fullmatch(key):
            found.append(f' {_RENAMED.get(key, key)}="{escape(value)}"')
        elif key == "href" and value.startswith(_SAFE_LINKS):
            found.append(f' href="{escape(value)}"')
    if name not in _TAGS and "styleCode" not in attributes and not _SAME.fullmatch(name):
        found.append(f' class="{escape(name)}"')  # footnote, footnoteRef, renderMultiMedia and what nobody knows
    return "".join(found)


def _picture(media: Data, name: str) -> str:
    value = media.get("value")
    kind, data = (str(value.get(key, "")) for key in ("mediaType", "_")) if isinstance(value, dict) else ("", "")
    if not kind.startswith("image/") or not data:
        return ""
    return f'<img src="data:{escape(kind)};base64,{escape("".join(data.split()))}" alt="{escape(name)}"/>'
