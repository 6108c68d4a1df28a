"""The parts of a message as templates see them: `PID.5.1`, numbers as in the standard, from 1.

A part that has no parts is a plain text, without its escapes; what is empty (no text, only delimiters, or the explicit
null `""`) is None. A field is taken apart when it is first asked for, most are short texts; whoever asks again finds it
in a dict, which is also how it is known what nobody has asked for. HL7 v2.5.1 chapters 2.5 (grammar), 2.7 (escapes).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import compress, count
from typing import Any

from headwater.formats.hl7v2.escapes import unescape
from headwater.model import LARGE, LISTED, LargeText, Numbered

NULL = '""'
_MOST = 10_000  # fields that are known, and of which it is known that they came
_NO_COMPONENTS = [""] * LISTED  # the data type that has most has 25 (XCN of HL7 v2.8)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)  # compared as an object: senders have one each
class Encoding:
    """What a message says about itself in its header: delimiters, character set, zone."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    charset: str
    zone: tzinfo
    fields: KnownFields = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", KnownFields(self))

    def text(self, raw: str) -> str:
        """`raw` without its escape sequences; an explicit null is no text."""
        if raw == NULL:
            return ""
        if self.escape and self.escape in raw:
            return unescape(
                raw, self.field, self.component, self.subcomponent, self.repetition, self.escape, self.charset
            )
        return raw


class Parts(Numbered):
    """A component with its subcomponents, or a field or repetition with its components; `parts` as of Numbered. It
    prints as the first of them that says anything, so that nothing that is there looks empty. `made` is what others
    made of it and remember here, by who it was and what."""

    __slots__ = ("encoding", "made", "raw")

    parts: list[Part]

    def __init__(self, raw: str, parts: list[Any], encoding: Encoding) -> None:
        """`parts` are what was sent, texts and Parts, by number: number 0 is nothing."""
        self.raw = raw
        self.parts = parts + _NO_COMPONENTS
        self.encoding = encoding
        self.made: dict[tuple[object, ...], Any] = {}

    @property
    def text(self) -> str:
        """All of it as one text, delimiters taken for what a sender meant who forgot to escape them."""
        return self.encoding.text(self.raw).rstrip()

    def components(self) -> list[Part]:
        """The components of a repetition as they were sent, the empty ones among them."""
        return self.parts[1 : self.raw.count(self.encoding.component) + 2]

    def lookup(self, name: str | int) -> object:
        """A part by its number from 1, or `text`; None if it is empty or there is no such thing."""
        return self.text if name == "text" else super().lookup(name)

    def __str__(self) -> str:
        return str(next(filter(None, self.parts)))


class Repetitions(Parts):
    """A field that was sent with repetitions, the empty ones left out; its parts are those of the first."""

    __slots__ = ("repetitions",)

    def __init__(self, raw: str, repetitions: Sequence[Part], encoding: Encoding) -> None:
        first = repetitions[0]
        self.raw = raw
        self.parts = first.parts if isinstance(first, Parts) else ["", first, *_NO_COMPONENTS]
        self.encoding = encoding
        self.made = {}
        self.repetitions = repetitions

    @property
    def text(self) -> str:
        """All of it as one text; repetitions are lines (HL7 v2.5.1 chapter 7.4.2.5: OBX-5 of TX)."""
        lines = self.raw.split(self.encoding.repetition)
        return "\n".join(self.encoding.text(line).rstrip() for line in lines).rstrip()

    def each(self) -> Sequence[Part]:
        return self.repetitions


Part = str | Parts


class _Fields(dict[int, "Part | None"]):
    """Fields by number, each taken apart when it is first asked for; what is in it was."""

    __slots__ = ("encoding", "raws", "sent")

    raws: list[str]
    sent: int  # that many
    encoding: Encoding

    def __missing__(self, number: int) -> Part | None:
        if number >= self.sent:
            return None
        raw = self.raws[number]
        if not raw:
            return None  # and is not kept: few are asked for twice
        if len(raw) >= LARGE:
            part = _large(_field(raw, self.encoding))
        elif raw.isalnum():
            part = raw
        else:
            part = self.encoding.fields[raw]
        self[number] = part
        return part


class KnownFields(dict[str, "Part | None"]):
    """Fields by how they were sent, each taken apart when it is asked for. Wards, staff and codes come again in a feed,
    and a patient's name in a message: what came before is not taken apart once more. What comes but once is not kept,
    a garbage collector would have to look at it."""

    __slots__ = ("_came", "_encoding")

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._came: set[int] = set()  # by hash: these may be anybody's, and are not to be kept

    def __missing__(self, raw: str) -> Part | None:
        part, came = _field(raw, self._encoding), hash(raw)
        kept = self if came in self._came else self._came
        if len(kept) >= _MOST:
            kept.clear()
        if kept is self:
            self[raw] = part
        else:
            self._came.add(came)
        return part


