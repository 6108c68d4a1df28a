"""Records of which it is known whose they are: read from a folder, profiled once.

A folder holds FHIR R4 Patients as NDJSON, one file a source, `truth.csv` (`record_id`, `source`, `person_id`, and where
known `household_id`, `group`, `kinds`), and, for overlays, `updates.ndjson` (`old`, `new`) with `updates_truth.csv`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.model import Resource, Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of
from headwater.persons.traits import traits_of


@dataclass(frozen=True, slots=True)
class Known:
    """A record and whose it is. `group` says what makes the person hard (twin, jr_sr, same_name_dob …), `kinds` what
    the source did to the record (nickname, dob_typo …)."""

    id: str
    source: str
    person: str
    household: str
    group: str
    kinds: frozenset[str]
    traits: Traits
    profile: Profile


@dataclass(frozen=True, slots=True)
class Update:
    """News of a record; `overlay` is "" when the person stayed, else who took the place (household, twin, stranger)."""

    old: Traits
    new: Traits
    overlay: str


def read_records(folder: Path, policy: MatchingPolicy) -> list[Known]:
    """All records of a folder in the order of its files; raises OSError, KeyError or ValueError when it is none."""
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as lines:
        truth = {row["record_id"]: row for row in csv.DictReader(lines)}
    sources = dict.fromkeys(row["source"] for row in truth.values())
    return [
        _known(patient, truth[patient["id"]], policy)
        for source in sources
        for patient in map(json.loads, (folder / f"{source}.ndjson").read_text(encoding="utf-8").splitlines())
    ]


def read_updates(folder: Path) -> Iterator[Update]:
    """The labelled updates of a folder; none when it has no such file."""
    if not (folder / "updates.ndjson").exists():
        return
    with (folder / "updates_truth.csv").open(encoding="utf-8", newline="") as labels:
        pairs = (folder / "updates.ndjson").read_text(encoding="utf-8").splitlines()
        for line, label in zip(pairs, csv.DictReader(labels), strict=True):
            pair = json.loads(line)
            overlay = label["other_kind"] if label["label"] == "overlay" else ""
            yield Update(traits_of(pair["old"]), traits_of(pair["new"]), overlay)


def _known(patient: Resource, row: dict[str, str], policy: MatchingPolicy) -> Known:
    traits = traits_of(patient)
    return Known(
        id=str(patient["id"]),
        source=row["source"],
        person=row["person_id"],
        household=row.get("household_id", ""),
        group=row.get("group", ""),
        kinds=frozenset(filter(None, row.get("kinds", "").split("|"))),
        traits=traits,
        profile=profile_of(traits, policy),
    )
