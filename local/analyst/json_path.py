"""The JSONPath that `--explain` takes: RFC 9535's names, indexes, wildcards and descendants; no filters.

A path may also begin with a resource type, as in the validator's messages: `Patient.name[0].family`,
`Observation[2].valueQuantity`, `Observation/<id>.code`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from headwater.errors import HeadwaterError

Steps = tuple[str | int, ...]
_STEP = re.compile(
    r"\.\.(?P<deep>[\w-]+)|\.?\[(?:(?P<index>\d+)|(?P<all>\*)|(['\"])(?P<quoted>.*?)\4)\]|\.(?P<name>[\w-]+|\*)"
)
_RESOURCE = re.compile(r"(?P<type>[A-Z]\w*)(?:/(?P<id>[\w.-]+)|\[(?P<number>\d+)\])?")


def find(document: Any, path: str) -> list[tuple[Steps, Any]]:
    """The elements of a Bundle (or resource) that a path names, with the steps that lead to each.

    Raises HeadwaterError('analyst.path').
    """
    found, position = [(Steps(), document)], 0
    if path.startswith("$"):
        position = 1
    elif match := _RESOURCE.match(path):
        found, position = list(_resources(document, match)), match.end()
    else:
        path = f".{path}"
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            hint = "a path is $ or a resource type, then .name, [0], [*] or ..name"
            raise HeadwaterError("analyst.path", place=f"column {position + 1}", hint=hint)
        found = [one for steps, value in found for one in _next(steps, value, step)]
        position = step.end()
    return found


def written(steps: Steps) -> str:
    """Steps as JSONPath."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _resources(document: Any, match: re.Match[str]) -> Iterator[tuple[Steps, Any]]:
    places: list[tuple[Steps, Any]]
    if document.get("resourceType") == "Bundle":
        entries = enumerate(document.get("entry", []))
        places = [(("entry", number, "resource"), entry.get("resource", {})) for number, entry in entries]
    else:
        places = [((), document)]
    places = [place for place in places if place[1].get("resourceType") == match["type"]]
    if match["id"]:
        places = [place for place in places if place[1].get("id") == match["id"]]
    if match["number"]:
        number = int(match["number"])
        places = places[number : number + 1]
    yield from places


def _next(steps: Steps, value: Any, step: re.Match[str]) -> Iterator[tuple[Steps, Any]]:
    if step["deep"]:
        yield from _deep(steps, value, step["deep"])
    elif step["all"] or step["name"] == "*":
        yield from _children(steps, value)
    elif step["index"]:
        index = int(step["index"])
        if isinstance(value, list) and index < len(value):
            yield (*steps, index), value[index]
    else:
        name = step["name"] or step["quoted"]
        if isinstance(value, dict) and name in value:
            yield (*steps, name), value[name]


def _deep(steps: Steps, value: Any, name: str) -> Iterator[tuple[Steps, Any]]:
    for inner, child in _children(steps, value):
        if inner[-1] == name:
            yield inner, child
        yield from _deep(inner, child, name)


def _children(steps: Steps, value: Any) -> Iterator[tuple[Steps, Any]]:
    if isinstance(value, dict):
        yield from (((*steps, name), child) for name, child in value.items())
    elif isinstance(value, list):
        yield from (((*steps, number), child) for number, child in enumerate(value))
