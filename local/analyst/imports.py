"""A Microsoft template collection: what it uses, and its way into an EHR's folder.

It is brought in as it is, under `ehrs/<ehr>/microsoft/<format>/`, and runs from there in its own dialect.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError
from headwater.templates import nodes
from headwater.templates.compiler import VALUE
from headwater.templates.errors import TemplateError
from headwater.templates.lexer import Lines
from local.analyst.collection import Collection

FOLDER = "microsoft"
_TAGS = {
    nodes.If: "if",
    nodes.Case: "case",
    nodes.For: "for",
    nodes.Assign: "assign",
    nodes.Capture: "capture",
    nodes.Include: "include",
    nodes.Evaluate: "evaluate",
    nodes.MergeDiff: "mergeDiff",
    nodes.Validate: "validate",
}
_BROUGHT = frozenset({".liquid", ".json"})


@dataclass
class Report:
    """`filters` and `tags` count uses; `unknown` are filters that nobody has (they give back what they get), `missing`
    templates that are named and not there, `faults` what cannot be compiled: each with its places."""

    format: str
    roots: list[str] = field(default_factory=list)
    templates: int = 0
    bytes: int = 0
    largest: tuple[str, int] = ("", 0)
    code_maps: int = 0
    filters: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    faults: list[TemplateError] = field(default_factory=list)


def inspect(collection: Collection) -> Report:
    """What a collection holds and uses; every template is compiled."""
    engine, report = collection.converter.engine, Report(collection.format, collection.roots)
    report.code_maps = len(engine.codes)
    for name in engine.folders.names():
        try:
            source = engine.folders.read(name)
            report.templates += 1
            report.bytes += len(source.encode())
            report.largest = max(report.largest, (name, len(source)), key=lambda one: one[1])
            _read(engine.dialect.parser(name, source).parse(), collection, report)
            engine.program(name, VALUE)
        except TemplateError as error:
            report.faults.append(error)
    return report


def _read(template: nodes.Template, collection: Collection, report: Report) -> None:
    engine, at = collection.converter.engine, Lines(template.source).at
    for node in every(template.body):
        if type(node) in _TAGS:
            report.tags[_TAGS[type(node)]] += 1
        if isinstance(node, nodes.Call):
            report.filters[node.name] += 1
            if node.name not in engine.dialect.filters:
                report.unknown.setdefault(node.name, []).append(_place(template.name, at(node.at)))
        elif isinstance(node, nodes.Include | nodes.Evaluate) and isinstance(node.template, nodes.Literal):
            wanted = str(node.template.value)
            if engine.folders.find(wanted) is None:
                report.missing.setdefault(wanted, []).append(_place(template.name, at(node.at)))


def bring_in(collection: Collection, source: Path, own: Path, *, replace: bool = False) -> Path:
    """Copy templates, code maps and schemas into an EHR's folder; gives where they are now.

    Raises HeadwaterError('analyst.folder'): no such EHR, or it has such a collection and `replace` does not say so.
    """
    if not (own / "ehr.toml").is_file():
        raise HeadwaterError("analyst.folder", place=str(own), hint="the EHR needs a folder with an ehr.toml first")
    target = own / FOLDER / collection.format
    if target.exists():
        if not replace:
            raise HeadwaterError("analyst.folder", place=str(target), hint="it is there already: --replace it")
        shutil.rmtree(target)
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.suffix in _BROUGHT and not file.is_symlink():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return target


def every(node: Any) -> Iterator[Any]:
    """A node of a template and everything in it."""
    if isinstance(node, tuple):
        for each in node:
            yield from every(each)
    elif is_dataclass(node):
        yield node
        for member in fields(node):
            yield from every(getattr(node, member.name))


def _place(name: str, at: tuple[int, int]) -> str:
    return f"{name}.liquid:{at[0]}:{at[1]}"


def plain(report: Report) -> str:
    """The report as JSON."""
    told = dict(vars(report), faults=[{"code": e.code, "place": e.place, "hint": e.hint} for e in report.faults])
    return json.dumps(told, indent=2)
