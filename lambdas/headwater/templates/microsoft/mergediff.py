"""The tags `mergeDiff` and `validate`: JSON within a template, read the way Newtonsoft reads it."""

from __future__ import annotations

import json
import re
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.jsontext import MARK
from headwater.templates.microsoft.filters.strings import dumps
from headwater.templates.microsoft.runtime import MicrosoftState
from headwater.templates.microsoft.schema import errors as schema_errors
from headwater.templates.tidy import collapse

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|//[^\n]*|/\*.*?\*/|[{}\[\],:]|[^\s{}\[\],:"\'/]+|/', re.DOTALL
)
_CHOICE = "[x]"


def read(text: str) -> Any:
    """Newtonsoft's leniency: comments, single quotes, one trailing comma, a missing value is null."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text):
        if token.startswith(("//", "/*")):
            continue
        if tokens and tokens[-1] == ":" and token in (MARK, ",", "}"):
            tokens.append("null")
        if token.startswith("'"):
            token = json.dumps(token[1:-1].replace("\\'", "'"), ensure_ascii=False)
        tokens.append(MARK if token == "," else token)
    return json.loads(collapse("".join(tokens)), strict=False)


def merged(_: MicrosoftState, value: Any, text: str) -> str:
    """`value` as JSON, with the members of the body over it; `a[x]` replaces the first member that begins with `a`."""
    if value is None:
        return '""'
    try:
        changes = read(text) if text.strip() else {}
    except (ValueError, RecursionError):
        raise FilterError("the body of 'mergeDiff' is not JSON (Microsoft 1310)") from None
    if changes is not None and not isinstance(changes, dict):
        raise FilterError("the body of 'mergeDiff' is not a JSON object (Microsoft 1310)")
    if not changes:
        return dumps(value)
    if value.__class__ is not dict:
        raise FilterError("'mergeDiff' needs an object (Microsoft 1311)")
    result = dict(value)
    for name, change in changes.items():
        if not name.endswith(_CHOICE):
            result[name] = "" if change is None else change
            continue
        stem = name.removesuffix(_CHOICE)
        if not stem:
            raise FilterError("'[x]' needs a name before it (Microsoft 1310)")
        chosen = next((known for known in result if known.startswith(stem)), None)
        if chosen is not None:
            result[chosen] = change
    return dumps(result)


def validated(state: MicrosoftState, name: str, text: str) -> str:
    """The body as it is, if it is valid against the schema."""
    try:
        value = read(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FilterError("the body of 'validate' is not a JSON object (Microsoft 1312)")
    found = schema_errors(state.engine.schema(name), value)
    if found:
        raise FilterError(f"the body of 'validate' breaks '{name}': {'; '.join(found[:3])} (Microsoft 1313)")
    return text
