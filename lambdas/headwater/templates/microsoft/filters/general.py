"""Filters on codes, ids and JSON text."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.microsoft.filters.strings import dumps
from headwater.templates.microsoft.runtime import MicrosoftState
from headwater.templates.microsoft.values import shown, string

_STEP = re.compile(r"\.?([\w\-@:]+)|\[(\d+)\]|\['([^']*)'\]|\[\?\(@\.?([^=()]+?)\s*==\s*'([^']*)'\)\]")
_STEPS = 50


def get_property(state: MicrosoftState, code: Any, mapping: Any, name: Any = "code") -> str | None:
    """A code's property in a code map; without one the code itself stands for `code` and `display`."""
    if not code.__class__ is mapping.__class__ is name.__class__ is str:
        code, mapping, name = string(code), string(mapping), string(name)
    if not code or not mapping or not name:
        return None
    known = state.codes.get(mapping)
    if known:
        found = (known.get(code) or known.get("__default__") or {}).get(name)
        if found is not None:
            return found
    return code if name in ("code", "display") else None


def generate_id_input(segment: Any, kind: Any, base_required: Any, base: Any = None) -> str | None:
    """`Patient_<segment>[_<base>]`; nil when the segment is blank."""
    text = segment if segment.__class__ is str else string(segment)
    base_id = base if base is None or base.__class__ is str else string(base)
    if not text or not text.strip():
        return None
    if not kind or (base_required is True and not base_id):
        raise FilterError("'generate_id_input' needs a resource type, and here a base id (Microsoft 1308)")
    made = f"{kind if kind.__class__ is str else string(kind)}_{text.strip()}"
    return made if base_id is None else f"{made}_{base_id}"


def generate_uuid(value: Any) -> str | None:
    """The first 16 bytes of the text's SHA-256 as a .NET Guid, whose first three groups are little-endian."""
    text = value if value.__class__ is str else string(value)
    if not text or text.isspace():
        return None
    h = hashlib.sha256(text.encode()).digest()
    told = (h[3::-1] + h[5:3:-1] + h[7:5:-1] + h[8:16]).hex()
    return f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"


def _selected(text: str, path: str) -> Any:
    """One token of a JSON text by a path such as `$.a[0]['b']` or `$.entry[?(@.resource.id == 'x')].resource`; None
    when there is none."""
    try:
        token = json.loads(text)
    except (ValueError, RecursionError):
        raise FilterError("JSON text is needed") from None
    tokens = [token]
    for step in _steps(path):
        tokens = [found for token in tokens for found in _step(token, step)]
    if len(tokens) > 1:
        raise FilterError("the JSON path leads to more than one place")
    return tokens[0] if tokens else None


def _steps(path: str) -> list[re.Match[str]]:
    rest, steps = path.removeprefix("$"), list[re.Match[str]]()
    while rest:
        step = _STEP.match(rest)
        if step is None or len(steps) > _STEPS:
            raise FilterError("a JSON path that is too elaborate")
        steps.append(step)
        rest = rest[step.end() :]
    return steps


def _step(token: Any, step: re.Match[str]) -> list[Any]:
    name, index, quoted, wanted_path, wanted = step.groups()
    if wanted_path:
        items = token if isinstance(token, list) else []
        return [each for each in items if shown(_member(each, wanted_path)) == wanted]
    if index:
        return [token[int(index)]] if isinstance(token, list) and int(index) < len(token) else []
    key = name or quoted
    return [token[key]] if isinstance(token, dict) and token.get(key) is not None else []


def _member(token: Any, path: str) -> Any:
    for step in _steps(path):
        found = _step(token, step) if step[4] is None else []
        token = found[0] if found else None
    return token


def evaluate(value: Any, path: Any) -> str | None:
    text, wanted = string(value), string(path)
    if not text or not wanted:
        return None
    token = _selected(text, wanted)
    if isinstance(token, dict | list):
        raise FilterError("the JSON path leads to an object or a list")
    return string(token)


def get_object(value: Any, path: Any) -> str | None:
    text, wanted = string(value), string(path)
    if not text or not wanted:
        return None
    token = _selected(text, wanted)
    if token is None:
        raise FilterError("the JSON path leads nowhere")
    return dumps(token) if isinstance(token, dict | list) else shown(token)


FILTERS = registry.of(
    {
        "get_property": get_property,
        "generate_id_input": generate_id_input,
        "generate_uuid": generate_uuid,
        "evaluate": evaluate,
        "get_object": get_object,
    },
    metered=("get_property",),
)
