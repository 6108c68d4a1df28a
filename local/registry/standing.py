"""Where Headwater stands with an EHR: what may be read and written, why not, and what a person must look at first."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from headwater.ehrs import Confidence, Ehr, Operation, Precondition, Published, WriteSurface, load
from headwater.ehrs.profile import UNDECLARED
from headwater.errors import HeadwaterError

_EXAMPLE = ".example.org/"


@dataclass(frozen=True, slots=True)
class Write:
    """One resource type and operation, whether it may be made, and the reason or the source."""

    resource_type: str
    operation: str
    allowed: bool
    why: str


def writes(ehr: Ehr) -> tuple[Write, ...]:
    """What `[write.…]` allows, then what the product is said to take and is refused all the same."""
    allowed = [
        Write(resource_type, what, True, f"{one.confidence}: {one.source}")
        for resource_type, what, one in _operations(ehr)
    ]
    known = {(one.resource_type, one.operation) for one in allowed}
    said = ehr.published
    declared = [(one, "create") for one in said.creates] + [(one, "update") for one in said.updates] if said else []
    declared += [(one, "create") for one in ehr.refused if one != "any" and (one, "create") not in declared]
    missing = [(one, what) for one, what in declared if (one, what) not in known]
    return (*allowed, *(Write(one, what, False, _why_refused(ehr, one, what)) for one, what in missing))


def _operations(ehr: Ehr) -> Iterator[tuple[str, str, Operation]]:
    for resource_type, operations in ehr.write.items():
        if operations.create:
            yield resource_type, "create", operations.create
        if operations.update:
            yield resource_type, "update", operations.update


def _why_refused(ehr: Ehr, resource_type: str, what: str) -> str:
    if why := ehr.refused.get(resource_type) or ehr.refused.get("any"):
        return why
    if what == "update" and (ehr.api is None or ehr.api.precondition is Precondition.NONE):
        return "declared by the product; no precondition is known that would rule out a lost update"
    return "declared by the product, but nobody has written a [write] table and a template for it"


def why_not_written(ehr: Ehr) -> str:
    """Why this EHR cannot be written to at all; empty when something may be."""
    if ehr.write and ehr.patient.identifier_system:
        return ""
    if ehr.write:
        return "patient.identifier_system is missing: whose patient it is could not be found"
    said = ehr.published
    if said is None:
        return "no [write.…] table: what is not known is refused"
    if said.write is WriteSurface.DECLARED:
        why = ehr.refused.get("any") or f"no [write.…] table says how: {said.why}"
        return f"declared ({_some(said)}), but {why}"
    return f"{said.write}: {ehr.refused.get('any') or said.why}"


def _some(said: Published) -> str:
    types = dict.fromkeys((*said.creates, *said.updates))
    shown = ", ".join(list(types)[:3])
    return f"{shown} and {len(types) - 3} more types" if len(types) > 3 else shown or "operations"


def why_not_read(ehr: Ehr) -> str:
    """What its feed still needs; empty when messages of it can be read as they are."""
    if ehr.feed is UNDECLARED:
        return "no [feed]: its messages are set aside (accept.feed_undeclared) until it says time zone and authorities"
    return "" if ehr.feed.authorities else "[feed] names no assigning authorities: ids would have no system"


def to_check(ehr: Ehr) -> Iterator[str]:
    """What a person must look at before a site of this EHR goes live, the most dangerous first."""
    for resource_type, what, one in _operations(ehr):
        place = f"write.{resource_type}.{what}"
        yield from (f"{place}.{key} is assumed: no source states it" for key in one.assumed)
        if one.confidence != Confidence.HIGH:
            yield f"{place} rests on {one.confidence} confidence: {one.source}"
        if not one.marker:
            yield f"{place} has no marker: our row is told from another's by patient, code, time and value alone"
    if ehr.write and ehr.api:
        yield "api.scopes and api.auth: what this customer has granted and enabled, by its CapabilityStatement"
    if _EXAMPLE in ehr.patient.identifier_system:
        yield "patient.identifier_system is an example: every site has its own"
    if not ehr.patient.identifier_system:
        yield "patient.identifier_system is missing: it is the site's own MRN system"
    if any(_EXAMPLE in system for system in ehr.feed.authorities.values()):
        yield "feed.authorities are examples: every site has its own"
    if why := why_not_read(ehr):
        yield why
    if ehr.feed is not UNDECLARED:
        yield f"feed.time_zone is {ehr.feed.time_zone}: is that where the site is?"
    if ehr.published:
        yield from (f"published address: {flag.replace('-', ' ')}" for flag in ehr.published.flags)
        yield from _unknown_facts(ehr.published)


def _unknown_facts(said: Published) -> Iterator[str]:
    unknown = [fact.about for fact in said.facts if fact.confidence is Confidence.UNKNOWN]
    if unknown:
        yield f"not known of the product: {', '.join(unknown)}"


def slips(mappings: Path, name: str) -> list[str]:
    """What is wrong with a folder: by the schemas, then by the loader that the Lambdas use. Empty when it is sound."""
    found = []
    for schema, file in (("ehr", "ehr.toml"), ("ehr-rules", "outbound/rules.toml")):
        path = mappings / "ehrs" / name / file
        if not path.is_file():
            found += [f"ehrs/{name}/{file} is missing"] if schema == "ehr" else []
            continue
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
            found.append(f"ehrs/{name}/{file}: {broken}")
            continue
        for error in _validator(mappings, schema).iter_errors(table):
            found.append(f"ehrs/{name}/{file}: {'.'.join(map(str, error.absolute_path)) or 'top'}: {_said(error)}")
    if not found:
        try:
            load(mappings)[name]
        except HeadwaterError as slip:
            found.append(f"{slip.place}: {slip.hint} ({slip.code})")
    return found


def _said(error: Any) -> str:
    """jsonschema repeats whole tables and patterns; a person needs the first words, or what the schema says it is."""
    if error.validator == "pattern":
        return f"{error.instance!r} is not {error.schema.get('description', 'as the schema wants it')}"
    return str(error.message)[:200]


@cache
def _validator(mappings: Path, schema: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads((mappings / f"{schema}.schema.json").read_text(encoding="utf-8")))
