"""Code maps as files: read from FHIR ConceptMaps and CSV, written as CSV, or as SQLite where they are large."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from headwater.formats.codes import COLUMNS, EQUIVALENCES

LARGE = 20_000  # lines; a CSV of so many takes 5 MB of a Lambda's memory and 50 ms of its first message
_CREATE = f"CREATE TABLE IF NOT EXISTS map ({', '.join(COLUMNS)}, PRIMARY KEY (system, code)) WITHOUT ROWID"

Line = tuple[str, ...]  # as COLUMNS


class Lines(dict[tuple[str, str], Line]):
    """The lines of one file, by system and code."""

    @classmethod
    def of(cls, file: Path) -> Lines:
        if file.suffix == ".sqlite":
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as found:
                return cls(
                    {(line[0], line[1]): line for line in found.execute(f"SELECT {', '.join(COLUMNS)} FROM map")}
                )
        return cls({(line[0], line[1]): line for line in from_csv(file)}) if file.is_file() else cls()


def from_csv(file: Path) -> Iterator[Line]:
    """The lines of a code map, columns by name; others (`ehr`, `map`, `times` of the work list) are left out. Raises
    ValueError naming the line."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"line 1: there is no column {', '.join(sorted(missing))}")
        for row in reader:
            line = tuple((row[name] or "").strip() for name in COLUMNS)
            if not line[1] or line[-1] not in EQUIVALENCES:
                raise ValueError(f"line {reader.line_num}: a code, and an equivalence of R4, are needed")
            if line[4] or line[-1] == "unmatched":  # else nobody has filled it in yet
                yield line


def from_concept_map(file: Path) -> Iterator[Line]:
    """The elements of a FHIR R4 ConceptMap that have a target, or are said to have none. Raises ValueError."""
    told = json.loads(file.read_text("utf-8"))
    if not isinstance(told, dict) or told.get("resourceType") != "ConceptMap":
        raise ValueError("a FHIR ConceptMap was expected")
    for group in told.get("group", []):
        for element in group.get("element", []):
            yield from _element(group, element)


def _element(group: dict[str, Any], element: dict[str, Any]) -> Iterator[Line]:
    source = group.get("source", ""), element.get("code", ""), element.get("display", "")
    targets = element.get("target", [])
    # The best of several: a code map has one target a code, and which one was meant is the map's first.
    for target in targets[:1]:
        equivalence = target.get("equivalence", "")
        if equivalence not in EQUIVALENCES and equivalence != "disjoint":
            raise ValueError(f"element {element.get('code')}: '{equivalence}' is no equivalence of R4")
        if equivalence in ("unmatched", "disjoint"):
            yield (*source, "", "", "", "unmatched")
        elif target.get("code"):
            yield (*source, group.get("target", ""), target["code"], target.get("display", ""), equivalence)


def write(lines: Iterable[Line], folder: Path, name: str) -> tuple[Path, int, int]:
    """Put lines into a folder's map; gives the file, how many lines they replaced, and how many there are now. A map
    that has become large goes on as SQLite, in a file that is there whole or not at all."""
    plain, large = folder / f"{name}.csv", folder / f"{name}.sqlite"
    known = Lines({**Lines.of(large), **Lines.of(plain)}) if large.is_file() else Lines.of(plain)
    new = Lines({(line[0], line[1]): line for line in lines})
    if not new:
        raise ValueError("there is no line with a target in it")
    replaced = len(known.keys() & new.keys())
    known.update(new)
    folder.mkdir(parents=True, exist_ok=True)
    file = large if len(known) > LARGE else plain
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    (_write_sqlite if file == large else _write_csv)(known, temporary)
    temporary.replace(file)
    if file == large:
        plain.unlink(missing_ok=True)
    return file, replaced, len(known)


def _write_csv(lines: Lines, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines.values())


def _write_sqlite(lines: Lines, file: Path) -> None:
    made = sqlite3.connect(file)
    made.execute(_CREATE)
    made.executemany(f"INSERT INTO map VALUES ({', '.join('?' * len(COLUMNS))})", sorted(lines.values()))
    made.commit()
    made.close()
