"""headwater convert --explain: an element, the template lines that wrote it, and the input it depends on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from headwater.ehrs import Ehr
from headwater.ehrs.profile import Feed
from headwater.inbound.convert import draft
from headwater.model import Resource
from headwater.templates.engine import Engine
from local.analyst.collection import Collection
from local.analyst.explain import Explanation, Input, explain
from local.analyst.json_path import written
from local.analyst.mappings import CONTENT_TYPES, PLAIN, Mappings, bundle, envelope, format_named
from local.analyst.parts import Csv, Hl7v2, Json, Xml
from local.analyst.source_map import TracingEngine

_MOST_PLACES = 12


def show_explanations(path: str, mappings: Mappings, ehr: Ehr, content_type: str, body: bytes, *, raw: bool) -> int:
    """Explain what `path` names in each message of `body`. Raises HeadwaterError."""
    engine = mappings.engine(ehr)
    tracing = TracingEngine(engine)

    def made(by: Engine, body: bytes) -> Resource:
        return bundle(draft(envelope(body, ehr, content_type), ehr, by))

    for message in mappings.split(body, ehr, content_type):
        traced = made(tracing, message)
        found = explain(path, traced, lambda body: made(engine, body), input_of(content_type, message, ehr.feed))
        _show(found, engine, raw=raw)
    return 0


def show_foreign_explanations(path: str, collection: Collection, root: str, body: bytes, *, raw: bool) -> int:
    """The same for a Microsoft collection. Raises HeadwaterError."""
    traced = collection.traced(body, root)
    kind = CONTENT_TYPES[{"Hl7v2": "hl7v2", "Ccda": "ccda"}.get(collection.format, "json")]
    found = explain(path, traced, lambda body: collection.convert(body, root), input_of(kind, body, PLAIN.feed))
    _show(found, collection.converter.engine, raw=raw)
    return 0


def input_of(content_type: str, body: bytes, feed: Feed) -> Input | None:
    """The parts of an input that has been converted once; None for a format whose parts cannot be told apart."""
    kind = format_named(content_type)
    if kind == "hl7v2":
        return Hl7v2(body)
    if kind == "csv":
        return Csv(body, feed.csv)
    if kind == "ccda":
        return Xml(body)
    return Json(body) if kind in ("json", "fhir") else None


def _show(explanations: Sequence[Explanation], engine: Engine, *, raw: bool) -> None:
    if raw:
        for each in explanations:
            print(json.dumps(_plain(each), ensure_ascii=False))
        return
    console = Console(highlight=False)
    for each in explanations:
        console.print(f"[bold]{escape(written(each.steps))}[/] = [cyan]{escape(_short(each.value))}[/]", soft_wrap=True)
        _show_places(console, each, engine)
        _show_names(console, "changes with", each.values or (() if each.note else ("nothing in this message",)))
        _show_names(console, "only with", each.conditions)
        _show_names(console, "all need", each.vital)


def _show_places(console: Console, each: Explanation, engine: Engine) -> None:
    lines = {place[0].rpartition(":")[0]: place for place in reversed(each.places)}  # of a line, its first place
    places, before = list(reversed(lines.values())), tuple[str, ...]()
    for number, place in enumerate(places[:_MOST_PLACES]):
        innermost, *outer = place
        word = "" if number else "written by"
        console.print(f"  [dim]{word:12}[/] [green]{escape(innermost)}[/]", soft_wrap=True)
        console.print(f"  {'':12}   {escape(_line(engine, innermost))}", soft_wrap=True)
        if outer and tuple(outer) != before:
            console.print(f"  {'':12}   [dim]from {escape(' ← '.join(outer))}[/]", soft_wrap=True)
        before = tuple(outer)
    if len(places) > _MOST_PLACES:
        console.print(f"  {'':12} [dim]… and {len(places) - _MOST_PLACES} lines more[/]")
    if each.note:
        console.print(f"  {'':12} [yellow]{escape(each.note)}[/]", soft_wrap=True)


def _show_names(console: Console, word: str, names: Sequence[str]) -> None:
    if names:
        console.print(f"  [dim]{word:12}[/] {escape(', '.join(names))}", soft_wrap=True)


def _line(engine: Engine, place: str) -> str:
    """The template's line at a place, cut to what is around its column."""
    name, line, column = place.rsplit(":", 2)
    path = engine.folders.find(name.removesuffix(".liquid"))
    lines = Path(path).read_text("utf-8-sig").split("\n") if path else []
    text = lines[int(line) - 1].rstrip() if int(line) <= len(lines) else ""
    at = int(column) - 1
    start = 0 if at < 60 else at - 30
    return ("…" if start else "") + text[start : start + 110].strip() + ("…" if len(text) > start + 110 else "")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _plain(each: Explanation) -> dict[str, Any]:
    return {
        "path": written(each.steps),
        "value": each.value,
        "places": [list(place) for place in each.places],
        "note": each.note,
        "changes_with": each.values,
        "only_with": each.conditions,
        "all_need": each.vital,
    }
