"""Filters that find segments in `hl7v2Data`. All compare ids; none changes the message."""

from __future__ import annotations

from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.microsoft.hl7v2 import Drop, Message, Segment
from headwater.templates.microsoft.values import integer, string


def _message(value: Any) -> Message:
    if not isinstance(value, Message):
        raise FilterError("an HL7 v2 message is needed: the template does not fit the input (Microsoft 1106)")
    return value


def _names(value: Any) -> list[str]:
    return (string(value) or "").split("|")


def get_first_segments(value: Any, ids: Any) -> dict[str, Drop]:
    wanted, found = _names(ids), dict[str, Drop]()
    for segment in _message(value).segments:
        if segment.name in wanted:
            found.setdefault(segment.name, segment.drop)
    return found


def get_segment_lists(value: Any, ids: Any) -> dict[str, list[Drop]]:
    wanted, found = _names(ids), dict[str, list[Drop]]()
    for segment in _message(value).segments:
        if segment.name in wanted:
            found.setdefault(segment.name, []).append(segment.drop)
    return found


def get_related_segment_list(value: Any, parent: Any, child_id: Any) -> dict[str, list[Drop]]:
    """The first run of `child_id` segments behind this very parent segment."""
    name = string(child_id) or ""
    wanted, seen, run = name.lower(), False, list[Drop]()
    for segment in _message(value).segments:
        if segment.drop is parent:
            if run:
                break
            seen = True
        elif seen and segment.name.lower() == wanted:
            run.append(segment.drop)
        elif run:
            break
    return {name: run} if run else {}


def get_parent_segment(value: Any, child_id: Any, index: Any, parent_id: Any) -> dict[str, Drop]:
    """The nearest `parent_id` segment before the `index`-th (from 0) `child_id` segment."""
    child, name, left = (string(child_id) or "").lower(), string(parent_id) or "", integer(index)
    parent = None
    for segment in _message(value).segments:
        segment_id = segment.name.lower()
        if segment_id == name.lower():
            parent = segment.drop
        if segment_id == child:
            if left == 0:
                return {} if parent is None else {name: parent}
            left -= 1
    return {}


def has_segments(value: Any, ids: Any) -> bool:
    present = set(_message(value).meta)
    return all(name in present for name in _names(ids))


def split_data_by_segments(value: Any, ids: Any) -> list[Message]:
    """Messages that each begin with one of `ids`; what stands before the first one comes first."""
    message, separators = _message(value), {name for name in _names(ids) if name}
    if not separators & set(message.meta):
        return [message]
    parts: list[list[Segment]] = [[]]
    for segment in message.segments:
        if segment.name in separators:
            parts.append([])
        parts[-1].append(segment)
    return [Message(None, part) for part in parts]


FILTERS = registry.of(
    {
        "get_first_segments": get_first_segments,
        "get_segment_lists": get_segment_lists,
        "get_related_segment_list": get_related_segment_list,
        "get_parent_segment": get_parent_segment,
        "has_segments": has_segments,
        "split_data_by_segments": split_data_by_segments,
    }
)
