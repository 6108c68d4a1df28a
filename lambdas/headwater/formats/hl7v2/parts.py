"""The parts of a message as templates see them: `PID.5.1`, numbers as in the standard, from 1.

A segment is split into fields at once; a field is taken apart when it is read, and the segment remembers that it was.
Everything that is empty (no text, only delimiters, or the explicit null `""`) reads as None. HL7 v2.5.1 chapters 2.5
(grammar) and 2.7 (escapes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from headwater.formats.hl7v2.escapes import unescape

NULL = '""'


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a message says about itself in its header: delimiters, character set, zone. `blank` is all that is empty."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    charset: str
    zone: tzinfo
    blank: str

    def text(self, raw: str) -> str:
        """`raw` without its escape sequences; an explicit null is no text."""
        if raw == NULL:
            return ""
        if self.escape and self.escape in raw:
            return unescape(
                raw, self.field, self.component, self.subcomponent, self.repetition, self.escape, self.charset
            )
        return raw

    def is_empty(self, raw: str) -> bool:
        """Whether there is no text in it: only delimiters and blanks, a null, or escapes that say nothing."""
        if not raw or raw == NULL:
            return True
        rest = raw.strip(self.blank)
        if self.escape and self.escape in rest:
            rest = self.text(rest)
        return not rest or rest.isspace()


# MSH-1 and MSH-2 are not split by what they declare.
_DELIMITERS_THEMSELVES = Encoding("", "\0", "", "", "", "ascii", UTC, "")


class Value:
    """What fields, repetitions and components have in common: they know their zone, and print as the first of their
    parts that says anything, so that nothing that is there looks empty."""

    __slots__ = ("encoding", "raw")

    raw: str
    encoding: Encoding

    @property
    def text(self) -> str:
        """All of it as one text, delimiters taken for what a sender meant who forgot to escape them."""
        return self.encoding.text(self.raw).rstrip()

    @property
    def zone(self) -> tzinfo:
        return self.encoding.zone

    def lookup(self, name: str | int) -> object:
        """A part by its number from 1, or `text`; None if it is empty or there is no such thing."""
        if name.__class__ is int:
            return self.part(name)
        number = _number(name)
        if number is not None:
            return self.part(number)
        return self.text if name == "text" else None

    def part(self, number: int) -> object:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return str(self) == other if isinstance(other, str) else self is other

    def __hash__(self) -> int:
        return hash(str(self))


class Component(Value):
    """One component; its parts are texts."""

    __slots__ = ("_texts",)

    def __init__(self, raw: str, encoding: Encoding) -> None:
        self.raw = raw
        self.encoding = encoding
        mark = encoding.subcomponent
        if mark and mark in raw:
            self._texts = [encoding.text(part).strip() for part in raw.split(mark)]
        else:
            self._texts = [encoding.text(raw).strip()]

    def part(self, number: int) -> str | None:
        return self._texts[number - 1] or None if 0 < number <= len(self._texts) else None

    def __str__(self) -> str:
        return self._texts[0] or next(filter(None, self._texts), "")


class Repetition(Value):
    """One repetition of a field; its parts are its components."""

    __slots__ = ("_parts", "_raws")

    def __init__(self, raw: str, encoding: Encoding) -> None:
        self.raw = raw
        self.encoding = encoding
        self._raws = raw.split(encoding.component)
        self._parts: dict[int, Component | None] = {}

    def part(self, number: int) -> Component | None:
        if not 0 < number <= len(self._raws):
            return None
        if number not in self._parts:
            raw = self._raws[number - 1]
            self._parts[number] = None if self.encoding.is_empty(raw) else Component(raw, self.encoding)
        return self._parts[number]

    def __str__(self) -> str:
        first = self.part(1)
        if first is None:
            first = next(filter(None, map(self.part, range(2, len(self._raws) + 1))), None)
        return str(first or "")


class Field(Value):
    """A field: a sequence of repetitions, the empty ones left out; its parts are the components of the first."""

    __slots__ = ("repetitions",)

    def __init__(self, raw: str, encoding: Encoding) -> None:
        self.raw = raw
        self.encoding = encoding
        raws = raw.split(encoding.repetition) if encoding.repetition else [raw]
        self.repetitions: Sequence[Repetition] = [
            Repetition(one, encoding) for one in raws if not encoding.is_empty(one)
        ]

    @property
    def text(self) -> str:
        """All of it as one text; repetitions are lines (HL7 v2.5.1 chapter 7.4.2.5: OBX-5 of TX)."""
        lines = self.raw.split(self.encoding.repetition) if self.encoding.repetition else [self.raw]
        return "\n".join(self.encoding.text(line).rstrip() for line in lines).rstrip()

    def lookup(self, name: str | int) -> object:
        """As of every part; `size` is how many repetitions say something."""
        if name.__class__ is int:
            return self.part(name)  # most of all look-ups
        return len(self.repetitions) if name == "size" else super().lookup(name)

    def part(self, number: int) -> Component | None:
        return self.repetitions[0].part(number) if self.repetitions else None

    def __iter__(self) -> Iterator[Repetition]:
        return iter(self.repetitions)

    def __len__(self) -> int:
        return len(self.repetitions)

    def __str__(self) -> str:
        return str(self.repetitions[0]) if self.repetitions else ""


class Segment:
    """A segment; `.5` is its field 5. In MSH, BHS and FHS field 1 is the delimiter itself (chapter 2.5.4)."""

    __slots__ = ("_fields", "_read", "encoding", "id", "raws")

    def __init__(self, raws: list[str], encoding: Encoding) -> None:
        self.id = raws[0]
        self.raws = raws
        self.encoding = encoding
        self._fields: dict[int, Field | None] = {}
        self._read: set[int] = {1, 2} if self.id == "MSH" else set()

    def lookup(self, name: str | int) -> object:
        """Field by number, or `id`; None if it is empty. `size` is the number of the last field that was sent."""
        if name.__class__ is int:
            return self.field(name)
        number = _number(name)
        if number is not None:
            return self.field(number)
        return self.id if name == "id" else len(self.raws) - 1 if name == "size" else None

    def field(self, number: int) -> Field | None:
        """Field `number`, from 1, and mark it as read; None if it is empty."""
        if number in self._fields:
            return self._fields[number]
        self._read.add(number)
        raw = self.raws[number] if 0 < number < len(self.raws) else ""
        encoding = _DELIMITERS_THEMSELVES if self.id == "MSH" and number <= 2 else self.encoding
        field = None if encoding.is_empty(raw) else Field(raw, encoding)
        self._fields[number] = field
        return field

    def unread(self) -> Iterator[int]:
        """The numbers of the fields that hold something and were never looked at."""
        for number in range(1, len(self.raws)):
            if number not in self._read and not self.encoding.is_empty(self.raws[number]):
                yield number

    def nulls(self) -> Iterator[int]:
        """The numbers of the fields that say "delete this" (the explicit null)."""
        return (number for number, raw in enumerate(self.raws) if raw == NULL)

    def __str__(self) -> str:
        return self.id


def text_of(value: object) -> str:
    """A part as it prints; nothing for None."""
    return "" if value is None else str(value)


def _number(name: str | int) -> int | None:
    if isinstance(name, int):
        return name
    return int(name) if name.isascii() and name.isdigit() else None
