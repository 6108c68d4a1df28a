"""One HL7 v2 message, and groups of its segments, as templates see them: `message.PID`, `message | all: 'OBX'`.

HL7 v2.5.1 chapters 2.5 (grammar) and 2.15.9 (MSH).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.parts import NULL, Encoding, Segment, part, text_of
from headwater.model import Named

# Versions, acknowledgement modes, character set, set ids (chapter 2.15.9; the first field of most segments).
_ABOUT_THE_MESSAGE = frozenset(
    {"MSH-12", "MSH-13", "MSH-14", "MSH-15", "MSH-16", "MSH-18", "EVN-1"}
    | {
        f"{name}-1"
        for name in (
            "PID",
            "NK1",
            "PV1",
            "AL1",
            "DG1",
            "PR1",
            "IN1",
            "OBR",
            "OBX",
            "NTE",
            "SPM",
            "GT1",
            "IAM",
            "IN3",
            "FT1",
            "DB1",
        )
    }
)


class Group(Named):
    """Segments that belong together; `.OBR` is the first OBR. Filters cut groups into smaller ones."""

    __slots__ = ("_named", "segments")

    facts = frozenset({"segments"})  # what it has besides segments by name

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self._named: Mapping[str | int, Sequence[Segment]] = {segments[0].id: segments} if len(segments) == 1 else {}

    def __str__(self) -> str:
        """Segments have no text of their own: a template that prints a group prints nothing."""
        return ""

    def lookup(self, name: str | int) -> object:
        """The first segment of that name, one of its facts, or None."""
        found = (self._named or self._by_name()).get(name)
        if found:
            return found[0]
        return getattr(self, str(name)) if name in self.facts else None

    def all(self, *names: str) -> Sequence[Segment]:
        """The segments of these names, in order."""
        if len(names) == 1:
            return (self._named or self._by_name()).get(names[0], [])
        return [segment for segment in self.segments if segment.id in names]

    def _by_name(self) -> Mapping[str | int, Sequence[Segment]]:
        named: dict[str | int, list[Segment]] = {}
        self._named = named
        for segment in self.segments:
            name = segment.id
            if name in named:
                named[name].append(segment)
            else:
                named[name] = [segment]
        return named

    def groups(self, *starters: str) -> list[Group]:
        """What `cut` gives, as groups."""
        return [Group(members) for members in self.cut(*starters)]

    def cut(self, *starters: str) -> list[list[Segment]]:
        """The segments, cut before each starter; what is before the first one is left out.

        Starters are in the order in which they begin a group: for ('ORC', 'OBR') an OBR right after its ORC continues
        the group, and one without an ORC begins its own, so that an ORU with and without ORC read alike.
        """
        groups: list[list[Segment]] = []
        members: list[Segment] = []
        reached = len(starters)
        for segment in self.segments:
            if segment.id in starters:
                rank = starters.index(segment.id)
                if rank <= reached:
                    members = []
                    groups.append(members)
                reached = rank
            members.append(segment)
        return groups

    def head(self, *stops: str) -> Group:
        """What is before the first of `stops`; all of it when there is none."""
        return Group(self.segments[: self._first(stops)])

    def tail(self, *starts: str) -> Group:
        """The first of `starts` and what is after it."""
        return Group(self.segments[self._first(starts) :])

    def _first(self, names: Sequence[str]) -> int:
        for at, segment in enumerate(self.segments):
            if segment.id in names:
                return at
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)


class Message(Group):
    """A whole message: `type`, `trigger` and `structure` as in ORU^R01^ORU_R01 (MSH-9; the trigger of EVN-1 where the
    header does not say it; the structure is often missing or wrong), `control_id` (MSH-10), `sent_at` (MSH-7).
    `charset_guessed` is True when nobody said what character set its bytes are in."""

    __slots__ = ("charset_guessed", "control_id", "encoding", "header", "sent_at", "structure", "trigger", "type")

    facts = frozenset({"type", "trigger", "structure", "control_id", "charset_guessed", "segments"})

    def __init__(self, segments: Sequence[Segment], encoding: Encoding, *, charset_guessed: bool = False) -> None:
        super().__init__(segments)
        self.encoding = encoding
        self.charset_guessed = charset_guessed
        self.header = segments[0]
        kind = self.header.part(9)
        self.type = text_of(part(kind, 1))
        self.trigger = text_of(part(kind, 2)) or self._text("EVN", 1)
        self.structure = text_of(part(kind, 3))
        self.control_id = text_of(part(self.header.part(10), 1))
        self.sent_at = self._time("MSH", 7)

    @property
    def event_time(self) -> datetime | None:
        """When it happened: EVN-2 (or EVN-6, when that is said), else when the message was made."""
        return self._time("EVN", 2) or self.sent_at

    def unread(self) -> tuple[str, ...]:
        """`OBX-17` for each field that some segment fills and no template looked at, each once, in order.

        What says how the message is written, and nothing about a patient, does not count.
        """
        found = {f"{segment.id}-{number}": None for segment in self.segments for number in segment.unread()}
        return tuple(place for place in found if place not in _ABOUT_THE_MESSAGE)

    def speaks_of(self, place: str) -> bool:
        """Whether there is a segment (`DG1`), or in the first of its name a field (`PV1-7`) that is not empty. The
        explicit null speaks as well: it deletes (chapter 2)."""
        name, _, number = place.partition("-")
        segment = self.lookup(name)
        return isinstance(segment, Segment) and (not number or any(segment.raws[int(number) : int(number) + 1]))

    def deletes(self, place: str) -> bool:
        """Whether the field (`PID-19`) of the first segment of its name is the explicit null."""
        name, _, number = place.partition("-")
        segment = self.lookup(name)
        return isinstance(segment, Segment) and segment.raws[int(number) : int(number) + 1] == [NULL]

    def nulls(self) -> tuple[str, ...]:
        """`PID-19` for each field that holds the explicit null, each once, in order."""
        found = {f"{segment.id}-{number}": None for segment in self.segments for number in segment.nulls()}
        return tuple(found)

    def _time(self, name: str, field: int) -> datetime | None:
        said = self._text(name, field)
        moment = times.read(said) if said else None
        return moment.aware(self.encoding.zone) if moment else None

    def _text(self, name: str, field: int) -> str:
        """The first component of a field of the first segment of that name."""
        segment = self.lookup(name)
        return text_of(part(segment.part(field), 1)) if isinstance(segment, Segment) else ""
