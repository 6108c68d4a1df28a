"""Where an element of the result is from: which template line wrote it, and which parts of the input it depends on.

The line is known because the message is converted once by an engine that watches its templates write (`source_map`).
The input is found by trial: the message is converted again with one part changed, or removed, and an element that
comes out otherwise depends on it. That holds for whatever a template does with its input: ids that are made of it, code
maps, conditions. What it cannot see is a part whose change changes nothing here, such as a code that maps to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headwater.errors import HeadwaterError
from local.analyst.json_path import Steps, find
from local.analyst.parts import Change, Part, other, removed
from local.analyst.source_map import Name, Place

MISSING = object()
Convert = Callable[[bytes], Any]


class Input(Protocol):
    """An input whose parts can be changed."""

    parts: Sequence[Part]

    def changed(self, parts: Sequence[Part], change: Change) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """`places` wrote it; none if the pipeline made it, and `note` says how. `values` are the parts it changes with,
    `conditions` those it is only there for, `vital` those without which nothing at all is made."""

    steps: Steps
    value: Any
    places: tuple[Place, ...]
    note: str
    values: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    vital: tuple[str, ...] = ()


def explain(path: str, traced: Any, convert: Convert, source: Input | None, *, most: int = 20) -> list[Explanation]:
    """Explain each element that `path` names in `traced`, what a tracing engine made of the input; at most `most`.

    `convert` gives the same for other bytes. Raises HeadwaterError('analyst.path'), also if there is no such element.
    """
    found = find(traced, path)
    if not found:
        raise HeadwaterError("analyst.path", place=path, hint="there is no such element in what was made")
    trials = Trials(source, convert, traced) if source else None
    return [_explain(steps, value, traced, trials) for steps, value in found[:most]]


def _explain(steps: Steps, value: Any, traced: Any, trials: Trials | None) -> Explanation:
    places, note = places_of(traced, steps)
    if trials is None:
        return Explanation(steps, value, places, note)
    if trials.changes_alone(steps, value):
        return Explanation(
            steps, value, places, note or "it is another each time, whatever the input: a clock, perhaps"
        )
    values, vital = trials.search(steps, value, other)
    conditions, more = trials.search(steps, value, removed)
    vital = [*vital, *(name for name in more if name not in vital)]
    return Explanation(
        steps, value, places, note, tuple(values), tuple(n for n in conditions if n not in values), tuple(vital)
    )


# ----------------------------------------------------------------------------------------------------- which line


def places_of(document: Any, steps: Steps) -> tuple[tuple[Place, ...], str]:
    """The places that wrote the element, and what the pipeline has done to it, if anything."""
    value, name, items = document, None, list[Any]()
    for step in steps:
        if isinstance(step, str):
            name, items = next(key for key in value if key == step), []
            if not isinstance(name, Name) and value.keys() == {"reference"}:
                return _lifted(document, value["reference"])
        value = value[step]
        if isinstance(step, int):
            items.append(value)
    if isinstance(value, dict) and set(value) == {"reference"} and not any(isinstance(key, Name) for key in value):
        return _lifted(document, value["reference"])
    if not isinstance(name, Name):
        inner = _inner(value)
        return inner, "" if inner else "the pipeline made it; no template did"
    if isinstance(value, dict | list) and (inner := _inner(value)):
        return inner, ""
    for item, places in name.member.items if items else ():
        if item == items[-1]:
            return places, ""
    return name.member.places, ""


def _inner(value: Any) -> tuple[Place, ...]:
    """The places of everything in an object or list."""
    found: dict[Place, None] = {}
    if isinstance(value, dict):
        for name, member in value.items():
            found |= dict.fromkeys(name.written.places) if isinstance(name, Name) else dict.fromkeys(_inner(member))
    elif isinstance(value, list):
        for item in value:
            found |= dict.fromkeys(_inner(item))
    return tuple(found)


def _lifted(document: Any, reference: str) -> tuple[tuple[Place, ...], str]:
    """A reference that stands where a template wrote a whole resource: the places are those of its id."""
    kind, _, last = reference.rpartition("/")
    for _, resource in find(document, f"{kind}/{last}") if kind.isalpha() else ():
        name = next((key for key in resource if key == "id" and isinstance(key, Name)), None)
        if name is not None:
            return name.member.places, f"the pipeline put it where the template wrote the {kind} itself; this is its id"
    return (), "the pipeline made it; no template did"


# ---------------------------------------------------------------------------------------------------- which input


class Trials:
    """Conversions of an input with parts changed; each is made once."""

    def __init__(self, source: Input, convert: Convert, made: Any) -> None:
        self._source = source
        self._convert = convert
        self._made = made
        self._known: dict[tuple[tuple[Any, ...], Change], Any] = {}

    def changes_alone(self, steps: Steps, value: Any) -> bool:
        """Whether the element is another when nothing is changed."""
        return bool(_same_element(self._made, self._convert(self._source.changed([], other)), steps) != value)

    def search(self, steps: Steps, value: Any, change: Change) -> tuple[list[str], list[str]]:
        """The parts with which the element changes, and those whose change lets nothing be made."""
        hits, vital = list[str](), list[str]()
        for part in self._hits(self._source.parts, steps, value, change):
            made = self._try(part, change)
            (vital if made is MISSING else hits).append(part.name)
        return hits, vital

    def _hits(self, parts: Sequence[Part], steps: Steps, value: Any, change: Change) -> Iterator[Part]:
        for part in parts:
            made = self._try(part, change)
            if made is not MISSING and _same_element(self._made, made, steps) == value:
                continue
            if not part.children:
                yield part
            yield from self._hits(part.children, steps, value, change)

    def _try(self, part: Part, change: Change) -> Any:
        key = part.key, change
        if key not in self._known:
            try:
                self._known[key] = self._convert(self._source.changed([part], change))
            except HeadwaterError:
                self._known[key] = MISSING
        return self._known[key]


def _same_element(made: Any, trial: Any, steps: Steps) -> Any:
    """The same element in another result: its resource by type and id, or else as the same one of its type."""
    if steps[:1] != ("entry",) or len(steps) < 3 or steps[2] != "resource":
        return _at(trial, steps)
    resource = made["entry"][steps[1]]["resource"]
    kind = resource.get("resourceType")
    before = [entry["resource"] for entry in made["entry"] if entry["resource"].get("resourceType") == kind]
    after = [entry["resource"] for entry in trial["entry"] if entry["resource"].get("resourceType") == kind]
    number = next(place for place, each in enumerate(before) if each is resource)
    same = next((each for each in after if each.get("id") == resource.get("id")), None)
    if same is None:
        same = after[number] if number < len(after) else None
    return MISSING if same is None else _at(same, steps[3:])


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value
