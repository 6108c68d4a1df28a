"""ehr.toml and rules.toml against their JSON Schemas, each fault with its line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from local.analyst.lint import Finding

_FILES = {"ehr.toml": "ehr.schema.json", "outbound/rules.toml": "ehr-rules.schema.json"}
_SYNTAX_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def schema_findings(top: Path, own: Path) -> Iterator[Finding]:
    """The findings in the TOML files of one EHR's folder."""
    from local.analyst.lint import ERROR, Finding

    for name, schema in _FILES.items():
        file = own / name
        if not file.is_file():
            continue
        place, text = file.relative_to(top).as_posix(), file.read_text("utf-8")
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _SYNTAX_PLACE.search(str(error))
            line, column = found.groups() if found else ("1", "1")
            yield Finding(f"{place}:{line}:{column}", ERROR, "lint.toml", _SYNTAX_PLACE.sub("", str(error)).strip())
            continue
        validator = Draft202012Validator(json.loads((top / schema).read_text("utf-8")))
        for fault in validator.iter_errors(table):
            line, column = line_of(text, list(fault.absolute_path), _named(fault))
            yield Finding(f"{place}:{line}:{column}", ERROR, "lint.schema", f"{_path(fault)}{fault.message}")


def place_in_toml(top: Path, place: str) -> str:
    """`ehrs/x/ehr.toml: feed.time_zone`, as errors name it, with line and column."""
    name, _, key = place.partition(": ")
    file = top / name
    if not key or not file.is_file():
        return place
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[\w-]+", key)]
    line, column = line_of(file.read_text("utf-8"), steps)
    return f"{name}:{line}:{column}"


def _path(fault: Any) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.absolute_path)
    return f"{path.lstrip('.')}: " if path else ""


def _named(fault: Any) -> str:
    """The key that is not allowed there, if that is the fault."""
    found = re.search(r"\('([^']+)' (?:was|were) unexpected|\('([^']+)',", fault.message)
    return (found[1] or found[2]) if found and fault.validator == "additionalProperties" else ""


def line_of(text: str, path: Sequence[str | int], extra: str = "") -> tuple[int, int]:
    """Line and column, from 1, of the key that a path leads to, or of the last of its tables that is written out.

    TOML parsers keep no places; headers and keys are looked for in the order of the path.
    """
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    names = [str(step) for step in path if isinstance(step, str)] + ([extra] if extra else [])
    numbers = {tuple(str(s) for s in path[:at] if isinstance(s, str)): step for at, step in _indexes(path)}
    best, depth = (1, 1), 0
    in_item = True
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[(\[?)\s*([^\]]+?)\s*\]", line)
        if header:
            table = tuple(
                part.strip().strip("'\"") for part in re.split(r"\.(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", header[2])
            )
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
            in_item = all(counts.get(key, index) == index for key, index in numbers.items() if key == table[: len(key)])
            if in_item and list(table) == names[: len(table)] and len(table) > depth:
                best, depth = (number, line.index("[") + 1), len(table)
            continue
        key = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if key and in_item:
            full = [*table, *(part.strip("'\"") for part in key[1].split("."))]
            if full == names[: len(full)] and len(full) > depth:
                best, depth = (number, line.index(key[1]) + 1), len(full)
    return best


def _indexes(path: Sequence[str | int]) -> Iterator[tuple[int, int]]:
    return ((at, step) for at, step in enumerate(path) if isinstance(step, int))
