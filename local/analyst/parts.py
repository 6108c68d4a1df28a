"""The parts of an input that can be changed one by one: `OBX[2]-5.1` of an HL7 v2 message, `$.a[0].b` of JSON,
`row.mrn` of CSV, `recordTarget/patientRole/id/@root` of XML.

Parts are a tree (segments, fields, then what has no smaller parts), so that a search can leave out what does not
matter as a whole. A changed part keeps its shape: letters become other letters, digits other digits.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from headwater.formats.hl7v2 import Encoding, Segment, parse
from headwater.formats.reading import Dialect

Change = Callable[[str], str]
Key = tuple[str | int, ...]
_OTHER = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "bcdefghijklmnopqrstuvwxyzaBCDEFGHIJKLMNOPQRSTUVWXYZA1234567890",
)


def other(text: str) -> str:
    """A text of the same shape that says something else; of a date the year four years before, which has the day."""
    date = _DATE.match(text)
    changed = f"{int(date[1]) - 4}{text[4:]}" if date else text.translate(_OTHER)
    return changed if changed != text else f"{text}X"


def removed(_: str) -> str:
    return ""


_DATE = re.compile(r"((?:19|20)\d\d)-?(?:0[1-9]|1[0-2])(?:-?(?:0[1-9]|[12]\d|3[01])|\Z)")


@dataclass(frozen=True, slots=True)
class Part:
    """`key` leads to it; `children` are the smaller parts, none if it is changed as a whole."""

    name: str
    key: Key
    children: tuple[Part, ...] = ()

    def leaves(self) -> Iterator[Part]:
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


class Hl7v2:
    """An HL7 v2 message. Delimiters (MSH-1, MSH-2) stay as they are."""

    def __init__(self, body: bytes) -> None:
        message = parse(body, ZoneInfo("UTC"))
        self._encoding: Encoding = message.encoding
        self._rows = [list(segment.raws) for segment in message.segments]
        many = Counter(segment.id for segment in message.segments)
        counts: Counter[str] = Counter()
        parts = []
        for number, segment in enumerate(message.segments):
            counts[segment.id] += 1
            name = f"{segment.id}[{counts[segment.id]}]" if many[segment.id] > 1 else segment.id
            parts.append(Part(name, (number,), tuple(self._fields(segment, name, number))))
        self.parts: Sequence[Part] = [part for part in parts if part.children]

    def _fields(self, segment: Segment, name: str, row: int) -> Iterator[Part]:
        for number in range(3 if segment.id == "MSH" else 1, len(segment.raws)):
            if segment.part(number) is not None:
                key, raw = (row, number), segment.raws[number]
                yield Part(f"{name}-{number}", key, tuple(self._components(raw, f"{name}-{number}", key)))

    def _components(self, raw: str, name: str, key: Key) -> Iterator[Part]:
        repetitions = self._split(raw, self._encoding.repetition)
        for number, repetition in enumerate(repetitions):
            outer = f"{name}[{number + 1}]" if len(repetitions) > 1 else name
            components = self._split(repetition, self._encoding.component)
            for place, component in enumerate(components):
                parts = self._split(component, self._encoding.subcomponent)
                inner = f"{outer}.{place + 1}" if len(components) > 1 or len(parts) > 1 else outer
                for last, text in enumerate(parts):
                    if self._encoding.text(text).strip():
                        full = f"{inner}.{last + 1}" if len(parts) > 1 else inner
                        yield Part(full, (*key, number, place, last))

    @staticmethod
    def _split(raw: str, mark: str) -> list[str]:
        return raw.split(mark) if mark else [raw]

    def changed(self, parts: Sequence[Part], change: Change) -> bytes:
        """The message with all leaves of these parts changed."""
        rows = [list(row) for row in self._rows]
        for leaf in (leaf for part in parts for leaf in part.leaves()):
            row, field, *inner = leaf.key
            rows[int(row)][int(field)] = self._with(rows[int(row)][int(field)], [int(n) for n in inner], change)
        lines = [self._line(row) for row in rows]
        return ("\r".join(lines) + "\r").encode(self._encoding.charset, "replace")

    def _with(self, raw: str, inner: list[int], change: Change) -> str:
        marks = (self._encoding.repetition, self._encoding.component, self._encoding.subcomponent)
        return self._deep(raw, list(zip(marks, inner, strict=True)), change)

    def _deep(self, raw: str, steps: list[tuple[str, int]], change: Change) -> str:
        if not steps:
            return change(raw)
        (mark, number), *rest = steps
        parts = self._split(raw, mark)
        parts[number] = self._deep(parts[number], rest, change)
        return mark.join(parts)

    def _line(self, row: list[str]) -> str:
        if row[0] in ("MSH", "BHS", "FHS"):
            return row[0] + row[1] + self._encoding.field.join(row[2:])
        return self._encoding.field.join(row)


class Json:
    """A JSON document; its parts are the members of the root, then the texts and numbers in them."""

    def __init__(self, body: bytes) -> None:
        self._value = json.loads(body)
        self.parts: Sequence[Part] = [self._part(key, each, ()) for key, each in _members(self._value)]

    def _part(self, key: str | int, value: Any, outer: Key) -> Part:
        path = (*outer, key)
        name = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        return Part(name, path, tuple(self._part(inner, each, path) for inner, each in _members(value)))

    def changed(self, parts: Sequence[Part], change: Change) -> bytes:
        value = json.loads(json.dumps(self._value))
        for leaf in (leaf for part in parts for leaf in part.leaves()):
            inner = value
            for step in leaf.key[:-1]:
                inner = inner[step]
            last: Any = leaf.key[-1]
            inner[last] = _changed(inner[last], change)
        return json.dumps(value).encode()


class Csv:
    """A CSV file with or without a header; its parts are the rows, then their cells by column."""

    def __init__(self, body: bytes, dialect: Dialect) -> None:
        self._dialect = dialect
        self._style: dict[str, Any] = {"delimiter": dialect.delimiter, "quotechar": dialect.quote}
        text = body.decode(dialect.encoding or "utf-8-sig", "replace")
        self._rows = list(csv.reader(io.StringIO(text, newline=""), **self._style))
        first = 1 if dialect.header else 0
        names = self._rows[0] if dialect.header and self._rows else list(dialect.columns)
        rows = range(first, len(self._rows))
        self.parts: Sequence[Part] = [self._row(row, names, first, len(rows) > 1) for row in rows]

    def _row(self, row: int, names: Sequence[str], first: int, many: bool) -> Part:
        outer = f"row[{row - first + 1}]" if many else "row"
        cells = [(place, text) for place, text in enumerate(self._rows[row]) if text]
        label = [names[place] if place < len(names) else str(place + 1) for place, _ in cells]
        inner = (Part(f"{outer}.{name}", (row, place)) for name, (place, _) in zip(label, cells, strict=True))
        return Part(outer, (row,), tuple(inner))

    def changed(self, parts: Sequence[Part], change: Change) -> bytes:
        rows = [list(row) for row in self._rows]
        for leaf in (leaf for part in parts for leaf in part.leaves() if len(leaf.key) > 1):
            row, place = int(leaf.key[0]), int(leaf.key[1])
            rows[row][place] = change(rows[row][place])
        out = io.StringIO(newline="")
        csv.writer(out, **self._style).writerows(rows)
        return out.getvalue().encode(self._dialect.encoding or "utf-8", "replace")


class Xml:
    """An XML document; its parts are elements, then attributes and texts: `recordTarget/patientRole/id[2]/@root`."""

    def __init__(self, body: bytes) -> None:
        self._root = ElementTree.fromstring(body)
        self.parts: Sequence[Part] = self._inside(self._root, "", ())

    def _inside(self, element: ElementTree.Element, outer: str, key: Key) -> tuple[Part, ...]:
        found = [Part(f"{outer}@{_local(name)}", (*key, f"@{name}")) for name in element.attrib]
        if (element.text or "").strip():
            found.append(Part(f"{outer}text()", (*key, "#text")))
        many, counts = Counter(_local(child.tag) for child in element), Counter[str]()
        for number, child in enumerate(element):
            name = _local(child.tag)
            counts[name] += 1
            full = f"{outer}{name}[{counts[name]}]" if many[name] > 1 else f"{outer}{name}"
            inner = self._inside(child, f"{full}/", (*key, number))
            if inner:
                found.append(Part(full, (*key, number), inner))
        return tuple(found)

    def changed(self, parts: Sequence[Part], change: Change) -> bytes:
        root = copy.deepcopy(self._root)
        for leaf in (leaf for part in parts for leaf in part.leaves()):
            element = root
            for step in leaf.key[:-1]:
                element = element[int(step)]
            last = str(leaf.key[-1])
            if last == "#text":
                element.text = change(element.text or "")
            else:
                element.set(last[1:], change(element.get(last[1:], "")))
        text: bytes = ElementTree.tostring(root, "utf-8")
        return text


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _members(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if change is removed or value is None:
        return None
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else value
