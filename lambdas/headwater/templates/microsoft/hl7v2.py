"""HL7 v2 as Microsoft's templates see it: segments, fields, components and subcomponents, numbered from 1.

Each is a dict that parses a member when it is first asked for, so a message costs what its templates read, and what was
never asked for is the report of unread input. Text is HL7-unescaped, then `"` and `\\` are JSON-escaped, once, here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from headwater.errors import Quarantine
from headwater.templates.errors import FilterError

_SEGMENTS = re.compile(r"\r\n|\r|\n")
_ESCAPE = re.compile(r"\\(F|S|E|T|R|\.br|X[0-9A-F]+)\\")
_NILS: dict[Any, None] = dict.fromkeys(range(21))
_JSON = re.compile(r'[\\"]')


class SafeList(list[Any]):
    """Counted from 0, nil outside; prints nothing."""

    __slots__ = ()


class Kind:
    """What a drop is. `mark` splits its text into members by number, `below` is what those are (None: text), `first`
    ends the part of the text that counts; `other` makes every member that is not a number or the value."""

    __slots__ = ("below", "encoding", "first", "mark", "other")

    def __init__(self, encoding: Encoding, mark: str, other: Rule, below: Kind | None = None, first: str = "") -> None:
        self.encoding = encoding
        self.mark = mark
        self.other = other
        self.below = below
        self.first = first


class Encoding:
    """The five separators of MSH-1 and MSH-2, the kinds of drops they make, and the text of everything between them."""

    __slots__ = ("component", "field", "kinds", "repetition", "subcomponent")

    def __init__(self, header: str) -> None:
        self.field, self.component, self.repetition = header[3], header[4], header[5]
        self.subcomponent = header[7]
        component = Kind(self, self.subcomponent, _of_component)
        whole = Kind(self, self.component, _of_field, component, self.repetition)
        self.kinds = {
            "separators": Kind(self, self.field, _of_separators),
            "component": component,
            "repetition": Kind(self, self.component, _of_field, component),
            "field": whole,
            "segment": Kind(self, self.field, _of_segment, whole),
        }

    def normal(self, raw: str) -> str:
        if "\\" in raw:
            raw = _ESCAPE.sub(self._unescape, raw)
        return _JSON.sub(r"\\\g<0>", raw) if "\\" in raw or '"' in raw else raw

    def _unescape(self, match: re.Match[str]) -> str:
        code = match[1]
        known = {"F": self.field, "S": self.component, "T": self.subcomponent, "R": self.repetition, "E": "\\"}
        if code in known:
            return known[code]
        if code == ".br":
            return "\\n"
        if len(code) % 2 == 0:
            _refuse("hl7v2", "an odd number of hexadecimal digits in an escape (Microsoft 1207)")
        return bytes.fromhex(code[1:]).decode("latin-1")


class Drop(dict[Any, Any]):
    """A segment, field or component: lazy members by number or lower-case name, nil for 0 and beyond the end.

    One class for all, which the compiled code knows by identity. `parts` are the texts of its members from 1 on, once
    one was asked for; members of empty text are nil.
    """

    __slots__ = ("kind", "parts", "raw")

    def __init__(self, raw: str, kind: Kind, parts: list[str] | None = None) -> None:
        self.raw = raw
        self.kind = kind
        self.parts = parts

    def __missing__(self, key: Any) -> Any:
        found: Any
        if key == "value":
            raw = self.raw
            found = self.kind.encoding.normal(raw) if "\\" in raw or '"' in raw else raw
        elif key.__class__ is int:
            if self.parts is None:
                self._split(self.kind)
                if key in self:
                    return self[key]
            found = self._member(self.kind, key)
        else:
            found = self.kind.other(self, key)
        self[key] = found
        return found

    def _split(self, kind: Kind) -> None:
        """Make all members by number at once, and nil of those that templates ask for beyond: asking is what costs."""
        raw, below = self.raw, kind.below
        if kind.first and kind.first in raw:
            raw = raw.partition(kind.first)[0]
        self.parts = parts = raw.split(kind.mark)
        self.update(_NILS)
        for number, part in enumerate(parts, 1):
            if below is None:
                self[number] = kind.encoding.normal(part)
            elif part:
                self[number] = Drop(part, below)

    def _member(self, kind: Kind, key: int) -> Any:
        parts = self.parts or ()
        if not 0 < key <= len(parts):
            return kind.other(self, 0) if key == 0 else None
        part = parts[key - 1]
        return Drop(part, kind.below) if part and kind.below else None

    def lookup(self, name: str | int) -> Any:
        return self[name]

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


Rule = Callable[[Drop, Any], Any]


def _unknown(kind: str) -> NoReturn:
    raise FilterError(f"a {kind} has no such member (Microsoft 1302)")


def _of_component(drop: Drop, key: Any) -> Any:
    if key == "subcomponents":
        kind = drop.kind
        return SafeList([None, *map(kind.encoding.normal, drop.raw.split(kind.mark))])
    return None if key == 0 else _unknown("component")


def _of_field(drop: Drop, key: Any) -> Any:
    """Of a field, whose components are those of its first repetition, or of a repetition, which has none of its own."""
    if key == "repeats":
        mark, kind = drop.kind.first, drop.kind.encoding.kinds["repetition"]
        return SafeList(Drop(each, kind) for each in drop.raw.split(mark)) if mark else SafeList()
    if key == "components":
        return SafeList([None, *(drop[number] for number in range(1, components(drop) + 1))])
    return None if key == 0 else _unknown("field")


def components(drop: Drop) -> int:
    """How many components a field has."""
    if drop.parts is None:
        drop[0]  # splits it
    return len(drop.parts or ())


def _of_separators(drop: Drop, key: Any) -> Any:  # noqa: ARG001 - a Rule
    """MSH-1 and MSH-2 are never split."""
    return SafeList() if key in ("repeats", "components", "subcomponents") else None


def _of_segment(drop: Drop, key: Any) -> Any:
    kind = drop.kind
    if key == 0:
        return Drop(drop.raw.partition(kind.mark)[0], kind.encoding.kinds["field"])
    if key == "fields":
        return SafeList(drop[number] for number in range(len(drop.parts or ()) + 1))
    return _unknown("segment")


def _separators(raw: str, encoding: Encoding) -> Drop:
    """MSH-1 or MSH-2: itself, and a component and subcomponent that is the same."""
    drop = Drop(raw, encoding.kinds["separators"], [])
    drop["value"], drop[1] = raw, drop
    return drop


class Segment:
    """One segment: the drop that templates see, its id, its place in the message (`line`, from 0)."""

    __slots__ = ("drop", "line", "name")

    def __init__(self, raw: str, encoding: Encoding, line: int) -> None:
        name, *fields = raw.split(encoding.field)
        self.name = name
        self.line = line
        if line == 0:
            fields.insert(0, encoding.field)
        self.drop = Drop(raw, encoding.kinds["segment"], fields)
        if line == 0:
            self.drop.update({number: _separators(fields[number - 1], encoding) for number in (1, 2)})

    def unread(self) -> Iterator[str]:
        """`PID-5.2` for every component with a value that no template asked for."""
        drop = self.drop
        if "value" in drop:
            return
        for number, raw in enumerate(drop.parts or (), 1):
            if not raw or number < (3 if self.line == 0 else 1):
                continue
            read = drop.get(number)
            if read is None:
                yield f"{self.name}-{number}"
            elif "value" not in read and "repeats" not in read:
                yield from (f"{self.name}-{number}.{part}" for part in _unread(read))


def _unread(read: Drop) -> Iterator[int]:
    for number in range(1, components(read) + 1):
        part = read.get(number)
        if not part and (part is not None or read[number] is not None):
            yield number


class Message:
    """The variable `hl7v2Data`. `meta` are the segments' ids, `data` the segments, in order."""

    __slots__ = ("meta", "segments", "value")

    def __init__(self, value: str | None, segments: list[Segment]) -> None:
        self.value = value
        self.segments = segments
        self.meta = [each.name for each in segments]

    def lookup(self, name: str | int) -> Any:
        known = {"value": self.value, "meta": self.meta, "data": [each.drop for each in self.segments]}
        return known.get(str(name).lower())

    def __str__(self) -> str:
        return ""

    def unread(self) -> tuple[str, ...]:
        """What no template read, in order, each place once."""
        return tuple(dict.fromkeys(place for segment in self.segments for place in segment.unread()))


def parse(text: str) -> Message:
    """The message of a text with CR, LF or CRLF between its segments; Quarantine `convert.hl7v2` if it is none."""
    segments = [each for each in _SEGMENTS.split(text) if each]
    if not segments or not text.strip():
        _refuse("hl7v2", "there is no message (Microsoft 1202)")
    header = segments[0]
    if header[:3].upper() != "MSH":
        _refuse("MSH", "a message begins with MSH (Microsoft 1203)")
    if len(header) < 8:
        _refuse("MSH-2", "the separators are missing (Microsoft 1204)")
    if len(set(header[3:8])) != 5:
        _refuse("MSH-2", "two separators are the same (Microsoft 1205)")
    if header[6] != "\\":
        _refuse("MSH-2", "the escape character must be a backslash (Microsoft 1206)")
    encoding = Encoding(header)
    return Message(text, [Segment(each, encoding, line) for line, each in enumerate(segments)])


def _refuse(place: str, hint: str) -> NoReturn:
    raise Quarantine("convert.input", place=place, hint=hint)
