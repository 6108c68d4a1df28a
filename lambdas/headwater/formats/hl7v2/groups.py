"""Segments by name and by group, and the OBX of an order as the observations that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headwater.formats.hl7v2.message import Group
from headwater.formats.hl7v2.parts import Parts, Segment, repetitions, text_of

_LINES = frozenset({"TX", "FT", "ST"})
_OF_AN_OBX = frozenset(
    {"NTE", "PRT", "TCD", "SID"}
)  # chapters 7.3 and 13.3: what may stand behind it and belongs to it


def _group(value: Any) -> Group:
    return value if isinstance(value, Group) else Group([])


def _all(value: Any, *names: str) -> Sequence[Segment]:
    return _group(value).all(*names)


def _groups(value: Any, *names: str) -> Sequence[Group]:
    return _group(value).groups(*names)


def _head(value: Any, *names: str) -> Group:
    return _group(value).head(*names)


def _tail(value: Any, *names: str) -> Group:
    return _group(value).tail(*names)


def _results(value: Any) -> Sequence[Group]:
    """The observations of an order: an OBX with what stands behind it and is its own, or several OBX when they are the
    lines of one text (same OBX-3 and OBX-4, chapter 7.4.2.4). `occurrence` tells apart those that have code and sub-id
    in common."""
    results: list[Result] = []
    seen: dict[tuple[str, ...], int] = {}
    for members in _group(value).cut("OBX"):
        obx, own = members[0], _own(members)
        code = obx.part(3)
        key = code.raw if isinstance(code, Parts) else text_of(code), text_of(obx.part(4))
        if results and results[-1].key == key and _is_line(obx) and _is_line(results[-1].segments[0]):
            results[-1] = Result([*results[-1].segments, *own], key, results[-1].occurrence)
            continue
        count = seen[key] = seen.get(key, 0) + 1
        results.append(Result(own, key, str(count) if count > 1 else ""))
    return results


def _own(segments: Sequence[Segment]) -> Sequence[Segment]:
    """An OBX and what stands behind it up to what does not belong to it."""
    for at, segment in enumerate(segments):
        if at and segment.id not in _OF_AN_OBX and segment.id[0] != "Z":
            return segments[:at]
    return segments


def _is_line(obx: Segment) -> bool:
    return text_of(obx.part(2)) in _LINES


class Result(Group):
    """One observation; `occurrence` is empty for the first of its kind in its order, then 2, 3 …"""

    __slots__ = ("key", "occurrence")

    facts = frozenset({"segments", "occurrence"})

    def __init__(self, segments: Sequence[Segment], key: tuple[str, ...], occurrence: str) -> None:
        super().__init__(segments)
        self.key = key
        self.occurrence = occurrence


FILTERS: Mapping[str, Callable[..., Any]] = {
    "all": _all,
    "groups": _groups,
    "head": _head,
    "tail": _tail,
    "results": _results,
    "repetitions": repetitions,
}
