"""After rendering: the text to a value, leniently, and a Bundle's entries about the same resource made one.

The grammar is Microsoft's: spare commas anywhere, a missing comma or value is an error, what follows the root object is
ignored. Only if the fast way (marked commas, then the C parser) fails is the text cleaned token by token.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from headwater.templates import tidy
from headwater.templates.errors import JSON, TemplateError
from headwater.templates.jsontext import MARK

_TOKEN = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|[{}\[\],:]|true|false|null|'
    r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?(?:0|[1-9]\d*))?"
)


def parse(text: str, template: str) -> Any:
    """The JSON object of a rendered template, its entries merged."""
    return merged(read(text, template))


def read(text: str, template: str) -> dict[str, Any]:
    """The JSON object of a rendered template; Quarantine `convert.json` if it is none."""
    try:
        value = tidy.decode(tidy.collapse(text))
    except (ValueError, RecursionError):
        value = _carefully(text.replace(MARK, ","), template)
    if not isinstance(value, dict):
        _refuse(template)
    return value


def _carefully(text: str, template: str) -> Any:
    try:
        return tidy.decode(tidy.collapse("".join(_marked(text))))
    except (ValueError, RecursionError):
        _refuse(template)


def _marked(text: str) -> list[str]:
    """The tokens, commas between values marked; what is no token at all is dropped, as ANTLR's lexer drops it."""
    return [MARK if token == "," else token for token in _TOKEN.findall(text)]


def _refuse(template: str) -> NoReturn:
    hint = "the output is not JSON: a value, a comma or a bracket is missing (Microsoft 1401)"
    raise TemplateError(JSON, place=f"{template}.liquid", hint=hint)


def merged(bundle: dict[str, Any]) -> dict[str, Any]:
    """Entries with the same type, version and id become the first of them, later ones merged into it."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    kept: dict[str, Any] = {}
    for entry in entries:
        key = _key(entry)
        if key not in kept:
            kept[key] = entry
        elif isinstance(entry, dict) and isinstance(kept[key], dict):
            merge(kept[key], entry)
    bundle["entry"] = list(kept.values())
    return bundle


def _key(entry: Any) -> str:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or kind is None:
        return json.dumps(entry, ensure_ascii=False)
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    number = resource.get("id")
    if version is None and number is not None:
        return f"{kind}_{number}"
    return "_".join(str(each) for each in (kind, version, number) if each is not None)


def merge(whole: dict[str, Any], other: dict[str, Any]) -> None:
    """Objects member by member, lists as a union of unequal items, anything else replaced unless by null."""
    for name, value in other.items():
        known = whole.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            merge(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            known.extend(_new_items(known, value))
        elif value is not None or name not in whole:
            whole[name] = value


def _new_items(known: list[Any], others: list[Any]) -> list[Any]:
    """The items of `others` that are not in `known`; equal items within `others` count once."""
    new: list[Any] = []
    for item in others:
        if not (item in known and _among(item, known)) and not (item in new and _among(item, new)):
            new.append(item)
    return new


def _among(item: Any, items: list[Any]) -> bool:
    return any(item == each and _same(item, each) for each in items)


def _same(left: Any, right: Any) -> bool:
    """Deep equality in which 1, 1.0 and true are three things."""
    if left.__class__ is not right.__class__:
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
