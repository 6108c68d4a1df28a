"""Faults of mappings that can be found without a message: in templates, code maps, ehr.toml and rules.

Each finding has a place in a file. Templates are read from those that a message or a write begins with, each in the
modes in which it is included; what nothing leads to is found on the way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr
from headwater.ehrs.engines import template_folders
from headwater.errors import HeadwaterError
from headwater.formats.codes import COLUMNS, CodeMaps
from headwater.templates import nodes
from headwater.templates.compiler import VALUE
from headwater.templates.engine import Engine
from headwater.templates.errors import TemplateError
from headwater.templates.lexer import Lines
from local.analyst.collection import Collection
from local.analyst.imports import FOLDER, every, inspect
from local.analyst.mappings import PLAIN, Mappings

ERROR, WARNING = "error", "warning"
READ = "read"  # instead of a mode: what a faulty template includes is only read
# What a message begins with: by its type, its document's name, or as the feed says.
_ROOT = re.compile(r"(?:hl7v2/(?:[A-Z]{3}_[A-Z]\w\w|ACK)|outbound/[\w-]+|ccda/[A-Z][\w-]*|(?:csv|json)/[\w-]+)\Z")
_MAPPED_BY = frozenset({"code", "codings", "coding"})  # filters whose first argument is a code map


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`place` is `path:line:column`, or less where there is no more to say; the path is from the mapping folder."""

    place: str
    severity: str
    code: str
    hint: str


def lint(mappings: Path, folder: Path) -> list[Finding]:
    """Everything wrong under `folder`: all of `mappings`, its base, or one EHR's folder.

    Raises HeadwaterError('analyst.folder') if it is not a part of `mappings`.
    """
    top, part = mappings.resolve(), folder.resolve()
    if not part.is_dir() or not part.is_relative_to(top):
        raise HeadwaterError("analyst.folder", place=str(folder), hint=f"name a folder of {mappings}")
    known = Mappings(mappings)
    names = [name for name in known.ehrs if part == top or (top / "ehrs" / name).is_relative_to(part)]
    names += [part.name] if part.parent == top / "ehrs" and part.name not in names else []
    found: dict[Finding, None] = {}
    if part == top or part.is_relative_to(top / "base"):
        found |= dict.fromkeys(_templates(known, PLAIN, top / "base"))
        found |= dict.fromkeys(_code_maps(top, top / "base"))
    for name in names:
        found |= dict.fromkeys(_ehr(known, name, top))
    return sorted(found, key=lambda each: [int(n) if n.isdigit() else n for n in re.split(r"(?<=:)(\d+)", each.place)])


def _ehr(mappings: Mappings, name: str, top: Path) -> Iterator[Finding]:
    from local.analyst.lint_toml import place_in_toml, schema_findings

    own = top / "ehrs" / name
    in_toml = list(schema_findings(top, own))
    yield from in_toml
    yield from _code_maps(top, own)
    yield from _collections(top, own)
    try:
        ehr = mappings.ehr(name)
    except HeadwaterError as error:
        if not (in_toml and error.code.startswith("toml.")):  # the schema has said the same
            yield Finding(place_in_toml(top, error.place), ERROR, error.code, error.hint)
        return
    yield from _templates(mappings, ehr, own)


# ------------------------------------------------------------------------------------------------------- templates


def _templates(mappings: Mappings, ehr: Ehr, own: Path) -> Iterator[Finding]:
    """The findings in templates that lie under `own`; the others are the base's, or another EHR's."""
    engine = mappings.engine(ehr)
    folders = template_folders(mappings.folder, ehr)
    if not any(own.rglob("*.liquid")):
        return
    walk = _Walk(engine, folders)
    names = engine.folders.names()
    roots = {name for name in names if _ROOT.match(name)} | set(ehr.feed.templates.values()) | set(_outbound(ehr))
    for root in sorted(roots):
        walk.visit(root, VALUE)
    for finding in walk.findings:
        yield _placed(finding, engine, mappings.folder, own)
    if walk.open_ended:
        return
    for name in names:
        path = engine.folders.find(name)
        if path is None or not path.resolve().is_relative_to(own) or (own / FOLDER) in path.resolve().parents:
            continue
        if name not in walk.seen and not _goes_by_another_name(path, folders, walk.seen):
            hint = "no template leads here from one that a message begins with"
            yield Finding(f"{_relative(path, mappings.folder)}:1:1", WARNING, "lint.unreachable", hint)


def _outbound(ehr: Ehr) -> Iterator[str]:
    """What its writes are rendered by, and what reads the rows that it gives."""
    for operations in ehr.write.values():
        for operation in filter(None, (operations.create, operations.update)):
            yield from filter(None, (operation.template, operation.wire))
    yield from (rows.template for rows in ehr.rows.values())


def _goes_by_another_name(path: Path, folders: Iterable[Path], seen: dict[str, None]) -> bool:
    """Whether it was seen under its name in another of the folders: `inbound/` lies in an EHR's own."""
    names = [path.relative_to(folder).with_suffix("").as_posix() for folder in folders if path.is_relative_to(folder)]
    return any(name in seen for name in names)


