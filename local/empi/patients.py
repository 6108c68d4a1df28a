"""FHIR R4 Patients of made-up people, and the folder of them that `bench`, `match` and other engines read.

The opposite of `headwater.persons.traits`: what a source wrote down, as its interface would send it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from headwater.model import Identifier, Resource, Traits
from headwater.persons.traits import US_SSN
from local.empi.truth import Known, Update

_KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"
_TRUTH = ("record_id", "source", "person_id", "household_id", "group", "kinds")


def patient_of(traits: Traits, record_id: str) -> Resource:
    """The Patient that says what the traits say; empty elements are left out (R4 json.html: none may be empty)."""
    name = {"family": next(iter(traits.family), ""), "given": list(traits.given), "suffix": traits.suffix.split()}
    former = [{"use": "old", "family": family} for family in traits.family[1:]]
    telecom = [{"system": "phone", "value": phone} for phone in traits.phones]
    telecom += [{"system": "email", "value": email} for email in traits.emails]
    address = {
        "line": list(traits.address_lines), "city": traits.city, "state": traits.state, "postalCode": traits.postal_code
    }  # fmt: skip
    patient = {
        "resourceType": "Patient",
        "id": record_id,
        "identifier": [_identifier(one) for one in traits.identifiers],
        "name": ([stated] if (stated := _stated(name)) else []) + former,
        "telecom": telecom,
        "gender": traits.gender,
        "birthDate": traits.birth_date.isoformat() if traits.birth_date else "",
        "address": [stated] if (stated := _stated(address)) else [],
    }
    return _stated(patient)


def write_people(folder: Path, records: Iterable[Known], updates: Iterable[Update]) -> tuple[int, int]:
    """The records as a folder (`local/empi/truth.py` reads it): NDJSON by source, truth.csv, updates. Gives how many of
    both; asks for the updates when it has all records, and keeps none of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:

        def opened(name: str) -> TextIO:
            return files.enter_context((folder / name).open("w", encoding="utf-8", newline=""))

        sources: dict[str, TextIO] = {}
        table, count = csv.writer(opened("truth.csv")), 0
        table.writerow(_TRUTH)
        for one in records:
            into = sources.get(one.source) or sources.setdefault(one.source, opened(f"{one.source}.ndjson"))
            into.write(f"{json.dumps(patient_of(one.traits, one.id))}\n")
            table.writerow((one.id, one.source, one.person, one.household, one.group, "|".join(sorted(one.kinds))))
            count += 1
        pairs, labels, changed = opened("updates.ndjson"), csv.writer(opened("updates_truth.csv")), 0
        labels.writerow(("label", "other_kind"))
        for update in updates:
            pair = {"old": patient_of(update.old, "old"), "new": patient_of(update.new, "new")}
            pairs.write(f"{json.dumps(pair)}\n")
            labels.writerow(("overlay", update.overlay) if update.overlay else ("same", ""))
            changed += 1
    return count, changed


def _identifier(one: Identifier) -> Resource:
    system = US_SSN if one.kind == "SS" else one.system
    return {"type": {"coding": [{"system": _KINDS, "code": one.kind}]}, "system": system, "value": one.value}


def _stated(element: Resource) -> Resource:
    return {name: value for name, value in element.items() if value}
