"""HL7 v2 as Microsoft's templates see it: segments, fields, components and subcomponents, numbered from 1.

Each is a dict that parses a member when it is first asked for, so a message costs what its templates read, and what was
never asked for is the report of unread input. Text is HL7-unescaped, then `"` and `\\` are JSON-escaped, once, here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from headwater.errors import Quarantine
from headwater.templates.errors import FilterError

_SEGMENTS = re.compile(r"\r\n|\r|\n")
_ESCAPE = re.compile(r"\\(F|S|E|T|R|\.br|X[0-9A-F]+)\\")
_JSON = re.compile(r'[\\"]')


class SafeList(list[Any]):
    """Counted from 0, nil outside; prints nothing."""

    __slots__ = ()


class Encoding:
    """The five separators of MSH-1 and MSH-2, and the text of everything between them."""

    __slots__ = ("component", "field", "repetition", "subcomponent")

    def __init__(self, header: str) -> None:
        self.field, self.component, self.repetition, _, self.subcomponent = header[3:8]

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


class _Drop(dict[Any, Any]):
    """Lazy members by number or lower-case name; index 0 and what is beyond the end are nil."""

    __slots__ = ("_encoding", "_raw")

    def __init__(self, raw: str, encoding: Encoding) -> None:
        self._raw = raw
        self._encoding = encoding

    def __missing__(self, key: Any) -> Any:
        found = self._member(key)
        self[key] = found
        return found

    def _member(self, key: Any) -> Any:
        raise NotImplementedError

    def lookup(self, name: str | int) -> Any:
        return self[name]

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _unknown(self, key: Any) -> NoReturn:
        raise FilterError(f"a {type(self).__name__.lower()} has no such member (Microsoft 1302)")


class Component(_Drop):
    __slots__ = ()

    def _member(self, key: Any) -> Any:
        if key == "value":
            return self._encoding.normal(self._raw)
        if key.__class__ is int:
            parts = self._raw.split(self._encoding.subcomponent)
            return self._encoding.normal(parts[key - 1]) if 0 < key <= len(parts) else None
        if key == "subcomponents":
            return SafeList([None, *map(self._encoding.normal, self._raw.split(self._encoding.subcomponent))])
        self._unknown(key)


class Field(_Drop):
    """A field, or one of its repetitions. Its components are those of its first repetition."""

    __slots__ = ("_parts", "_whole")

    def __init__(self, raw: str, encoding: Encoding, whole: bool = True) -> None:
        super().__init__(raw, encoding)
        self._whole = whole
        self._parts: list[str] | None = None

    def _member(self, key: Any) -> Any:
        if key.__class__ is int:
            return self._component(key)
        if key == "value":
            return self._encoding.normal(self._raw)
        if key == "repeats":
            return self._repeats()
        if key == "components":
            return SafeList([None, *(self[number] for number in range(1, self.components() + 1))])
        self._unknown(key)

    def _component(self, number: int) -> Component | None:
        parts = self._parts
        if parts is None:
            raw, encoding = self._raw, self._encoding
            if self._whole and encoding.repetition in raw:
                raw = raw.partition(encoding.repetition)[0]
            parts = self._parts = raw.split(encoding.component)
        if 0 < number <= len(parts) and parts[number - 1]:
            return Component(parts[number - 1], self._encoding)
        return None

    def components(self) -> int:
        self._component(0)
        return len(self._parts or ())

    def _repeats(self) -> SafeList:
        if not self._whole:
            return SafeList()
        first, *others = self._raw.split(self._encoding.repetition)
        repeats = SafeList([Field(first, self._encoding, whole=False)])
        repeats.extend(Field(each, self._encoding, whole=False) for each in others)
        return repeats


class Separator(Field):
    """MSH-1 and MSH-2: the separators themselves, never split."""

    __slots__ = ()

    def _member(self, key: Any) -> Any:
        if key == "value" or (key.__class__ is int and key == 1):
            return self._raw if key == "value" else SeparatorComponent(self._raw, self._encoding)
        return SafeList() if key in ("repeats", "components") else None


class SeparatorComponent(Component):
    __slots__ = ()

    def _member(self, key: Any) -> Any:
        return self._raw if key in ("value", 1) else None


class Segment(_Drop):
    """`.n` is the n-th field, 0 its id; `line` counts the message's segments from 0."""

    __slots__ = ("_fields", "line", "name")

    def __init__(self, raw: str, encoding: Encoding, line: int) -> None:
        super().__init__(raw, encoding)
        self._fields = raw.split(encoding.field)
        self.name = self._fields[0]
        self.line = line
        if line == 0:
            self._fields.insert(1, encoding.field)

    def _member(self, key: Any) -> Any:
        if key.__class__ is int:
            if not 0 <= key < len(self._fields) or not self._fields[key]:
                return None
            kind = Separator if self.line == 0 and key in (1, 2) else Field
            return kind(self._fields[key], self._encoding)
        if key == "value":
            return self._encoding.normal(self._raw)
        if key == "fields":
            return SafeList(self[number] for number in range(len(self._fields)))
        self._unknown(key)

    def unread(self) -> Iterator[str]:
        """`PID-5.2` for every component with a value that no template asked for."""
        if "value" in self:
            return
        for number in range(3 if self.line == 0 else 1, len(self._fields)):
            raw = self._fields[number]
            field = self.get(number)
            if not raw or (field is not None and ("value" in field or "repeats" in field)):
                continue
            if field is None:
                yield f"{self.name}-{number}"
                continue
            for component in range(1, field.components() + 1):
                read = field.get(component)
                if not read and (read is not None or field[component] is not None):
                    yield f"{self.name}-{number}.{component}"


class Message:
    """The variable `hl7v2Data`. `meta` are the segments' ids, `data` the segments, in order."""

    __slots__ = ("data", "meta", "value")

    def __init__(self, value: str | None, data: list[Segment]) -> None:
        self.value = value
        self.data = data
        self.meta = [each.name for each in data]

    def lookup(self, name: str | int) -> Any:
        known = {"value": self.value, "meta": self.meta, "data": self.data}
        return known.get(str(name).lower())

    def __str__(self) -> str:
        return ""

    def unread(self) -> tuple[str, ...]:
        """What no template read, in order, each place once."""
        return tuple(dict.fromkeys(place for segment in self.data for place in segment.unread()))


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
