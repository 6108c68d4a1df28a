"""Code maps: the CSV files of `mappings/base/codes` and of each EHR's `codes/`, as look-ups that never guess.

A file is one map. Its columns are `system,code,display,to_system,to_code,to_display,equivalence`; a row without system
is for that code in whatever system, a row that an EHR's folder has goes before the base's. `equivalence` is FHIR R4's
(ConceptMap.equivalence); `unmatched` says on purpose that there is no target, and of the code `*` that no other code
of this map needs one: a map that only knows some codes is not a list of errands. `display` is what the sender calls the
code: one that comes with the name of another code is not mapped, since one of the two is wrong.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

from headwater.errors import Quarantine
from headwater.model import Unmapped

COLUMNS = ("system", "code", "display", "to_system", "to_code", "to_display", "equivalence")
EQUIVALENCES = frozenset(
    {"", "relatedto", "equivalent", "equal", "wider", "subsumes", "narrower", "specializes", "inexact", "unmatched"}
)

# Systems whose codes are what others are mapped to: one of theirs wants no mapping.
_STANDARD = frozenset(
    {
        *("http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        *("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/cvx"),
        *("http://hl7.org/fhir/sid/ndc", "http://www.ama-assn.org/go/cpt", "http://unitsofmeasure.org"),
    }
)
_HL7 = "http://terminology.hl7.org/"
# What stands where a code should be and is free text is not for a list that many read.
_CODE = re.compile(r"[\w.\-/:+%*\[\]{}^()]{1,64}")
_LONGEST_DISPLAY = 80
_MOST_NOTED = 50_000  # of one message; where write-backs are made nobody asks for them
_GAPS = re.compile(r"[^a-z0-9]+")

Coding = dict[str, str]
Key = tuple[str, str]  # system, code
_OTHERS: Key = ("", "*")
_NO_LINE: Coding = {}
_Lines = Mapping[Key, Coding | None]
_Names = dict[str, set[str]]  # codes by what a map's lines call them, folded
Note = tuple[str, str, str, str]  # as Unmapped has it


class CodeMaps(dict[str, "CodeMap"]):
    """The maps under `folders` by name, each read when it is first asked for; the first folder has the last word.

    Raises Quarantine('convert.codes_missing' | 'convert.codes_malformed') for a map that is not there or not a map.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        self._folders = tuple(folders)
        self._noted: list[Note] = []

    def __missing__(self, name: str) -> CodeMap:
        names: _Names = {}
        layers = [layer for folder in self._folders for layer in _layers(folder, name, names)]
        if not layers:
            raise Quarantine("convert.codes_missing", place=f"codes/{name}.csv", hint="no folder has this code map")
        made = self[name] = CodeMap(name, reduce(_under, layers), names, self.note)
        return made

    def notes(self) -> int:
        """How many times a code without a target was noted since `wanted` was called."""
        return len(self._noted)

    def noted_since(self, notes: int) -> tuple[Note, ...]:
        return tuple(self._noted[notes:])

    def note(self, notes: Iterable[Note]) -> None:
        """Note codes without a target; also again, what was noted when somebody worked out what he now remembers."""
        if len(self._noted) < _MOST_NOTED:
            self._noted.extend(notes)

    def wanted(self) -> tuple[Unmapped, ...]:
        """What was noted since the last call, each once."""
        noted = tuple(Unmapped(*each) for each in dict.fromkeys(self._noted))
        self._noted.clear()
        return noted


