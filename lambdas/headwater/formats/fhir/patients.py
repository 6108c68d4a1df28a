"""A delivery about several patients as one Bundle for each: a message is about one.

What refers to a patient is that patient's, directly or by what it refers to; what refers to none (a practitioner, an
organization) goes along with everyone who refers to it. What belongs to nobody here, or to several at once, becomes a
Bundle without a patient, so that it is set aside and seen instead of lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from headwater.errors import Quarantine
from headwater.formats.fhir.bundle import Packed
from headwater.model import Resource

_LARGEST = 256 * 1024 * 1024  # bytes of all Bundles of a delivery


def split_by_patient(packed: Packed) -> list[bytes]:
    """A Bundle of type collection for each patient, in order, and one for what is left over, if anything is.

    Raises Quarantine('convert.too_large') where what many patients share would be written too many times.
    """
    entries = packed.entries
    refers = _links(entries)
    patients = [at for at, (_, resource) in enumerate(entries) if resource["resourceType"] == "Patient"]
    owner = _owners(refers, patients)
    own: dict[int, set[int]] = {patient: {patient} for patient in patients}
    for at, whose in enumerate(owner):
        if len(whose) == 1:
            own[next(iter(whose))].add(at)
    parts = [sorted(part | _along(part, refers, owner)) for part in own.values()]
    placed = {at for part in parts for at in part}
    left = [at for at in range(len(entries)) if at not in placed]
    bundles, room = [], _LARGEST
    for part in (*parts, left) if left else parts:
        bundles.append(_bundle([entries[at] for at in part], packed.timestamp))
        room -= len(bundles[-1])
        if room < 0:
            hint = f"cut by patient it is more than {_LARGEST} bytes: send fewer patients at once"
            raise Quarantine("convert.too_large", place="Bundle", hint=hint)
    return bundles


def _links(entries: Sequence[tuple[str, Resource]]) -> list[set[int]]:
    """For each entry the places of those it refers to."""
    names: dict[str, int] = {}
    for at, (full_url, resource) in enumerate(entries):
        for name in (f"{resource['resourceType']}/{resource.get('id', '')}", full_url):
            names.setdefault(name, at)
    return [
        {names[name] for name in _references(resource) if name in names} - {at}
        for at, (_, resource) in enumerate(entries)
    ]


def _references(resource: Any) -> Iterator[str]:
    waiting = [resource]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            reference = node.get("reference")
            if isinstance(reference, str):
                yield reference.partition("/_history/")[0]
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _owners(refers: Sequence[set[int]], patients: Sequence[int]) -> list[set[int]]:
    """The patients that each entry is about: those it names, else those that what it names is about. Of many, two."""
    referred: list[list[int]] = [[] for _ in refers]
    for at, others in enumerate(refers):
        for other in others:
            referred[other].append(at)
    owner: list[set[int]] = [set() for _ in refers]
    for patient in patients:
        owner[patient] = {patient}
    level = set(patients)
    known = set(level)
    while level:
        further = {at for other in level for at in referred[other]} - known
        for at in further:
            owner[at] = set(sorted(set().union(*(owner[other] for other in refers[at] & level)))[:2])
        known |= further
        level = further
    return owner


def _along(part: set[int], refers: Sequence[set[int]], owner: Sequence[set[int]]) -> set[int]:
    """What belongs to no patient and is referred to from `part`, near or far."""
    found: set[int] = set()
    level = part
    while level:
        level = {other for at in level for other in refers[at] if not owner[other]} - found
        found |= level
    return found


def _bundle(entries: Sequence[tuple[str, Resource]], timestamp: str) -> bytes:
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "type": "collection",
            **({"timestamp": timestamp} if timestamp else {}),
            "entry": [{**({"fullUrl": url} if url else {}), "resource": resource} for url, resource in entries],
        }
    )
