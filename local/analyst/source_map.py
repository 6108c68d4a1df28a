"""An engine that knows which line of which template wrote each piece of what it makes.

Compiled code writes with `w = o.append`; here `o` is a list whose `append` looks at who called it, and `Program.place`
gives that line's place in its template. Templates are compiled so that every output and every piece of their own text
is written alone. The text is then read by a JSON reader that keeps offsets, with the rules of
`headwater.templates.tidy`, and each member's name becomes a `Name`: text like any other, that remembers where its
member was written. Names go unharmed through all that `convert` does afterwards, so the pipeline need not know.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from headwater.templates import nodes, tidy
from headwater.templates.compiler import VALUE, Compiler, Program
from headwater.templates.engine import Engine
from headwater.templates.errors import JSON, TemplateError
from headwater.templates.jsontext import MARK
from headwater.templates.lifting import AS_WRITTEN, Lifting
from headwater.templates.loader import CodeCache

Place = tuple[str, ...]  # where it was written, then the include that led there, and so on up to the root template
_PIECE = re.compile(r"[^\n,]*[\n,]?")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}]+")


@dataclass(frozen=True, slots=True)
class Written:
    """The places that wrote a value, in order; `items` are those of a list's items, with the item."""

    places: tuple[Place, ...]
    items: tuple[tuple[Any, tuple[Place, ...]], ...] = ()


class Name(str):
    """A member's name that remembers its member."""

    __slots__ = ("member", "written")
    written: Written  # the name itself and all of its value
    member: Written  # the value alone


class Tracer(list[str]):
    """What a template writes to; `places` has an entry for each piece."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []

    def append(self, piece: str) -> None:
        super().append(piece)
        self.places.append(_callers(sys._getframe(1)))


def _callers(frame: FrameType | None) -> Place:
    """The template places on the way to a frame, the innermost first."""
    found: list[str] = []
    while frame is not None and frame.f_code is not TracingEngine.build.__code__:
        program = frame.f_globals.get("PROGRAM")
        if isinstance(program, Program):
            found.append(program.place(frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


class _Alone:
    """Put before a dialect's compiler: each output and each line or comma of text is written alone, at its place."""

    def body(self: Any, statements: tuple[nodes.Statement, ...]) -> None:
        for statement in statements:
            self._at = statement.at
            if isinstance(statement, nodes.Text):
                _text(self, statement)
            elif isinstance(statement, nodes.Output):
                self.emit(f"w({self.printed(statement.value)})")
            else:
                getattr(self, "do_" + type(statement).__name__.lower())(statement)


def _text(compiler: Any, statement: nodes.Text) -> None:
    at = compiler.template.source.find(statement.text, statement.at)
    for piece in _PIECE.findall(statement.text):
        compiler._at = at + len(piece) - len(piece.lstrip())
        cooked = compiler.json.read(piece) if compiler.json else piece
        if cooked:
            compiler.emit(f"w({cooked!r})")
        at += len(piece)


def _tracing(compiler: type[Compiler]) -> type[Compiler]:
    return type("TracingCompiler", (_Alone, compiler), {})


class TracingEngine(Engine):
    """The engine `of`, tracing. What `build` gives equals what that engine builds; its members' names are `Name`s."""

    def __init__(self, of: Engine) -> None:
        self.__dict__.update(of.__dict__)
        # No partial is rendered from memory, since its lines would not be seen to write.
        self.dialect = replace(of.dialect, compiler=_tracing(of.dialect.compiler), wrap=None, guard=None)
        self.cache = CodeCache(None)
        self._functions = {}
        self._programs = {}

    def build(self, name: str, variables: Mapping[str, Any], lifting: Lifting = AS_WRITTEN) -> Any:  # noqa: ARG002
        out = Tracer()
        state = self.dialect.state(self.limits, self, variables)
        self.function(name, VALUE)(state, dict(variables), out)
        try:
            return Reader(*_collapsed(out)).value()
        except ValueError:
            raise TemplateError(JSON, place=f"{name}.liquid", hint="the template's output is not JSON") from None


def _collapsed(out: Tracer) -> tuple[str, list[int], list[Place]]:
    """The text as `tidy.collapse` makes it, with the offset where each piece begins and its place."""
    text, starts, places = "", list[int](), list[Place]()
    marked = "".join(out)
    offsets: list[int] = []
    total = 0
    for piece in out:
        offsets.append(total)
        total += len(piece)
    position, opened, parts = 0, True, list[str]()
    length = 0
    for part in marked.split(MARK):
        begin, position = position, position + len(part) + 1
        if not part or (part == "{}" and parts) or part.isspace():
            continue
        if not opened and part[0] not in "}]":
            parts.append(",")
            length += 1
        opened = part[-1] in "{["
        parts.append(part)
        first = bisect_right(offsets, begin) - 1
        while first < len(offsets) and offsets[first] < begin + len(part):
            starts.append(length + max(offsets[first] - begin, 0))
            places.append(out.places[first])
            first += 1
        length += len(part)
    text = "".join(parts)
    return text, starts, places


class Reader:
    """JSON to values, empties dropped, places kept."""

    def __init__(self, text: str, starts: list[int], places: list[Place]) -> None:
        self._text = text
        self._starts = starts
        self._places = places
        self._position = 0

    def value(self) -> Any:
        return tidy.pruned(self._value()[0])

    def _written(self, start: int, end: int) -> tuple[Place, ...]:
        """The places of the pieces in a stretch of text, each once. Several pieces may begin at one offset: the last
        of them wrote what stands there."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_right(self._starts, end - 1)
        return tuple(dict.fromkeys(self._places[first:last]))

    def _value(self) -> tuple[Any, Written]:
        self._blanks()
        start, items = self._position, tuple[tuple[Any, tuple[Place, ...]], ...]()
        value: Any
        if self._text.startswith("{", start):
            value = self._object()
        elif self._text.startswith("[", start):
            value, items = self._array()
        else:
            match = (_STRING if self._text.startswith('"', start) else _SCALAR).match(self._text, start)
            if match is None:
                raise ValueError("not JSON")
            self._position = match.end()
            value = json.loads(match[0], strict=False)
        inside = 1 if isinstance(value, str) and value else 0  # the quotation marks are the template's
        return value, Written(self._written(start + inside, self._position - inside), items)

    def _object(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self._position += 1
        while self._next("}"):
            start = self._position
            name = Name(self._value()[0])
            self._blanks()
            if not self._text.startswith(":", self._position):
                raise ValueError("not JSON")
            self._position += 1
            value, name.member = self._value()
            name.written = replace(name.member, places=self._written(start, self._position))
            value = tidy.pruned(value)
            if value or value is None or isinstance(value, bool | int | float):
                members.pop(name, None)  # the name of the member that counts, not of the first so called
                members[name] = value
        return members

    def _array(self) -> tuple[list[Any], tuple[tuple[Any, tuple[Place, ...]], ...]]:
        values, items = list[Any](), list[tuple[Any, tuple[Place, ...]]]()
        self._position += 1
        while self._next("]"):
            value, written = self._value()
            values.append(value)
            items.append((tidy.pruned(value), written.places))
        return values, tuple(items)

    def _next(self, end: str) -> bool:
        """Whether another member or item begins here; else the position is behind `end`."""
        self._blanks()
        if self._text.startswith(",", self._position):
            self._position += 1
            self._blanks()
        if self._text.startswith(end, self._position):
            self._position += 1
            return False
        if self._position >= len(self._text):
            raise ValueError("not JSON")
        return True

    def _blanks(self) -> None:
        while self._position < len(self._text) and self._text[self._position] in " \t\r\n":
            self._position += 1
