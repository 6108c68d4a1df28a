"""C-CDA as Microsoft's templates see it: the variable `msg`, an XML document as nested dicts, by expat.

The shape is Newtonsoft's XML-to-JSON, bent as Microsoft bends it: attributes without `@`, text under `_`, repeated
elements as a list, prefixed ones as `sdtc_x`. Ids are hashes of this shape, so every detail counts.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn
from xml.parsers import expat

from headwater.errors import Quarantine

_BREAKS = re.compile(r"\r\n?|\n")
_DEPTH = 200


class _Element:
    """An element while it is open: its attributes, then its children by name in order of first appearance."""

    __slots__ = ("attributes", "children", "comments", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, Any]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[tuple[str, Any]] = []
        self.texts: list[str] = []
        self.comments = 0

    def value(self, empty: bool) -> Any:
        """`<x/>` is nil, `<x></x>` an empty text; else the members (none for a lone comment)."""
        if not self.attributes and not self.children and not self.texts:
            return None if empty else ""
        members: dict[str, Any] = {}
        for name, child in self.children:
            if name != "#comment":
                _add(members, name, child)
            elif self.comments > 1:
                members["#comment"] = []  # Newtonsoft's trace of two or more comments; it enters the ids
        for text in reversed(self.texts):  # Microsoft moves them behind the children, last first
            _add(members, "_", _BREAKS.sub("", text))
        return {**self.attributes, **members}


def _add(members: dict[str, Any], name: str, value: Any) -> None:
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]


class _Builder:
    """Expat's handlers. DOCTYPE is refused, so there are no entities to expand."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.parser = expat.ParserCreate(namespace_separator=None)
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.CommentHandler = self.comment
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.root: dict[str, Any] = {}
        self._open: list[_Element] = []
        self._prefixes: dict[str, str] = {}
        self._default = ""
        self._pending = ""

    def start(self, name: str, listed: list[str]) -> None:
        self._settle()
        if len(self._open) >= _DEPTH:
            _refuse("the document is nested too deeply")
        attributes = dict(zip(listed[::2], listed[1::2], strict=True))
        if not self._open:
            self._namespaces(attributes)
        kept = {key: _BREAKS.sub("", value) for key, value in attributes.items() if self._keep(key, value)}
        self._open.append(_Element(self._named(name), kept))

    def _namespaces(self, attributes: dict[str, str]) -> None:
        self._default = attributes.get("xmlns", "")
        for key, value in attributes.items():
            if key.startswith("xmlns:"):
                self._prefixes[key[6:]] = value

    def _keep(self, key: str, value: str) -> bool:
        redundant = key.startswith("xmlns:") and value.lower() == self._default.lower()
        return not (redundant and not self._open)

    def _named(self, name: str) -> str:
        prefix, colon, local = name.partition(":")
        if not colon:
            return name
        space = self._prefixes.get(prefix)
        if space is None:
            return name
        return local if space == self._default else f"{prefix}_{local}"

    def end(self, _: str) -> None:
        self._settle()
        element = self._open.pop()
        at = self.parser.CurrentByteIndex  # right behind `<x/>`, but at the `<` of `</x>`
        value = element.value(self.source[at - 2 : at] == b"/>")
        if self._open:
            self._open[-1].children.append((element.name, value))
        else:
            self.root[element.name] = value

    def text(self, text: str) -> None:
        self._pending += text

    def _settle(self) -> None:
        """Text counts when it is more than white space."""
        if self._pending and self._open and self._pending.strip():
            self._open[-1].texts.append(self._pending)
        self._pending = ""

    def comment(self, _: str) -> None:
        self._settle()
        if self._open:
            self._open[-1].comments += 1
            self._open[-1].children.append(("#comment", None))

    def doctype(self, *_: Any) -> None:
        _refuse("a DOCTYPE is not accepted")


def parse(text: str) -> dict[str, Any]:
    """The variable `msg`. Raises Quarantine `convert.input` for what is no XML."""
    if not text.strip():
        _refuse("there is no document (Microsoft 1202)")
    builder = _Builder(_undeclared(text))
    try:
        builder.parser.Parse(builder.source, True)
    except expat.ExpatError as error:
        _refuse("the document is not XML", f"line {error.lineno}, column {error.offset + 1}")
    document = {"_originalData": _BREAKS.sub("", text)}
    return {**builder.root, **document}


def _undeclared(text: str) -> bytes:
    """As UTF-8, which the declaration may deny: the text is decoded already."""
    return re.sub(r"(<\?xml[^>]*?)\s+encoding\s*=\s*(?:\"[^\"]*\"|'[^']*')", r"\1", text, count=1).encode(
        "utf-8", "replace"
    )


def _refuse(hint: str, place: str = "") -> NoReturn:
    raise Quarantine("convert.input", place=place, hint=hint)
