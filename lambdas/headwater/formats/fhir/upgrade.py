"""Resources of older FHIR releases as R4: one table a release says what each type's elements have become.

The tables (`releases/stu3.toml`, `dstu2.toml`) follow the "R4 Diff" and conversion notes of hl7.org/fhir for the types
of US Core and Argonaut. An element without a line is the same in R4; the validator sees to the rest. A type without a
table is refused by name: half a resource would be silent loss.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from headwater.errors import Quarantine
from headwater.model import Resource

_FOLDER = Path(__file__).parent / "releases"
Table = Mapping[str, Any]


def can_upgrade(version: str) -> bool:
    return (_FOLDER / f"{version.lower()}.toml").is_file()


def upgraded(resource: Resource, version: str) -> Resource:
    """An R4 resource that says the same. Raises Quarantine('convert.fhir_version_unsupported') for a type that the
    release's table does not have."""
    tables = _tables(version)
    kind = resource["resourceType"]
    if kind not in tables:
        hint = f"{kind} of {version} has no table: name a template in feed.templates.fhir-{version.lower()}, or send R4"
        raise Quarantine("convert.fhir_version_unsupported", place=kind, hint=hint)
    made = _changed(_everywhere(resource, tables["everywhere"]), tables[kind])
    if isinstance(made.get("contained"), list):
        made["contained"] = [upgraded(one, version) if _is_resource(one) else one for one in made["contained"]]
    return made


@cache
def _tables(version: str) -> Table:
    return tomllib.loads((_FOLDER / f"{version.lower()}.toml").read_text("utf-8"))


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


# ----------------------------------------------------------------------------------------------------- in every element


def _everywhere(value: Any, rules: Table) -> Any:
    """What data types have become: references to types with another name, a name's family."""
    if isinstance(value, list):
        return [_everywhere(each, rules) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _everywhere(each, rules) for name, each in value.items()}
    reference = made.get("reference")
    if isinstance(reference, str):
        kind, slash, rest = reference.partition("/")
        made["reference"] = f"{rules['types'].get(kind, kind)}{slash}{rest}"
    if rules.get("family_is_a_list") and isinstance(made.get("family"), list):
        made["family"] = " ".join(part for part in made["family"] if isinstance(part, str))
    return made


# ------------------------------------------------------------------------------------------------------- in one element


def _changed(element: dict[str, Any], table: Table) -> dict[str, Any]:
    """An element by its table. Operations stand in the order in which they are done."""
    made = dict(element)
    for operation, change in _OPERATIONS.items():
        if operation in table:
            change(made, table[operation])
    for name, inner in table.get("each", {}).items():
        if name in made:
            made[name] = _mapped(made[name], inner)
    return made


def _mapped(value: Any, table: Table) -> Any:
    if isinstance(value, list):
        return [_changed(each, table) if isinstance(each, dict) else each for each in value]
    return _changed(value, table) if isinstance(value, dict) else value


def _type(made: dict[str, Any], name: str) -> None:
    made["resourceType"] = name


def _lift(made: dict[str, Any], rules: Mapping[str, str]) -> None:
    """`"explanation.reason" = "reasonCode"`: a member of a member, or of the first of a list of them."""
    for path, new in rules.items():
        outer, _, inner = path.partition(".")
        holder = made.get(outer)
        holder = holder[0] if isinstance(holder, list) and holder else holder
        if isinstance(holder, dict) and inner in holder:
            value = holder[inner]
            if new == outer:
                made[outer] = value
            else:
                made.setdefault(new, value)


def _rename(made: dict[str, Any], rules: Mapping[str, str]) -> None:
    for old, new in rules.items():
        for prefix in ("", "_"):
            if prefix + old in made:
                made.setdefault(prefix + new, made.pop(prefix + old))


def _code(made: dict[str, Any], rules: Mapping[str, Mapping[str, str]]) -> None:
    """Codes that are called otherwise now; an empty one is none any more."""
    for name, codes in rules.items():
        if isinstance(made.get(name), str):
            new = codes.get(made[name], made[name])
            made[name] = new
            if not new:
                del made[name]


