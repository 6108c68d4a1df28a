"""Contained resources: they have an id, do not nest, and something in their container refers to them.

FHIR R4 references.html#contained; invariants dom-2 to dom-5 of domainresource.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headwater.fhir import tables

Faults = list[tuple[str, str, str]]


def scope_of(node: dict[str, Any]) -> dict[str, str]:
    """`#id` of each contained resource and `#` of the container itself → resource type."""
    scope = {"#": tables.resource_name(node)}
    for _, inner in _contained(node):
        if type(inner.get("id")) is str:
            scope[f"#{inner['id']}"] = tables.resource_name(inner)
    return scope


def faults(node: dict[str, Any]) -> Faults:
    found: Faults = []
    pointers = set(_local_pointers(node))
    seen: set[str] = set()
    for index, inner in _contained(node):
        at = f".contained[{index}]"
        name = inner.get("id")
        if type(name) is not str:
            found.append((f"{at}.id", "required", "a contained resource needs an id"))
        elif name in seen:
            found.append((f"{at}.id", "contained", "expected an id that no other contained resource has"))
        elif f"#{name}" not in pointers and "#" not in _local_pointers(inner):
            found.append((at, "dom-3", "expected a reference to this contained resource from its container"))
        seen.add(str(name))
        if "contained" in inner:
            found.append((f"{at}.contained", "dom-2", "a contained resource must not contain others"))
        found += _meta_faults(at, inner.get("meta"))
    return found


def _meta_faults(at: str, meta: Any) -> Faults:
    if type(meta) is not dict:
        return []
    rules = {"versionId": "dom-4", "lastUpdated": "dom-4", "security": "dom-5"}
    return [
        (f"{at}.meta.{name}", key, f"a contained resource has no {name}") for name, key in rules.items() if name in meta
    ]


def _contained(node: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    contained = node.get("contained")
    if type(contained) is list:
        yield from ((index, inner) for index, inner in enumerate(contained) if type(inner) is dict)


def _local_pointers(node: Any) -> Iterator[str]:
    """Every text that begins with `#`: references, and canonicals, uris and urls, which may be local too."""
    for child in node.values() if type(node) is dict else node:
        if type(child) is str:
            if child[:1] == "#":
                yield child
        elif type(child) is dict or type(child) is list:
            yield from _local_pointers(child)
