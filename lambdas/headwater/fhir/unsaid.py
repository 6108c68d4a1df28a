"""What a message does not speak of stays as it was (HL7 v2 ch. 2: an empty field, and a segment that is not
there, change nothing; a field of `""` deletes). A later message of the same visit makes the whole Encounter anew out of
what it says; here the rest is taken over from the version that is stored.

Which part of a message speaks of which member is data, a TOML table per resource type: `diagnosis = ["DG1"]`. A member
is an element, one within it (`period.start`), or the entries of a list that have a type (`participant[ATND]`; `[*]` are
the entries of all types that are not named).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from headwater.model import Resource

Policy = Mapping[str, Mapping[str, list[str]]]


def policy_of(text: str) -> Policy:
    """Resource type → member → the parts of a message that speak of it. Raises ValueError for what is no TOML."""
    return tomllib.loads(text)


def said(policy: Policy, speaks_of: Callable[[str], bool]) -> dict[str, dict[str, bool]]:
    """By type and member, whether a message speaks of it."""
    return {
        kind: {member: any(map(speaks_of, places)) for member, places in members.items()}
        for kind, members in policy.items()
    }


def members_of(resource: Resource, members: Mapping[str, object]) -> frozenset[str]:
    """Those of the members that the resource has. Names of elements and codes of types; no values."""
    return frozenset(member for member in members if _get(resource, member, members))


def completed(resource: Resource, stored: Resource, said: Mapping[str, bool]) -> Resource:
    """The resource with what is stored of the members that it does not have, and that its message did not speak of."""
    whole = resource
    for member, spoken in said.items():
        if not spoken and not _get(whole, member, said) and (known := _get(stored, member, said)):
            whole = _with(whole, member, known)
    return whole


def _get(resource: Resource, member: str, members: Mapping[str, object]) -> Any:
    path, listed, kind = member.rstrip("]").partition("[")
    found: Any = resource
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not listed:
        return found
    named = {other for other in members if other.startswith(f"{path}[")}
    return [one for one in found or () if _is_of(kind, path, one, named)]


def _is_of(kind: str, path: str, entry: Resource, named: set[str]) -> bool:
    types = entry.get("type", ())
    codes = [coding.get("code") for one in types for coding in one.get("coding", ())]
    return not any(f"{path}[{code}]" in named for code in codes) if kind == "*" else kind in codes


def _with(resource: Resource, member: str, known: Any) -> Resource:
    """A copy that has it; what is given is left as it is."""
    path, listed, _ = member.partition("[")
    name, within, rest = path.partition(".")
    if within:
        return {**resource, name: _with(resource.get(name, {}), rest, known)}
    return {**resource, name: [*resource.get(name, ()), *known] if listed else known}