def _when(made: dict[str, Any], rules: Sequence[Mapping[str, Any]]) -> None:
    """What a flag or a code means elsewhere: `{ has = "notDone", is = true, set = { status = "not-done" } }`."""
    for rule in rules:
        found = made.get(rule["has"])
        if found is not None and ("is" not in rule or found == rule["is"]):
            made.update(rule["set"])


def _drop(made: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        made.pop(name, None)
        made.pop(f"_{name}", None)


def _concept(made: dict[str, Any], systems: Mapping[str, str]) -> None:
    """A code of a known system as a CodeableConcept."""
    for name, system in systems.items():
        if isinstance(made.get(name), str):
            made[name] = {"coding": [{"system": system, "code": made[name]}]}


def _coding(made: dict[str, Any], systems: Mapping[str, str]) -> None:
    for name, system in systems.items():
        if isinstance(made.get(name), str):
            made[name] = {"system": system, "code": made[name]}


def _text(made: dict[str, Any], names: Sequence[str]) -> None:
    """A string as a CodeableConcept that only has text."""
    for name in names:
        if isinstance(made.get(name), str):
            made[name] = {"text": made[name]}


def _wrap(made: dict[str, Any], rules: Mapping[str, str]) -> None:
    """A value, or each of a list, as the member of an object: `performer = "actor"`; `coding[]` is a list of one."""
    for name, member in rules.items():
        if name in made:
            values = _listing(made[name])
            inner = member.removesuffix("[]")
            made[name] = [{inner: [value] if inner != member else value} for value in values]


def _unwrap(made: dict[str, Any], rules: Mapping[str, str]) -> None:
    """The opposite: each object of a list by one of its members, those without it left out."""
    for name, member in rules.items():
        values = [one[member] for one in _objects(made.get(name)) if member in one]
        if name in made:
            made[name] = values


def _uri(made: dict[str, Any], rules: Mapping[str, str]) -> None:
    """Who was named by a URI is referred to by it (R4 references.html#logical)."""
    for old, new in rules.items():
        if isinstance(made.get(old), str):
            made.setdefault(new, {"identifier": {"system": "urn:ietf:rfc:3986", "value": made[old]}})
        made.pop(old, None)


def _note(made: dict[str, Any], names: Sequence[str]) -> None:
    """Comments and notes of any shape as Annotations."""
    notes: list[Any] = []
    for name in names:
        for one in _listing(made.pop(name, None)):
            notes += [{"text": one}] if isinstance(one, str) else [one] if isinstance(one, dict) else []
    if notes:
        made["note"] = notes


def _listed(made: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if name in made and not isinstance(made[name], list):
            made[name] = [made[name]]


def _single(made: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if isinstance(made.get(name), list):
            made[name] = made[name][0] if made[name] else None


def _related(made: dict[str, Any], name: str) -> None:
    """Observation.related by its kind: has-member, and all else that a value rests on."""
    for one in _objects(made.pop(name, None)):
        if "target" in one:
            element = "hasMember" if one.get("type", "has-member") == "has-member" else "derivedFrom"
            made[element] = [*_listing(made.get(element)), one["target"]]


def _dosage(made: dict[str, Any], names: Sequence[str]) -> None:
    """Dosage: dose and rate in `doseAndRate` (R4 dosage.html)."""
    for name in names:
        for one in _objects(made.get(name)):
            moved = {key: one.pop(key) for key in _DOSES if key in one}
            if moved:
                one["doseAndRate"] = [moved]


def _listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in _listing(value) if isinstance(one, dict)]


_DOSES = ("doseRange", "doseQuantity", "rateRatio", "rateRange", "rateQuantity")
_OPERATIONS: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "type": _type,
    "lift": _lift,
    "when": _when,
    "rename": _rename,
    "code": _code,
    "drop": _drop,
    "concept": _concept,
    "coding": _coding,
    "text": _text,
    "unwrap": _unwrap,
    "uri": _uri,
    "wrap": _wrap,
    "single": _single,
    "note": _note,
    "listed": _listed,
    "related": _related,
    "dosage": _dosage,
    "set": lambda made, values: made.update({name: value for name, value in values.items() if name not in made}),
}
