"""A C-CDA document (HL7 CDA R2, XML) as plain dicts, by expat in one pass.

Attributes and child elements of an element are one dict, repeated children a list, its text is `_`. Names are told
apart by namespace and not by prefix: CDA's own are bare, `sdtc_` and `xsi_` come before those of the two others that
CDA uses. A section's narrative is its text, its place in the bytes and its XHTML (`div`), and entries that refer to a
part of it (`<reference value="#a1"/>`) get that part's text as theirs. A DOCTYPE is refused, so that nothing can be
expanded or fetched.
"""

from __future__ import annotations

from typing import Any, NoReturn
from xml.parsers import expat

from headwater.errors import Quarantine
from headwater.formats.ccda.narrative import Narratives
from headwater.formats.tree import Data

DEPTH = 128
LARGEST = 32 * 1024 * 1024  # bytes
MOST = 1_000_000  # elements and attributes: what bounds memory, since `<a/>` costs more than its four bytes

_SPACES = {
    "urn:hl7-org:v3": "",
    "urn:hl7-org:sdtc": "sdtc_",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi_",
    "http://www.w3.org/XML/1998/namespace": "xml_",
}


class _Names(dict[str, str]):
    """`urn:hl7-org:v3 code` is `code`; each name is worked out once."""

    def __missing__(self, name: str) -> str:
        space, _, local = name.rpartition(" ")
        found = self[name] = (_SPACES.get(space, "other_") if space else "") + local
        return found


def parse(body: bytes) -> Data:
    """The ClinicalDocument element. A narrative's `text` has its byte span in `body` as `from` and `to`.

    Raises Quarantine('convert.too_large' | 'convert.not_xml' | 'convert.doctype' | 'convert.too_deep' |
    'convert.not_cda'). Character sets are those that XML declares, as far as they have one byte a character, and UTF.
    """
    if len(body) > LARGEST:
        raise Quarantine("convert.too_large", place="document", hint=f"at most {LARGEST} bytes")
    builder = _Builder()
    parser = builder.parser
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        place = f"line {error.lineno}, column {error.offset + 1}"
        raise Quarantine("convert.not_xml", place=place, hint=expat.ErrorString(error.code)) from None
    except (ValueError, LookupError):  # of the decoder that the declaration asked for
        raise Quarantine("convert.charset", place="XML declaration", hint="the encoding is not supported") from None
    document = builder.root.get("ClinicalDocument")
    if not isinstance(document, dict):
        hint = "the root element must be ClinicalDocument of urn:hl7-org:v3"
        raise Quarantine("convert.not_cda", place="document", hint=hint)
    builder.resolve()
    return document


class _Builder:
    """Expat's handlers. In a narrative another set of them is at work, which builds no elements."""

    def __init__(self) -> None:
        self.parser = parser = expat.ParserCreate(None, " ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.doctype
        self.root: Data = {}
        self.narratives = Narratives(parser, DEPTH, _too_much)
        self.references: list[tuple[Data, str, bool]] = []  # what refers, to which ID, and whether with its mark-up
        self.media: dict[str, Data] = {}  # by ID
        self._elements()

    @staticmethod
    def doctype(*_: Any) -> NoReturn:
        raise Quarantine("convert.doctype", place="DOCTYPE", hint="a document type declaration is not accepted")

    def _elements(self) -> None:
        """The handlers outside of narratives. Closures: this runs for every element of every document."""
        parser, names, references, media = self.parser, _Names(), self.references, self.media
        current = self.root
        above: list[tuple[str, Data]] = []
        texts: list[str] = []
        left = MOST

        def settle() -> None:
            text = " ".join("".join(texts).split())
            texts.clear()
            if text:
                current["_"] = f"{current['_']} {text}" if "_" in current else text

        def start(name: str, attributes: Data) -> None:
            nonlocal current, left
            if texts:
                settle()
            left -= 1 + len(attributes)
            if left < 0 or len(above) >= DEPTH:
                _too_much(left)
            name = names[name]
            if name == "text" and above and above[-1][0] == "section":
                self.narratives.read(current, attributes, resume)
                return
            above.append((name, current))
            for key in attributes:
                if " " in key:
                    attributes = _renamed(attributes, names)
                    break
            current = attributes

        def end(_: str) -> None:
            nonlocal current
            if texts:
                settle()
            name, parent = above.pop()
            if name in parent:
                before = parent[name]
                if before.__class__ is list:
                    before.append(current)
                else:
                    parent[name] = [before, current]
            else:
                parent[name] = current
            if name == "reference" and str(current.get("value"))[:1] == "#":
                references.append((parent, str(current["value"])[1:], above[-1][0] == "text" if above else False))
            elif name == "observationMedia" and "ID" in current:
                media[current["ID"]] = current
            current = parent

        def characters(text: str) -> None:
            if not text.isspace():
                texts.append(text)

        def resume() -> None:
            parser.StartElementHandler, parser.EndElementHandler = start, end
            parser.CharacterDataHandler = characters

        resume()

    def resolve(self) -> None:
        """What refers to a part of a narrative gets its text, made once for all that refer to it, and the text of an
        entry the part's XHTML too."""
        narratives = self.narratives
        narratives.settle(self.media)
        made: dict[str, str] = {}
        room = LARGEST  # parts lie in parts, so that all of them together may be much longer than the document
        for holder, name, with_markup in self.references:
            if name not in made:
                made[name] = narratives.words(name)
                room -= len(made[name])
            if made[name]:
                holder.setdefault("_", made[name])
                if with_markup and "div" not in holder:
                    holder["div"] = narratives.markup(name)
                    room -= len(holder["div"])
            if room < 0:
                _too_much(room)


def _renamed(attributes: Data, names: _Names) -> Data:
    """Attributes of other namespaces under our names; a type without the prefix it was written with."""
    renamed = {names[key]: value for key, value in attributes.items()}
    if "xsi_type" in renamed:
        renamed["xsi_type"] = renamed["xsi_type"].rpartition(":")[2]
    return renamed


def _too_much(left: int) -> NoReturn:
    if left < 0:
        raise Quarantine("convert.too_large", place="document", hint=f"more than {MOST} elements and attributes")
    raise Quarantine("convert.too_deep", place="document", hint=f"elements are nested deeper than {DEPTH}")