class _Walk:
    """What is met on the way from the roots."""

    def __init__(self, engine: Engine, folders: Sequence[Path]) -> None:
        self.engine = engine
        self._codes = [folder / "codes" for folder in folders]
        self.seen: dict[str, None] = {}
        self.findings: dict[Finding, None] = {}
        self.open_ended = False  # a template is named by a value: nobody knows which
        self._visited: set[tuple[str, str]] = set()

    def visit(self, name: str, mode: str) -> None:
        """Read a template and all that it leads to; with mode READ, do not compile them."""
        if (name, mode) in self._visited:
            return
        self._visited.add((name, mode))
        self.seen[name] = None
        try:
            template = self.engine.dialect.parser(name, self.engine.folders.read(name)).parse()
        except TemplateError as error:
            self._add(error.place or f"{name}.liquid:1:1", error.code, error.hint)
            return
        self._look(template)
        for partial, partial_mode in self._partials(template, mode):
            if self.engine.folders.find(partial) is not None:
                self.visit(partial, partial_mode)

    def _partials(self, template: nodes.Template, mode: str) -> Iterable[tuple[str, str]]:
        """What a template includes, and in which modes; if it does not compile, only what."""
        if mode != READ:
            try:
                return self.engine.program(template.name, mode).partials
            except TemplateError as error:
                self._add(error.place, error.code, error.hint)
        return [(name, READ) for name in template.includes]

    def _look(self, template: nodes.Template) -> None:
        at = Lines(template.source).at
        for node in every(template.body):
            if isinstance(node, nodes.Call):
                self._call(node, f"{template.name}.liquid:{at(node.at)[0]}:{at(node.at)[1]}")
            elif isinstance(node, nodes.Include | nodes.Evaluate):
                self._include(node, f"{template.name}.liquid:{at(node.at)[0]}:{at(node.at)[1]}")

    def _call(self, call: nodes.Call, place: str) -> None:
        if call.name not in self.engine.dialect.filters:
            self._add(place, "lint.unknown_filter", f"unknown filter '{call.name}'")
        elif call.name in _MAPPED_BY and call.arguments and isinstance(call.arguments[0], nodes.Literal):
            self._map(call.arguments[0].value, place)

    def _include(self, node: nodes.Include | nodes.Evaluate, place: str) -> None:
        if not isinstance(node.template, nodes.Literal):
            self.open_ended = True
        elif self.engine.folders.find(str(node.template.value)) is None:
            self._add(place, "lint.missing_template", f"no template '{node.template.value}' in the mapping's folders")
        for name, value in node.arguments:
            if name == "map" and isinstance(value, nodes.Literal):
                self._map(value.value, place)

    def _map(self, name: Any, place: str) -> None:
        if name and not any((folder / f"{name}.csv").is_file() for folder in self._codes):
            self._add(place, "lint.missing_codes", f"no code map 'codes/{name}.csv' in the mapping's folders")

    def _add(self, place: str, code: str, hint: str) -> None:
        if code == "convert.template_syntax" and hint.startswith("unknown filter"):
            code = "lint.unknown_filter"
        self.findings[Finding(place, ERROR, code, hint)] = None


def _placed(finding: Finding, engine: Engine, mappings: Path, own: Path) -> Finding:
    """The same with the file's path for the template's name."""
    name, dot, rest = finding.place.partition(".liquid")
    path = engine.folders.find(name)
    place = f"{_relative(path, mappings)}{rest}" if path else f"{_relative(own, mappings)}: {name}{dot}{rest}"
    return Finding(place, finding.severity, finding.code, finding.hint)


def _relative(path: Path, mappings: Path) -> str:
    return path.resolve().relative_to(mappings.resolve()).as_posix()


def _collections(top: Path, own: Path) -> Iterator[Finding]:
    """The findings in collections that were brought in, by the rules of their own dialect."""
    for folder in sorted((own / FOLDER).glob("*/")):
        collection = Collection(folder)
        report = inspect(collection)
        find = collection.converter.engine.folders.find
        found = [(error.place, error.code, error.hint) for error in report.faults]
        for name, places in report.missing.items():
            hint = f"no template '{name}' in the collection"
            found += [(place, "lint.missing_template", hint) for place in places]
        for name, places in report.unknown.items():
            found += [
                (place, "lint.unknown_filter", f"unknown filter '{name}' gives back its input") for place in places
            ]
        for place, code, hint in found:
            template, _, rest = place.partition(".liquid")
            path = find(template)
            where = f"{_relative(path, top)}{rest}" if path else f"{_relative(folder, top)}: {place}"
            yield Finding(where, WARNING if code == "lint.unknown_filter" else ERROR, code, hint)


# ------------------------------------------------------------------------------------------------------- code maps


def _code_maps(top: Path, own: Path) -> Iterator[Finding]:
    for file in sorted((own / "codes").glob("*.csv")):
        place = _relative(file, top)
        try:
            CodeMaps([file.parent])[file.stem]
        except HeadwaterError as error:
            line = error.place.rpartition(":")[2]
            yield Finding(f"{place}:{line if line.isdigit() else 1}:1", ERROR, error.code, error.hint)
            continue
        yield from _rows(file, place)


def _rows(file: Path, place: str) -> Iterator[Finding]:
    """Rows that say nothing, and rows that contradict one before."""
    known: dict[tuple[str, str], int] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, COLUMNS)
        next(reader, None)
        for row in reader:
            key = row["system"], row["code"]
            if key in known:
                hint = f"the code of line {known[key]} again; the last one counts"
                yield Finding(f"{place}:{reader.line_num}:1", WARNING, "lint.code_twice", hint)
            known.setdefault(key, reader.line_num)
            if not row["to_code"] and row["equivalence"] != "unmatched":
                hint = "a code without a target: give one, or say unmatched"
                yield Finding(f"{place}:{reader.line_num}:1", WARNING, "lint.code_unmapped", hint)