class CodeMap:
    """One map. `get` gives the target of a line by its system, "" for any, and code."""

    __slots__ = ("_lines", "_name", "_names", "_tell", "_wanting", "get")

    def __init__(self, name: str, lines: _Lines, names: _Names, tell: Callable[[Iterable[Note]], None]) -> None:
        self._name = name
        self._lines = lines
        self._names = names
        self._tell = tell
        self._wanting = _OTHERS not in lines
        self.get = lines.get

    def find(self, code: str, system: str = "", display: str = "") -> Coding | None:
        """The target of a code as a FHIR Coding (`system`, `code`, `display` as far as known), None without one.

        `system` is the code's own system URI; a line for it goes before one for any. Case counts: mM is no mm. With a
        `display` that is another code's here there is none either, and it is noted. The Coding is the map's own: who
        gives it away gives a copy.
        """
        found = self.get((system, code), _NO_LINE)
        found = self.get(("", code)) if found is _NO_LINE else found
        if found and display and self._names and self._is_anothers(display, code):
            self._note(code, system, display)
            return None
        return found

    def _is_anothers(self, display: str, code: str) -> bool:
        codes = self._names.get(_folded(display))
        return codes is not None and code not in codes

    def want(self, code: str, system: str = "", display: str = "") -> None:
        """Note a code for which nothing was found, unless somebody said on purpose that there is nothing."""
        if not self._wanting or (system and (system in _STANDARD or system.startswith(_HL7))):
            return
        if (system, code) not in self._lines and ("", code) not in self._lines and _CODE.fullmatch(code):
            self._note(code, system, display)

    def _note(self, code: str, system: str, display: str) -> None:
        self._tell([(self._name, code, system, display[:_LONGEST_DISPLAY])])


def _folded(display: str) -> str:
    """Lower case, and one space for everything that is no letter or digit."""
    return _GAPS.sub(" ", display.casefold()).strip()


def _under(upper: _Lines, lower: _Lines) -> _Lines:
    return {**lower, **upper} if isinstance(upper, dict) and isinstance(lower, dict) else _Layers(upper, lower)


class _Layers(Mapping[Key, Coding | None]):
    """Two maps as one, when one is large; what the upper one says counts."""

    def __init__(self, upper: _Lines, lower: _Lines) -> None:
        self._upper = upper
        self._lower = lower

    def __getitem__(self, key: Key) -> Coding | None:
        return self._upper[key] if key in self._upper else self._lower[key]

    def __contains__(self, key: object) -> bool:
        return key in self._upper or key in self._lower

    def __iter__(self) -> Iterator[Key]:
        return iter({**dict.fromkeys(self._upper), **dict.fromkeys(self._lower)})

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Large(Mapping[Key, Coding | None]):
    """A map in an SQLite file, for the ones that would not fit: a look-up reads a page or two, memory stays as it is.
    `headwater codes import` writes it."""

    def __init__(self, file: Path) -> None:
        import sqlite3  # few mappings have a file that is large

        self._lines = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    def __getitem__(self, key: Key) -> Coding | None:
        row = self._lines.execute("SELECT to_system, to_code, to_display FROM map WHERE system = ? AND code = ?", key)
        found = row.fetchone()
        if found is None:
            raise KeyError(key)
        target = dict(zip(("system", "code", "display"), found, strict=True))
        return {name: value for name, value in target.items() if value} if target["code"] else None

    def __contains__(self, key: object) -> bool:
        try:
            self[key]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Key]:
        return iter(self._lines.execute("SELECT system, code FROM map"))

    def __len__(self) -> int:
        return int(self._lines.execute("SELECT count(*) FROM map").fetchone()[0])


def _layers(folder: Path, name: str, names: _Names) -> Iterator[_Lines]:
    """A folder's own lines for a map: those that people write, whose displays go to `names`, before those of a large
    file."""
    if (folder / f"{name}.csv").is_file():
        yield _rows(folder / f"{name}.csv", names)
    if (folder / f"{name}.sqlite").is_file():
        yield Large(folder / f"{name}.sqlite")


def _rows(file: Path, names: _Names) -> _Lines:
    place = "/".join(file.parts[-3:])
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            hint = f"the columns are {','.join(COLUMNS)}"
            raise Quarantine("convert.codes_malformed", place=f"{place}:1", hint=hint)
        found: dict[Key, Coding | None] = {}
        for row in reader:
            found[row["system"], row["code"]] = _target(row, f"{place}:{reader.line_num}")
            if row["display"]:
                names.setdefault(_folded(row["display"]), set()).add(row["code"])
        return found


def _target(row: Mapping[str, str | None], place: str) -> Coding | None:
    if None in row.values() or None in row or not row["code"] or row["equivalence"] not in EQUIVALENCES:
        raise Quarantine("convert.codes_malformed", place=place, hint="seven columns, a code, and R4's equivalence")
    if row["equivalence"] == "unmatched" or not row["to_code"]:
        return None
    target = {"system": row["to_system"], "code": row["to_code"], "display": row["to_display"]}
    return {name: value for name, value in target.items() if value}
