"""Which US Core 6.1.0 profiles a resource conforms to: what `meta.profile` may say of it, and why not.

`us_core.json`, which `local/us_core_tables.py` makes out of HL7's package, has each profile as a tree of what it asks
beyond R4; a profile's tree is compiled to closures when a resource of its type first comes. That the resources are R4
is asked elsewhere (`fhir.validate`). Where US Core leaves something to judgement we ask for more: of an extensible
binding a code of its value set, of a reference a target in the same message that conforms as well, or an identifier
alone. So what is claimed is true, and what is not claimed may be.

NOTICE: `us_core.json` states facts of HL7's US Core Implementation Guide 6.1.0 (CC0-1.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from headwater.model import Resource

BASE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_LAST = 1 << 30
_CODED = ("Code", "Coding", "CodeableConcept", "Quantity")  # the types that a value set says something of
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

Needed = tuple[str, tuple[str, ...]]  # a reference, and the profiles one of which its target must conform to
Check = Callable[[Any, list[Needed]], bool]


class Profile(NamedTuple):
    """One profile, compiled. `bases` are those that it derives from; one that is `alone` is for what has no other;
    `is_meant` says whether it is about a resource."""

    name: str
    bases: frozenset[str]
    alone: bool
    is_meant: Callable[[Resource], bool]
    check: Check


def claim(resources: Sequence[Resource]) -> None:
    """Add to each resource's `meta.profile` those that it conforms to, the most special ones only."""
    for resource, names in zip(resources, conforming(resources), strict=True):
        if not names:
            continue
        meta = resource.get("meta") or {}
        said = (meta.get("profile") or []) if isinstance(meta, dict) else None
        if isinstance(said, list):  # of anything else `validate` says that it is no valid R4
            claimed = [BASE + name for name in names]
            resource["meta"] = {**meta, "profile": [*said, *(one for one in claimed if one not in said)]}


def conforming(resources: Sequence[Resource]) -> list[list[str]]:
    """For each resource the names of the profiles that it conforms to, without those that one of them derives from."""
    found = [_kept(resource) for resource in resources]
    _settle(resources, found)
    return [_special(each) for each in found]


def _kept(resource: Resource) -> dict[str, tuple[Profile, list[Needed]]]:
    """The profiles that a resource keeps by itself, each with what it needs of others."""
    kept: dict[str, tuple[Profile, list[Needed]]] = {}
    for profile in _candidates(resource):
        needed: list[Needed] = []
        try:
            if profile.name in kept or not profile.is_meant(resource) or not profile.check(resource, needed):
                continue
        except (AttributeError, KeyError, TypeError):  # it is no valid R4 either, which `validate` says
            continue
        kept[profile.name] = profile, needed
        for base in profile.bases:  # whose words it repeats
            kept[base] = _profile(base), needed
    return kept


def _settle(resources: Sequence[Resource], found: Sequence[dict[str, tuple[Profile, list[Needed]]]]) -> None:
    """Take away what refers to a resource that does not conform, until nothing changes."""
    by_reference = {
        f"{one['resourceType']}/{one.get('id', '')}": kept for one, kept in zip(resources, found, strict=True)
    }
    nothing: dict[str, tuple[Profile, list[Needed]]] = {}
    changed = True
    while changed:
        changed = False
        for kept in found:
            for name, (_, needed) in list(kept.items()):
                for reference, profiles in needed:
                    if by_reference.get(reference, nothing).keys().isdisjoint(profiles):
                        del kept[name]
                        changed = True
                        break


def _special(kept: dict[str, tuple[Profile, list[Needed]]]) -> list[str]:
    if len(kept) < 2:
        return list(kept)
    implied = {base for profile, _ in kept.values() for base in profile.bases}
    special = [name for name in kept if name not in implied]
    return [name for name in special if not kept[name][0].alone] or special


# ------------------------------------------------------------------------------------------------- which may it be?


