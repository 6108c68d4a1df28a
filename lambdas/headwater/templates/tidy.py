"""The text of a JSON template to its value: spare commas forgiven, empties dropped, the last non-empty duplicate kept.

Empties (`""`, `{}`, `[]`) are dropped while parsing, before duplicate keys collide: `"version":"2","version":""` keeps
the 2. `null` and `" "` stay. Only commas of the template's own text are forgiven; they arrive as `MARK`.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from headwater.templates.errors import JSON, TemplateError
from headwater.templates.jsontext import MARK

_KEPT = (bool, int, float)  # falsy, and still a value


def parse(text: str, template: str) -> Any:
    """The JSON value of a rendered template; Quarantine `convert.json` if it is none."""
    try:
        clean = collapse(text)
        value, end = _decoder.raw_decode(clean)
        if end == len(clean):
            return pruned(value)
    except (ValueError, RecursionError):
        pass
    hint = "the template's output is not JSON: a value, a comma or a bracket is missing"
    raise TemplateError(JSON, place=f"{template}.liquid", hint=hint)


def decode(text: str) -> Any:
    """The first JSON value of a text, without its empties; ValueError if there is none."""
    return pruned(_decoder.raw_decode(text)[0])


def exactly(text: str) -> Any:
    """The JSON value that all of a text is; ValueError if it is none."""
    value, end = _decoder.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one value")
    return pruned(value)


def collapse(text: str) -> str:
    """Spare structural commas removed, the others made commas again; empty objects between two commas go too."""
    parts: list[str] = []
    opened = True  # right behind a bracket, where no comma belongs
    for piece in text.split(MARK):
        if not piece or (piece == "{}" and parts) or piece.isspace():
            continue
        if not opened and piece[0] not in "}]":
            parts.append(",")
        parts.append(piece)
        opened = piece[-1] in "{["
    return "".join(parts)


def pruned(value: Any) -> Any:
    """A value without the empty items of its lists; objects were pruned while they were parsed."""
    return _items(value) if value.__class__ is list else value


def _items(items: list[Any]) -> list[Any]:
    kept = []
    for item in items:
        value = _items(item) if item.__class__ is list else item
        if value or value is None or isinstance(value, _KEPT):
            kept.append(value)
    return kept


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without its empty members; of several with the same name the last one counts."""
    kept: dict[str, Any] = {}
    for name, member in pairs:
        value = _items(member) if member.__class__ is list else member
        if value or value is None or isinstance(value, _KEPT):
            kept[name] = value
    return kept


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decoder = json.JSONDecoder(object_pairs_hook=members, parse_constant=_refuse, strict=False)
