"""How complete a feed is: of the resources it becomes, how many have each element that US Core 6.1 asks for.

`us_core.toml` says what is asked; a resource is looked at once, as it is after the last message that told of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from headwater.ehrs.conditions import Condition
from headwater.model import Resource

_TABLE = Path(__file__).with_name("us_core.toml")


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a profile: required of every resource, or to be sent when it is known."""

    name: str
    condition: Condition
    required: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """A US Core profile, by the last part of its URL, and which resources it is about."""

    name: str
    type: str
    when: tuple[Condition, ...]
    elements: tuple[Element, ...]

    def is_about(self, resource: Resource) -> bool:
        return resource["resourceType"] == self.type and all(one.holds(resource) for one in self.when)


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the resources that a profile is about have an element."""

    profile: Profile
    element: Element
    have: int
    of: int

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means every one."""
        return 100 * self.have // self.of


@cache
def profiles() -> tuple[Profile, ...]:
    return tuple(_profile(name, told) for name, told in tomllib.loads(_TABLE.read_text("utf-8")).items())


def coverage(resources: Iterable[Resource]) -> Iterator[Share]:
    """The elements of every profile that some resource is asked to meet, in the table's order."""
    found = list(resources)
    for profile in profiles():
        about = [one for one in found if profile.is_about(one)]
        for element in profile.elements if about else ():
            yield Share(profile, element, sum(element.condition.holds(one) for one in about), len(about))


def outside(resources: Iterable[Resource]) -> list[Resource]:
    """Those that no profile here is about."""
    return [one for one in resources if not any(profile.is_about(one) for profile in profiles())]


def percent(shares: Sequence[Share], *, required: bool) -> int | None:
    """Of all that is asked of all resources, what is there; None if nothing is asked."""
    asked = [one for one in shares if one.element.required == required]
    return 100 * sum(one.have for one in asked) // sum(one.of for one in asked) if asked else None


def _profile(name: str, told: Mapping[str, Any]) -> Profile:
    asked = [_element(one, required=True) for one in told.get("required", ())]
    asked += [_element(one, required=False) for one in told.get("must_support", ())]
    return Profile(name, told["type"], tuple(map(_condition, told.get("when", ()))), tuple(asked))


def _element(told: str | Mapping[str, Any], *, required: bool) -> Element:
    if isinstance(told, str):
        return Element(told, Condition(told), required)
    return Element(told.get("as", told["path"]), _condition(told), required)


def _condition(told: Mapping[str, Any]) -> Condition:
    return Condition(told["path"], tuple(told.get("in", ())))
