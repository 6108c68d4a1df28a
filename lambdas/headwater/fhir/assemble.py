"""What a template wrote, as resources that stand alone: lifted out of one another, and the same one only once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from headwater.fhir import tables
from headwater.model import Resource


def lift(built: Sequence[Resource]) -> list[Resource]:
    """All resources flat: what a template wrote whole in the place of a reference becomes a reference and a resource.

    In a Reference that has members of its own, an extension perhaps, the resource stands as its `reference`. A lifted
    resource comes after the one it was in; one that nothing identifies is left out, and so are texts of blanks alone
    and extensions whose value the message did not have. A Provenance leaves no reference, wherever it was written:
    it is the one that points.
    """
    found: list[Resource] = []
    for resource in built:
        place = len(found)
        found.append(resource)
        found[place] = _members(resource, found)
    return found


def _members(node: Resource, found: list[Resource]) -> Resource:
    flat: Resource = {}
    for name, value in node.items():
        if value.__class__ is dict:
            value = _value(value, name, found)
            if name == "reference":  # a Reference that says more than where it points to
                value = value.get("reference") or {}
        elif value.__class__ is list:
            value = _items(value, name, found)
        elif value.__class__ is str and value.isspace():
            continue
        if value or value.__class__ not in (dict, list):
            flat[name] = value
    return flat


def _value(node: Resource, name: str, found: list[Resource]) -> Resource:
    if "resourceType" not in node or name == "contained":
        return _members(node, found)
    id_ = node.get("id")
    if not id_:
        return {}
    found.extend(lift([node]))
    return _in_its_place(node["resourceType"], id_)


def _in_its_place(kind: str, id_: str) -> Resource:
    return {"reference": f"{kind}/{id_}"} if kind != "Provenance" else {}


def _items(nodes: list[Any], name: str, found: list[Resource]) -> list[Any]:
    items = [_value(node, name, found) if node.__class__ is dict else node for node in nodes]
    if name == "extension":
        return [item for item in items if len(item) > 1]
    return [item for item in items if not (item == {} or (item.__class__ is str and item.isspace()))]


class Lifting:
    """Resources lifted out while a template builds them (`templates.lifting`): what `lift` does, without looking for
    them. It leaves blanks and empty extensions where they are; they are not valid, so whoever minds finds out.

    `begins` and `ends` enclose what is written inside of a resource. Each that stood alone is kept with those that were
    in it, in the order in which they began.
    """

    __slots__ = ("_alone", "_group", "_open")

    def __init__(self) -> None:
        self._alone: dict[int, list[Resource]] = {}  # by id() of the first
        self._group: list[Resource] = []
        self._open = 0

    def begins(self, resource: Resource) -> Resource:
        if self._open:
            self._group.append(resource)
        else:
            self._group = self._alone[id(resource)] = [resource]
        self._open += 1
        return resource

    def ends(self, resource: Resource) -> Resource:
        self._open -= 1
        if not self._open:
            return resource
        id_ = resource.get("id")
        if not id_:  # it is left out, and so are those that were in it
            del self._group[next(at for at, one in enumerate(self._group) if one is resource) :]
            return {}
        return _in_its_place(resource["resourceType"], id_)

    def pointed(self, value: Any) -> Any:
        return value.get("reference", "") if value.__class__ is dict else value

    def lifted(self, built: Sequence[Resource]) -> list[Resource]:
        """All resources flat. Those that it was not told of, because they are a text's, it looks through."""
        found: list[Resource] = []
        for resource in built:
            found += self._alone.get(id(resource)) or lift([resource])
        return found


def merge(resources: Sequence[Resource]) -> list[Resource]:
    """One resource a type and id. What is said again is united: objects by their members, lists by their items; of
    two different values the first stays, and of an element that has one of several types so does the first type."""
    merged: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        key = resource["resourceType"], resource.get("id", "")
        first = merged.setdefault(key, resource)
        if first is not resource and first != resource:  # mostly it is said once, or again in the same words
            merged[key] = _united(first, _of_the_same_types(resource, first))
    return list(merged.values())


def _of_the_same_types(resource: Resource, first: Resource) -> Resource:
    """Without each value[x] that is of another type in `first` (FHIR R4 formats.html#choice)."""
    others: set[str] = set()
    for names in _choices(resource["resourceType"]):
        if not names.isdisjoint(first):
            others |= names - first.keys()
    return {name: value for name, value in resource.items() if name not in others} if others else resource


@cache
def _choices(kind: str) -> tuple[frozenset[str], ...]:
    """Of each value[x] of a resource type, the names that it may have."""
    elements = tables.elements(kind) if kind in tables.resource_names() else ()  # validation says what is unknown
    return tuple(frozenset(element.json_names()) for element in elements if element.choice)


def _united(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        both = {**first}
        for name, value in second.items():
            if both.setdefault(name, value) != value:
                both[name] = _united(both[name], value)
        return both
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *(item for item in second if item not in first)]
    return first
