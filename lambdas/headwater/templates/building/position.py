"""Where in a JSON value a template stands at some point: the objects, lists and strings that are open there.

The builder walks a template's text and tags in order and moves its `Frame`s; two branches must end at the same place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

OBJECT, ARRAY, SINGLE, STRING, TEXT = "object", "array", "single", "string", "text"
TRIMMED = "trimmed"  # a text without the blanks around it; nil if nothing is left
TEXTS = (STRING, TEXT, TRIMMED)
KEY, COLON, VALUE, FILLED, PERHAPS = "key", "colon", "value", "filled", "perhaps"  # what is next, or is there already
FREE, DUE, UNSURE = "free", "due", "unsure"  # whether a comma must come before the next member or item

TOKEN = re.compile(
    r'\s*(?:([{}\[\],:"])|(true|false|null|-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?(?:[eE][+-]?\d{1,2})?)(?![\w.+-]))'
)
NEXT_KEY = re.compile(r'\s*"(?:[^"\\]|\\.)*"\s*:')
IN_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)


Place = tuple[str, str]


class Unbuildable(Exception):
    """Not to be built as objects: the text decides. Carries why, for whoever tunes a template."""


@dataclass(slots=True)
class Frame:
    """Something open. `target` is the Python name of the dict, list or list of text that it is built in.

    An object is before a `key`, before its `colon` or before its `value`; the value of a frame with a `slot` is put
    there, because it may come from one of several branches. `parts` are the pieces of a string or text, as Python
    source, until they are `spilled` into the list `target`. `born` is the line that makes the target, `indent` how deep
    that is; until another line has `used` the target, what it surely holds is `literal` and part of that line.
    `sure`: it cannot end up empty; `whole`: it is a resource; `holding`: the members that resources may be in;
    `written`: the members that may be there; `open`: others may be there as well; `only`: of the line behind `born`, if
    that puts something in on a condition, the condition and what the target is where it holds. `full`: what is in the
    slot is true, or nothing."""

    kind: str
    target: str = ""
    state: str = KEY
    comma: str = FREE
    key: str = ""
    slot: str = ""
    parts: list[str] = field(default_factory=list)
    spilled: bool = False
    born: int = -1
    indent: int = 0
    literal: dict[str, str] = field(default_factory=dict)
    used: bool = False
    sure: bool = False
    whole: bool = False
    holding: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    open: bool = False
    only: tuple[str, str] = ("", "")
    full: bool = True

    def place(self) -> Place:
        return self.state, self.comma


def joined(left: Place, right: Place) -> Place:
    """The place behind two branches that end at these; Unbuildable if it is not one place."""
    comma = left[1] if left[1] == right[1] else UNSURE
    if left[0] == right[0]:
        return left[0], comma
    if {left[0], right[0]} <= {VALUE, FILLED, PERHAPS}:
        return PERHAPS, comma
    raise Unbuildable("branches end at different places of the JSON")


def decoded(text: str) -> str:
    """The constant text of a JSON string."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        raise Unbuildable("a string that JSON cannot read") from None


def scalar(text: str) -> Any:
    return json.loads(text)
