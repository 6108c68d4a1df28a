"""What the house dialect's built code calls besides `runtime`: outputs as the JSON values that they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from headwater.model import LARGE, LISTED, LargeText, Named, Numbered
from headwater.templates import runtime, tidy
from headwater.templates.building.position import Unbuildable
from headwater.templates.building.runtime import MISSING, kept, missing, missing_value, second_value, told
from headwater.templates.limits import Meter

_NUMBER = re.compile(r"(?:0|[1-9]\d{0,15})(\.\d{1,15})?", re.ASCII)  # as most are; JSON has more of them


def plain(meter: Meter, value: Any) -> str:
    """An output that is a whole JSON string."""
    return together(meter, (runtime.text(value),))


def together(meter: Meter, parts: Sequence[str]) -> str:
    """A JSON string of several texts."""
    size = sum(map(len, parts))
    if size >= LARGE:
        meter.charge(size)
        meter.left -= size
    return "".join(parts)


def value_of(meter: Meter, value: Any) -> Any:
    """An output where a JSON value stands: `runtime.json_value`, read."""
    if value is None:
        return ""
    if value.__class__ in (int, bool):
        return value
    number = _NUMBER.fullmatch(value) if value.__class__ is str else None
    if number:
        return float(value) if number[1] else int(value)
    text = runtime.json_value(value)
    if len(text) >= LARGE:
        meter.left -= len(text)
    return tidy.exactly(text)


def copied(meter: Meter, value: Any) -> Any:
    """An output of a JSON value without empties, of which nothing may be shared with another place, as `value_of`."""
    return value_of(meter, value) if value.__class__ is str else _copied(value)


def _copied(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: one if one.__class__ is str else _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if value.__class__ is list else value


NOTHING = [""] * LISTED


class _Members:
    """Numbered members of what has no `parts`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, number: int) -> Any:
        return part_of(self.value, number)


def part_of(value: Any, number: int) -> Any:
    """A numbered member of what has no `parts`: of a list, an object, a node. Built code takes it for a part of a
    message: what is false is nil, and all else is as good as its text. Where that is not so the text decides."""
    found = runtime.member(value, number)
    if found.__class__ is str and found:
        return found if len(found) < LARGE else LargeText(found)
    if found is None or isinstance(found, Numbered | LargeText):
        return found
    raise Unbuildable("a numbered member that is no text")


def parts_of(value: Any) -> Any:
    """What gives the numbered parts of a value as `value.parts` does; a text is its own first part."""
    if value is None:
        return NOTHING
    if value.__class__ is str:
        return ["", value if len(value) < LARGE else LargeText(value), *NOTHING]
    return value.parts if isinstance(value, Numbered) else _Members(value)


def among(value: Any, texts: tuple[str, ...]) -> bool:
    """Whether a value equals one of several texts."""
    return any(runtime.equal(value, text) for text in texts)


def greater(left: Any, right: Any) -> bool:
    return runtime.less(right, left)


def greater_or_equal(left: Any, right: Any) -> bool:
    return runtime.less_or_equal(right, left)


_FUNCTIONS = (
    plain,
    part_of,
    parts_of,
    among,
    together,
    value_of,
    copied,
    greater,
    greater_or_equal,
    kept,
    missing,
    missing_value,
    second_value,
    told,
)
NAMES: dict[str, Any] = {
    "MISSING": MISSING,
    "Named": Named,
    "NOTHING": NOTHING,
    "Numbered": Numbered,
    "isinstance": isinstance,
    **{function.__name__: function for function in _FUNCTIONS},
}
