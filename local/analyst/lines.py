"""Bodies in, one JSON line each out: what `convert --batch` and `convert DIR --out` have in common.

A line that fails says so and the next one goes on; an error holds a code, a place and a hint, and no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError
from local.analyst.collection import Collection
from local.analyst.mappings import Mappings, bundle, content_type, error_of, format_of


@dataclass(frozen=True, slots=True)
class Order:
    """How to convert, as far as a line does not say otherwise; plain data, so that it can go to other processes."""

    mappings: Path
    cache: Path | None = None
    ehr: str = ""
    format: str = ""
    template: str = ""
    templates: Path | None = None  # a foreign collection, whose root is `template`


class Worker:
    """Converts bodies by one order; keeps its engines."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.mappings = Mappings(order.mappings, order.cache)
        self.collection = (
            Collection(order.templates, order.format, order.cache) if order.templates is not None else None
        )
        self._ehrs: dict[tuple[str, str], Ehr] = {}

    def ehr(self, name: str, template: str) -> Ehr:
        key = name, template
        if key not in self._ehrs:
            self._ehrs[key] = self.mappings.ehr(name, template)
        return self._ehrs[key]

    def convert(self, body: bytes, order: Order) -> Any:
        """One message's Bundle. Raises HeadwaterError."""
        if self.collection is not None:
            return self.collection.convert(body, order.template)
        ehr = self.ehr(order.ehr, order.template)
        return bundle(self.mappings.convert(body, ehr, content_type(order.format, ehr)))

    def line(self, text: bytes) -> bytes:
        """One line of `--batch`: `{"id", "hl7" | "body", "format"?, "ehr"?, "template"?}` to `{"id", "bundle"}` or
        `{"id", "error"}`."""
        name: Any = None
        try:
            told = orjson.loads(text)
            if not isinstance(told, dict):
                raise HeadwaterError("analyst.line", hint="a line is a JSON object")
            name = told.get("id")
            return _line({"id": name, "bundle": self.convert(_body(told), self._told(told))})
        except orjson.JSONDecodeError:
            error = {"code": "analyst.line", "place": "", "hint": "the line is not JSON"}
        except Exception as problem:  # noqa: BLE001 - the next line must go on, whatever this one was
            error = error_of(problem)
        return _line({"id": name, "error": error})

    def _told(self, told: dict[str, Any]) -> Order:
        said = {key: told[key] for key in ("format", "ehr", "template") if told.get(key)}
        if not all(isinstance(value, str) for value in said.values()):
            raise HeadwaterError("analyst.line", place="format, ehr, template", hint="each is a text")
        if "hl7" in told and "format" not in told and self.collection is None:
            said["format"] = "hl7v2"
        return replace(self.order, **said) if said else self.order

    def file(self, file: Path, name: str) -> list[bytes]:
        """One file's lines: one a message, named `name`, or `name#1` … when there are several."""
        try:
            body = file.read_bytes()
            order = self.order
            if self.collection is not None:
                return [self._try(name, body, order)]
            if not order.format:
                order = replace(order, format=format_of(file, body))
            ehr = self.ehr(order.ehr, order.template)
            bodies = self.mappings.split(body, ehr, content_type(order.format, ehr))
        except Exception as problem:  # noqa: BLE001 - the next file must go on
            return [_line({"id": name, "error": error_of(problem)})]
        if len(bodies) == 1:
            return [self._try(name, bodies[0], order)]
        return [self._try(f"{name}#{number}", each, order) for number, each in enumerate(bodies, 1)]

    def _try(self, name: str, body: bytes, order: Order) -> bytes:
        try:
            return _line({"id": name, "bundle": self.convert(body, order)})
        except Exception as problem:  # noqa: BLE001 - the next message must go on
            return _line({"id": name, "error": error_of(problem)})


def batch(lines: Iterable[bytes], order: Order) -> Iterator[bytes]:
    """Answers in the order of the lines, blank ones left out."""
    worker = Worker(order)
    return (worker.line(line) for line in lines if line.strip())


def _body(told: dict[str, Any]) -> bytes:
    body = told.get("hl7", told.get("body"))
    if isinstance(body, dict | list):
        return orjson.dumps(body)
    if not isinstance(body, str):
        raise HeadwaterError("analyst.line", place="hl7, body", hint="one of them is the text to convert")
    return body.encode("utf-8", "surrogatepass")


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
