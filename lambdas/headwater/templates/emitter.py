"""Lines of Python with the places they come from, and constant text gathered until something else is written."""

from __future__ import annotations

from array import array
from typing import Any, NoReturn

from headwater.templates import nodes
from headwater.templates.errors import SYNTAX, TemplateError, place_of
from headwater.templates.filters import Filter
from headwater.templates.jsontext import JsonText
from headwater.templates.lexer import Lines
from headwater.templates.program import STRING, TEXT, VALUE, Program


class Emitter:
    """The compiler's page: where in the template it is, in which mode, and the Python so far."""

    def __init__(self, template: nodes.Template, mode: str, filters: dict[str, Filter]) -> None:
        self.template = template
        self.mode = mode
        self.known = filters
        self.json = JsonText(mode == STRING) if mode != TEXT else None
        self._lines = Lines(template.source)
        self._code: list[str] = []
        self._places: list[int] = []
        self._indent = 1
        self._at = 0
        self._pending: list[str] = []
        self._filters: dict[str, str] = {}
        self._partials: dict[tuple[str, str], str] = {}
        self._names = 0
        self._out = ["o"]  # the lists written to, innermost last
        self._loops: list[int] = []  # how many captures were open where each loop began
        self._captures: list[tuple[str, str]] = []

    def fail(self, hint: str, at: int | None = None) -> NoReturn:
        place = place_of(self.template.name, *self._lines.at(self._at if at is None else at))
        raise TemplateError(SYNTAX, place=place, hint=hint)

    def emit(self, line: str) -> None:
        self._code.append("    " * self._indent + line)
        self._places.append(self._at)

    def new(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def write(self, text: str) -> None:
        """Constant text; neighbours are written together."""
        if text:
            self._pending.append(text)

    def flush(self) -> None:
        if self._pending:
            self.emit(f"w({''.join(self._pending)!r})")
            self._pending.clear()

    @property
    def now(self) -> str:
        """The mode at this point."""
        if self.json is None:
            return TEXT
        return STRING if self.json.in_string else VALUE

    def compile(self) -> Program:
        self.begin()
        self.body(self.template.body)
        self.flush()
        self.emit("s.depth -= 1")
        if self.json and self.json.in_string is not (self.mode == STRING):
            self.fail("a string is left open at the end of the template", len(self.template.source))
        places = array("I", [number for at in [0, *self._places] for number in self._lines.at(at)]).tobytes()
        source = "\n".join(["def template(s, v, o):", *self._code, ""])
        names = tuple(self._filters), tuple(self._partials)
        return Program(self.template.name, self.mode, source, *names, places, self.summary())

    def begin(self) -> None:
        self.emit("w = o.append")
        self.emit("s.enter(o)")

    def summary(self) -> Any:
        """What else to keep of a template; plain data."""
        return None

    def value(self, node: nodes.Expression) -> str:
        """Python source that gives the value of an expression."""
        raise NotImplementedError

    def body(self, statements: tuple[nodes.Statement, ...]) -> None:
        raise NotImplementedError