def _candidates(resource: Resource) -> Iterable[Profile]:
    """Those of its type, the special ones first; of the many about one code only those about its own."""
    general, by_code = _of_type(resource["resourceType"])
    if not by_code:
        return general
    codes = [one.get("code") for one in (resource.get("code") or {}).get("coding", ())]
    return [*(profile for code in codes if code in by_code for profile in by_code[code]), *general]


@cache
def _of_type(kind: str) -> tuple[tuple[Profile, ...], Mapping[str, tuple[Profile, ...]]]:
    general: list[Profile] = []
    by_code: dict[str, tuple[Profile, ...]] = {}
    for name, told in _table()["profiles"].items():
        if told["type"] == kind:
            code = _only_code(told["node"])
            if code:
                by_code[code] = (*by_code.get(code, ()), _profile(name))
            else:
                general.append(_profile(name))
    general.sort(key=lambda profile: -len(profile.bases))
    return tuple(general), by_code


def _only_code(node: Mapping[str, Any]) -> str:
    """The code that a profile fixes for the whole resource, if it does."""
    code = node.get("members", {}).get("code", {})
    return str(code["has"]["coding"][0]["code"]) if "has" in code else ""


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("us_core.json").read_bytes())
    return table


@cache
def _profile(name: str) -> Profile:
    told = _table()["profiles"][name]
    return Profile(name, _bases(name), told.get("alone", False), _meant(told.get("when", ())), _compiled(told["node"]))


def _bases(name: str) -> frozenset[str]:
    base = _table()["profiles"][name]["base"]
    return _bases(base) | {base} if base in _table()["profiles"] else frozenset()


def _meant(when: Sequence[str]) -> Callable[[Resource], bool]:
    if not when:
        return lambda _resource: True
    if len(when) == 1:
        return lambda resource: when[0] in resource
    member, accepts = when[0], _in(when[1])
    return lambda resource: any(accepts(one) for one in resource.get(member, ()))


# ------------------------------------------------------------------------------------------------ trees to closures


def _compiled(node: Mapping[str, Any]) -> Check:
    """The check of one value of an element; how many there are is up to the object that holds them."""
    checks: list[Check] = []
    if "equals" in node:
        checks.append(_plain(_has(node["equals"])))
    if "has" in node:
        checks.append(_plain(_has(node["has"])))
    if "in" in node:
        checks.append(_plain(_in(node["in"])))
    if "extension" in node and "/" not in node["extension"]:
        checks.append(_profile(node["extension"]).check)
    checks += [_plain(RULES[key]) for key in node.get("rules", ())]
    checks += [_member(name, member) for name, member in node.get("members", {}).items()]
    if "targets" in node:
        checks.append(_target(node["targets"]))
    return _all(checks)


def _plain(test: Callable[[Any], bool]) -> Check:
    return lambda value, _needed: test(value)


def _all(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, needed: list[Needed]) -> bool:
        for one in checks:  # noqa: SIM110 - all() with a generator takes twice as long
            if not one(value, needed):
                return False
        return True

    return check


def _member(name: str, node: Mapping[str, Any]) -> Check:
    """The check of an object's member: how many there are, each of them, and its slices."""
    if name.endswith("[x]"):
        return _choice(name.removesuffix("[x]"), node)
    least, most, each = node.get("min", 0), node.get("max", _LAST), _compiled(node)
    slices = [_slice(one) for one in node.get("slices", ())]
    shadow = f"_{name}"

    def check(parent: Any, needed: list[Needed]) -> bool:
        found = parent.get(name)
        if found is None:
            return not least or shadow in parent
        values = found if found.__class__ is list else (found,)
        if not least <= len(values) <= most:
            return False
        for value in values:
            if not each(value, needed):
                return False
        for one in slices:  # noqa: SIM110
            if not one(values, needed):
                return False
        return True

    return check


