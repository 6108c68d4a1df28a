"""A small JSON Schema check for the tag `validate`: the keywords that people's schemas for FHIR fragments use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.microsoft import patterns

Schema = dict[str, Any] | bool
_DEPTH = 60
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, int | float) and value == int(value),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, int | float),
}


def errors(schema: Schema, value: Any) -> list[str]:
    """Where and how `value` breaks `schema`, as `#/path: keyword`; never a value."""
    return list(_Check(schema).errors(schema, value, "#", 0))


class _Check:
    def __init__(self, root: Schema) -> None:
        self.root = root

    def errors(self, schema: Schema, value: Any, at: str, depth: int) -> Iterator[str]:
        if depth > _DEPTH:
            raise FilterError("a JSON schema is nested too deeply")
        if isinstance(schema, bool):
            if not schema:
                yield f"{at}: false"
            return
        if "$ref" in schema:
            yield from self.errors(self._referred(schema["$ref"]), value, at, depth + 1)
            return
        yield from _plain(schema, value, at)
        yield from self._members(schema, value, at, depth)
        yield from self._items(schema, value, at, depth)
        yield from self._combined(schema, value, at, depth)

    def _referred(self, reference: str) -> Schema:
        found: Any = self.root
        if not reference.startswith("#"):
            raise FilterError("a JSON schema refers to another file")
        for step in reference.lstrip("#/").split("/"):
            if step:
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if not isinstance(found, dict | bool):
            raise FilterError("a JSON schema refers to what it does not have")
        return found

    def _members(self, schema: dict[str, Any], value: Any, at: str, depth: int) -> Iterator[str]:
        if not isinstance(value, dict):
            return
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}: {name} is required"
        for name, member in value.items():
            if name in known:
                yield from self.errors(known[name], member, f"{at}/{name}", depth + 1)
            elif schema.get("additionalProperties") is not None:
                yield from self.errors(schema["additionalProperties"], member, f"{at}/{name}", depth + 1)
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
            yield f"{at}: minProperties or maxProperties"

    def _items(self, schema: dict[str, Any], value: Any, at: str, depth: int) -> Iterator[str]:
        if not isinstance(value, list):
            return
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: minItems or maxItems"
        if schema.get("uniqueItems") and any(each in value[:number] for number, each in enumerate(value)):
            yield f"{at}: uniqueItems"
        items = schema.get("items", True)
        for number, item in enumerate(value):
            if isinstance(items, list):
                each: Schema = items[number] if number < len(items) else schema.get("additionalItems", True)
            else:
                each = items
            yield from self.errors(each, item, f"{at}/{number}", depth + 1)

    def _combined(self, schema: dict[str, Any], value: Any, at: str, depth: int) -> Iterator[str]:
        def fits(each: Schema) -> bool:
            return next(self.errors(each, value, at, depth + 1), None) is None

        for each in schema.get("allOf", ()):
            yield from self.errors(each, value, at, depth + 1)
        if "anyOf" in schema and not any(map(fits, schema["anyOf"])):
            yield f"{at}: anyOf"
        if "oneOf" in schema and sum(map(fits, schema["oneOf"])) != 1:
            yield f"{at}: oneOf"
        if "not" in schema and fits(schema["not"]):
            yield f"{at}: not"


def _plain(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    kinds = schema.get("type")
    if kinds is not None:
        wanted = [kinds] if isinstance(kinds, str) else kinds
        if not any(_TYPES[kind](value) for kind in wanted if kind in _TYPES):
            yield f"{at}: type"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: enum"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: const"
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: minLength or maxLength"
        if "pattern" in schema and not patterns.found(value, schema["pattern"]):
            yield f"{at}: pattern"
    if _TYPES["number"](value):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{at}: minimum or maximum"
        if value % schema.get("multipleOf", value or 1):
            yield f"{at}: multipleOf"
