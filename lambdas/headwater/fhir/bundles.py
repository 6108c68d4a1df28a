"""Rules of the Bundle that its elements cannot say alone: invariants bdl-1 to bdl-12 of FHIR R4 bundle.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headwater.fhir import tables

Faults = list[tuple[str, str, str]]

_TYPES = frozenset().union(*tables.codes("bundle-type").values())
_REQUESTS = frozenset({"batch", "transaction", "history"})
_RESPONSES = frozenset({"batch-response", "transaction-response", "history"})
_FIRST = {"document": ("Composition", "bdl-11"), "message": ("MessageHeader", "bdl-12")}


def scope_of(node: dict[str, Any]) -> dict[str, str]:
    """`fullUrl` of each entry → the resource type it holds; nothing where that is not certain."""
    scope: dict[str, str] = {}
    for _, entry in _entries(node):
        url = entry.get("fullUrl")
        if type(url) is str:
            kind = tables.resource_name(entry.get("resource"))
            scope[url] = kind if scope.get(url, kind) == kind else ""
    return scope


def faults(node: dict[str, Any]) -> Faults:
    kind = node.get("type")
    found: Faults = []
    if type(kind) is not str or kind not in _TYPES:
        return found  # the element's own check says so
    if "total" in node and kind not in ("searchset", "history"):
        found.append((".total", "bdl-1", "total is only for searchset and history"))
    for index, entry in _entries(node):
        found += [(f".entry[{index}]{path}", key, message) for path, key, message in _entry_faults(kind, entry)]
    if kind != "history":
        found += _repeated_urls(node)
    if kind == "document":
        found += _document_faults(node)
    if kind in _FIRST:
        found += _first_faults(node, *_FIRST[kind])
    return found


def _entry_faults(kind: str, entry: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, key, kinds in (("request", "bdl-3", _REQUESTS), ("response", "bdl-4", _RESPONSES)):
        if (name in entry) != (kind in kinds):
            verb = "needs" if kind in kinds else "must not have"
            yield (f".{name}", key, f"an entry of this type of Bundle {verb} a {name}")
    if "search" in entry and kind != "searchset":
        yield (".search", "bdl-2", "search is only for searchset")
    if "resource" not in entry and "request" not in entry and "response" not in entry:
        yield ("", "bdl-5", "expected a resource, a request or a response")
    url = entry.get("fullUrl")
    if type(url) is str and "/_history/" in url:
        yield (".fullUrl", "bdl-8", "expected a URL without a version")


def _repeated_urls(node: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    seen: set[tuple[str, str]] = set()
    for index, entry in _entries(node):
        url, resource = entry.get("fullUrl"), entry.get("resource")
        if type(url) is not str:
            continue
        meta = resource.get("meta") if type(resource) is dict else None
        key = (url, str(meta.get("versionId", "")) if type(meta) is dict else "")
        if key in seen:
            yield (
                f".entry[{index}].fullUrl",
                "bdl-7",
                "expected a fullUrl that no other entry has, or another version",
            )
        seen.add(key)


def _document_faults(node: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    identifier = node.get("identifier")
    if type(identifier) is not dict or not identifier.keys() >= {"system", "value"}:
        yield (".identifier", "bdl-9", "a document needs an identifier with a system and a value")
    if "timestamp" not in node:
        yield (".timestamp", "bdl-10", "a document needs a timestamp")


def _first_faults(node: dict[str, Any], first: str, key: str) -> Iterator[tuple[str, str, str]]:
    for index, entry in _entries(node):
        resource = entry.get("resource")
        if index == 0 and type(resource) is dict and resource.get("resourceType") == first:
            return
        break
    yield (".entry[0].resource", key, f"expected a {first} as the first resource")


def _entries(node: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    entries = node.get("entry")
    if type(entries) is list:
        yield from ((index, entry) for index, entry in enumerate(entries) if type(entry) is dict)