def _slice(node: Mapping[str, Any]) -> Check:
    """The check of the values of an element that are of one slice."""
    least, most, each, match = node.get("min", 0), node.get("max", _LAST), _compiled(node), node["match"]
    is_one = _in(match["in"]) if match.keys() == {"in"} else _has(match)

    def check(values: Any, needed: list[Needed]) -> bool:
        ours = [value for value in values if is_one(value)]
        return least <= len(ours) <= most and all(each(value, needed) for value in ours)

    return check


def _choice(stem: str, node: Mapping[str, Any]) -> Check:
    """`value[x]`: the member that is there, whatever its type; slices are types with more to say."""
    allowed = frozenset(stem + kind[0].upper() + kind[1:] for kind in node.get("types", ()))
    special = {one["match"]: _compiled(one) for one in node.get("slices", ())}
    needs = [one["match"] for one in node.get("slices", ()) if one.get("min")]
    least, most, width = node.get("min", 0), node.get("max", 1), len(stem)
    coded, uncoded = _compiled(node), _compiled({name: value for name, value in node.items() if name != "in"})

    def check(parent: Any, needed: list[Needed]) -> bool:
        for name, value in parent.items():
            if name.startswith(stem) and name[width : width + 1].isupper():
                if not most or (allowed and name not in allowed) or (needs and name not in needs):
                    return False
                each = coded if name.endswith(_CODED) else uncoded
                return each(value, needed) and (name not in special or special[name](value, needed))
        return not least and not needs

    return check


def _target(targets: Sequence[str]) -> Check:
    """The check of a Reference: `targets` are profiles' names, or types of which any resource will do."""
    profiles = _table()["profiles"]
    allowed: dict[str, tuple[str, ...]] = {one: () for one in targets if one not in profiles}
    for one in targets:
        if one in profiles and allowed.get(profiles[one]["type"]) != ():
            allowed[profiles[one]["type"]] = (*allowed.get(profiles[one]["type"], ()), one)

    def check(value: Any, needed: list[Needed]) -> bool:
        if value.__class__ is not dict:  # `reportedBoolean`, where a Reference may be
            return True
        reference = value.get("reference")
        if reference is None:
            return "type" not in value or value["type"] in allowed
        accepted = allowed.get(reference.partition("/")[0])
        if accepted:
            needed.append((reference, accepted))
        return accepted is not None

    return check


def _has(pattern: Any) -> Callable[[Any], bool]:
    """Whether a value has all that a pattern has (R4 elementdefinition.html#pattern)."""
    match pattern:  # what most slices are told by, without a call for each part
        case {"coding": [{"system": system, "code": code, **more}]} if not more and len(pattern) == 1:
            return lambda value: _is_coded(value, system, code)
        case {"url": str(url)} if len(pattern) == 1:
            return lambda value: bool(value["url"] == url)
    if isinstance(pattern, dict):
        members = [(name, _has(value)) for name, value in pattern.items()]
        return lambda value: (
            value.__class__ is dict and all(name in value and has(value[name]) for name, has in members)
        )
    if isinstance(pattern, list):
        wanted = [_has(one) for one in pattern]
        return lambda value: value.__class__ is list and all(any(has(item) for item in value) for has in wanted)
    return lambda value: bool(value == pattern)


def _is_coded(concept: Any, system: str, code: str) -> bool:
    for one in concept.get("coding", ()):  # noqa: SIM110
        if one.get("code") == code and one.get("system") == system:
            return True
    return False


def _in(value_set: str) -> Callable[[Any], bool]:
    """Whether a CodeableConcept, Coding, Quantity or code is of a value set."""
    systems = {system: frozenset(codes) for system, codes in _table()["codes"][value_set].items()}
    every = frozenset().union(*systems.values())

    def coded(value: Mapping[str, Any]) -> bool:
        codes = systems.get(value.get("system", ""))
        return codes is not None and "code" in value and (not codes or value["code"] in codes)

    def test(value: Any) -> bool:
        if value.__class__ is str:
            return value in every
        return any(map(coded, value["coding"])) if "coding" in value else coded(value)

    return test


# ------------------------------------------------------------------------------------------------------- invariants


