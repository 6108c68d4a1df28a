"""Code maps: the CSV files of `mappings/base/codes` and of each EHR's `codes/`, as look-ups that never guess.

A file is one map. Its columns are `system,code,display,to_system,to_code,to_display,equivalence`; a row without system
is for that code in whatever system, a row that an EHR's folder has goes before the base's. `equivalence` is FHIR R4's
(ConceptMap.equivalence); `unmatched` says on purpose that there is no target.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from headwater.errors import Quarantine

COLUMNS = ("system", "code", "display", "to_system", "to_code", "to_display", "equivalence")
_EQUIVALENCES = frozenset(
    {"", "relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact", "unmatched"}
)

Coding = dict[str, str]
_Map = Mapping[tuple[str, str], Coding | None]


class CodeMaps:
    """The maps under `folders`, each read when it is first asked for; the first folder has the last word."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._maps: dict[str, _Map] = {}

    def find(self, name: str, code: str, system: str = "") -> Coding | None:
        """The target of a code as a FHIR Coding (`system`, `code`, `display` as far as known), None without one.

        `system` is the code's own system URI. Case counts: mM is no mm. Raises Quarantine('convert.codes_missing' |
        'convert.codes_malformed') for a map that is not there or not a map.
        """
        found = self._maps.get(name)
        if found is None:
            found = self._maps[name] = self._read(name)
        return found[system, code] if (system, code) in found else found.get(("", code))

    def _read(self, name: str) -> _Map:
        files = [folder / f"{name}.csv" for folder in self._folders]
        present = [file for file in files if file.is_file()]
        if not present:
            raise Quarantine("convert.codes_missing", place=f"codes/{name}.csv", hint="no folder has this code map")
        found: dict[tuple[str, str], Coding | None] = {}
        for file in reversed(present):
            found |= _rows(file)
        return found


def _rows(file: Path) -> _Map:
    place = "/".join(file.parts[-3:])
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            hint = f"the columns are {','.join(COLUMNS)}"
            raise Quarantine("convert.codes_malformed", place=f"{place}:1", hint=hint)
        return {(row["system"], row["code"]): _target(row, f"{place}:{reader.line_num}") for row in reader}


def _target(row: Mapping[str, str | None], place: str) -> Coding | None:
    if None in row.values() or None in row or not row["code"] or row["equivalence"] not in _EQUIVALENCES:
        raise Quarantine("convert.codes_malformed", place=place, hint="seven columns, a code, and R4's equivalence")
    if row["equivalence"] == "unmatched" or not row["to_code"]:
        return None
    target = {"system": row["to_system"], "code": row["to_code"], "display": row["to_display"]}
    return {name: value for name, value in target.items() if value}