class Segment(Numbered):
    """A segment; `.5` is its field 5. In MSH, BHS and FHS field 1 is the delimiter itself (chapter 2.5.4)."""

    __slots__ = ("id", "raws")

    parts: _Fields

    def __init__(self, raws: list[str], encoding: Encoding) -> None:
        self.id = raws[0]
        self.raws = raws
        self.parts = fields = _Fields()
        fields.raws = raws
        fields.sent = len(raws)
        fields.encoding = encoding
        if self.id == "MSH":  # the delimiters are not split by what they declare
            fields[1], fields[2] = raws[1:3]

    def lookup(self, name: str | int) -> object:
        """Field by number, or `id`; None if it is empty. `size` is the number of the last field that was sent."""
        if name == "id":
            return self.id
        return len(self.raws) - 1 if name == "size" else super().lookup(name)

    def unread(self) -> list[int]:
        """The numbers of the fields that hold something and were never looked at."""
        raws, encoding = self.raws, self.parts.encoding
        unread = {*compress(count(), raws)}.difference(self.parts, (0,))
        # What begins with a letter or digit says something.
        return [number for number in sorted(unread) if raws[number][0].isalnum() or _field(raws[number], encoding)]

    def nulls(self) -> Iterator[int]:
        """The numbers of the fields that say "delete this" (the explicit null)."""
        return (number for number, raw in enumerate(self.raws) if raw == NULL)

    def __str__(self) -> str:
        return self.id


def _field(raw: str, encoding: Encoding) -> Part | None:
    mark = encoding.repetition
    if not mark or mark not in raw:
        return _repetition(raw, encoding)
    repetitions = [part for one in raw.split(mark) if (part := _repetition(one, encoding)) is not None]
    return Repetitions(raw, repetitions, encoding) if repetitions else None


def _repetition(raw: str, encoding: Encoding) -> Part | None:
    # Three looks for one character each take a third of what a pattern for them all takes.
    plain = not (encoding.subcomponent in raw or encoding.escape in raw or '"' in raw)
    mark = encoding.component
    if mark not in raw:
        return _single(raw, encoding) if plain else _lone(raw, encoding)
    parts: list[Any] = (mark + raw).split(mark)  # the first that was sent is number 1
    if not plain:
        parts = _components(parts, encoding)
    elif " " in raw or not raw.isprintable():  # all other blanks are not printable
        parts = [*map(str.strip, parts)]
    return Parts(raw, parts, encoding) if parts[1] or any(parts) else None


def _single(raw: str, encoding: Encoding) -> Part | None:
    """A repetition without components and escapes; blanks before a text are its own, but no component's."""
    text = raw.rstrip()
    if not text or not text[0].isspace():
        return text or None
    return Parts(raw, ["", text.lstrip()], encoding)


def _lone(raw: str, encoding: Encoding) -> Part | None:
    """A repetition that is one component, with escapes or subcomponents."""
    part = _component(raw, encoding)
    if not part or part == encoding.text(raw).rstrip():
        return part or None
    return Parts(raw, ["", part], encoding)


def _components(raws: list[str], encoding: Encoding) -> list[Part]:
    return [_component(raw, encoding) if raw and not raw.isalnum() else raw for raw in raws]


def _component(raw: str, encoding: Encoding) -> Part:
    mark, escaped = encoding.subcomponent, encoding.escape in raw or '"' in raw
    if not mark or mark not in raw:
        return (encoding.text(raw) if escaped else raw).strip()
    ones = (mark + raw).split(mark)
    texts = map(encoding.text, ones) if escaped else ones
    parts = [*map(str.strip, texts)]
    return Parts(raw, parts, encoding) if parts[1] or any(parts) else ""


def _large(part: Part | None) -> Part | None:
    """A part of which some text may be LARGE: each such text as a LargeText."""
    if isinstance(part, str):
        return LargeText(part) if len(part) >= LARGE else part
    if isinstance(part, Repetitions):
        part.repetitions = [one for one in map(_large, part.repetitions) if one is not None]
    if isinstance(part, Parts):
        part.parts = [_large(one) or "" for one in part.parts]
    return part


def repetitions(value: object) -> Sequence[Part]:
    """What a field says, once or several times."""
    if isinstance(value, Repetitions):
        return value.repetitions
    return [value] if isinstance(value, Part) else []


def part(value: object, number: int) -> Part | None:
    """A part by its number from 1; a text is its own first part."""
    if isinstance(value, Numbered):
        found: Part | None = value.parts[number] or None
        return found
    return value if number == 1 and isinstance(value, str) else None


def text_of(value: object) -> str:
    """A part as it prints; nothing for None."""
    return "" if value is None else str(value)


def whole_text(value: object) -> str:
    """All of a part as one text."""
    return value.text if isinstance(value, Parts) else text_of(value)
