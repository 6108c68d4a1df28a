"""What a message does not speak of stays as it was (HL7 v2 ch. 2: an empty field, and a segment that is not
there, change nothing; a field of `""` deletes). A later message of the same visit makes the whole Encounter anew out of
what it says; here the rest is taken over from the version that is stored.

Which part of a message speaks of which member is data, a TOML table per resource type: `diagnosis = ["DG1"]`. A member
is an element, one within it (`period.start`), or the entries of a list that have a type or use (`participant[ATND]`,
`telecom[home]`; `[*]` are the entries of all types that are not named). Of a Patient, whom `match` keeps as each record
has it, only what is deleted is looked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
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


def deleted(
    members: Mapping[str, list[str]], speaks_of: Callable[[str], bool], deletes: Callable[[str], bool]
) -> frozenset[str]:
    """The members that a message deletes: some part says so, and none says otherwise."""
    spoken = {member: [place for place in places if speaks_of(place)] for member, places in members.items()}
    return frozenset(member for member, places in spoken.items() if places and all(map(deletes, places)))


def without(resource: Resource, members: Collection[str]) -> Resource:
    """The resource without these members; what is given is left as it is."""
    for member in members:
        path, some, _ = member.partition("[")
        gone = _get(resource, member, members) if some else []
        left = [one for one in resource.get(path, ()) if one not in gone] if some else []
        rest = {name: value for name, value in resource.items() if name != path}
        resource = {**rest, path: left} if left else rest
    return resource


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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _get(resource: Resource, member: str, members: Collection[str]) -> Any:
    path, listed, kind = member.rstrip("]").partition("[")
    found: Any = resource
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not listed:
        return found
    named = {other for other in members if other.startswith(f"{path}[")}
    return [one for one in found or () if _is_of(kind, path, one, named)]


def _is_of(kind: str, path: str, entry: Resource, named: set[str]) -> bool:
    codes = [coding.get("code") for one in _listed(entry.get("type")) for coding in one.get("coding", ())]
    codes += [entry["use"]] if "use" in entry else []
    return not any(f"{path}[{code}]" in named for code in codes) if kind == "*" else kind in codes


def _with(resource: Resource, member: str, known: Any) -> Resource:
    """A copy that has it; what is given is left as it is."""
    path, listed, _ = member.partition("[")
    name, within, rest = path.partition(".")
    if within:
        return {**resource, name: _with(resource.get(name, {}), rest, known)}
    return {**resource, name: [*resource.get(name, ()), *known] if listed else known}