def _exists(value: Mapping[str, Any], stem: str) -> bool:
    """`stem[x]` is there."""
    return any(name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper() for name in value)


_TOLD = frozenset({"partial", "preliminary", "final", "amended", "corrected", "appended"})
_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_NPI = "http://hl7.org/fhir/sid/us-npi"


def _is_npi(value: Any) -> bool:
    """Ten digits of which the last checks the others (Luhn, after the prefix 80840 that stands for the US)."""
    number = value.get("value", "")
    if not re.fullmatch(r"\d{10}", number, re.ASCII):
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[0::2]]
    return (24 + sum(doubled) + sum(map(int, number[1::2]))) % 10 == 0


def _has_result(value: Any) -> bool:
    told = "component" in value or "hasMember" in value or "dataAbsentReason" in value
    return told or _exists(value, "value")


def _is_member(value: Any) -> bool:
    codings = (one for each in value.get("identifier", ()) for one in each.get("type", {}).get("coding", ()))
    return "subscriberId" in value or any(
        one.get("code") == "MB" and one.get("system") == "http://terminology.hl7.org/CodeSystem/v2-0203"
        for one in codings
    )


def _is_on_behalf(value: Any) -> bool:
    return "onBehalfOf" in value or not value.get("who", {}).get("reference", "").startswith(
        ("Practitioner/", "Device/")
    )


def _is_named(value: Any) -> bool:
    absent = any(one.get("url") == _ABSENT for one in value.get("extension", ()))
    return ("family" in value or "given" in value) is not absent


def _to_the_day(value: Any) -> bool:
    return value.__class__ is not str or len(value) >= 10


def _in_ucum(value: Any) -> bool:
    quantity = value.get("valueQuantity", {}) if value.__class__ is dict and "resourceType" in value else value
    return (
        quantity.__class__ is not dict
        or quantity.get("system", "http://unitsofmeasure.org") == "http://unitsofmeasure.org"
    )


# US Core's invariants of severity error, and those of R4's vital signs, by key; their words are in the guide.
RULES: Mapping[str, Callable[[Any], bool]] = {
    "pd-1": lambda value: "telecom" in value or "endpoint" in value,
    "provenance-1": _is_on_behalf,
    "us-core-1": _to_the_day,
    "us-core-2": _has_result,
    "us-core-3": _in_ucum,
    "us-core-6": _is_named,
    "us-core-6-attachment": lambda value: "url" in value or "data" in value,
    "us-core-7": lambda value: value["status"] not in ("completed", "in-progress") or _exists(value, "performed"),
    "us-core-8": lambda value: value["status"] not in _TOLD or _exists(value, "effective"),
    "us-core-9": lambda value: value["status"] not in _TOLD or "issued" in value,
    "us-core-10": lambda value: value["status"] not in _TOLD or _exists(value, "effective"),
    "us-core-13": lambda value: (
        not value.keys().isdisjoint(("practitioner", "organization", "healthcareService", "location"))
    ),
    "us-core-14": lambda value: "name" in value or "relationship" in value,
    "us-core-15": _is_member,
    "us-core-16": lambda value: (
        value.get("system") != _NPI or bool(re.fullmatch(r"\d{10}", value.get("value", ""), re.ASCII))
    ),
    "us-core-17": lambda value: value.get("system") != _NPI or _is_npi(value),
    "us-core-18": lambda value: bool(re.fullmatch(r"\d{2}D\d{7}", value.get("value", ""), re.ASCII)),
    "us-core-19": lambda value: bool(re.fullmatch(r"\d{5}", value.get("value", ""), re.ASCII)),
    "us-core-20": lambda value: value["status"] != "completed" or "whenHandedOver" in value,
    "us-core-21": lambda value: value["intent"] not in _ORDERS or "requester" in value,
    "vs-1": _to_the_day,
    "vs-2": _has_result,
    "vs-3": lambda value: "dataAbsentReason" in value or _exists(value, "value"),
}
