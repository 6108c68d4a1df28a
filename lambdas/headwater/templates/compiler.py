"""A syntax tree to the source of one Python function `template(s, v, o)`: state, variables, the list it writes to.

Nothing of a template's text gets into the Python source but as a constant made by `repr`: variables are string keys of
`v`, filters and partials are numbered names that the loader binds. A template is compiled once per mode: as plain text,
as JSON between values, or as JSON inside a string, because an output is escaped by where it stands.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from headwater.templates import nodes
from headwater.templates.errors import SYNTAX, TemplateError, place_of
from headwater.templates.filters import Filter
from headwater.templates.jsontext import JsonText, split_optional
from headwater.templates.lexer import Lines

TEXT, VALUE, STRING = "text", "value", "string"
_COMPARE = {
    "==": "equal({}, {})",
    "!=": "(not equal({}, {}))",
    "<": "less({}, {})",
    "<=": "less_or_equal({}, {})",
    ">": "less({1}, {0})",
    ">=": "less_or_equal({1}, {0})",
    "contains": "contains({}, {})",
}
_BOOLEAN = (nodes.Compare, nodes.Logic)
_FORLOOP = re.compile(r"\bforloop\b")


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled template. `filters` and `partials` name what `F0`, `P0` … stand for in `source`; `places` holds line
    and column in the template for each line of the source, packed; `summary` is what a dialect noted for later."""

    name: str
    mode: str
    source: str
    filters: tuple[str, ...]
    partials: tuple[tuple[str, str], ...]
    places: bytes
    summary: Any = None

    def place(self, line: int) -> str:
        """Where in the template the `line`-th line (from 1) of the Python source comes from."""
        places = array("I")
        places.frombytes(self.places)
        number = 2 * min(max(line - 1, 0), len(places) // 2 - 1)
        return place_of(self.name, places[number], places[number + 1])


class Compiler:
    """Compiles one template in one mode. A dialect overrides the small methods that say how variables are bound."""

    printers: ClassVar = {TEXT: "text", VALUE: "json_value", STRING: "quoted"}

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

    # ---------------------------------------------------------------------------------------------------- emitting

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

    # -------------------------------------------------------------------------------------------------- statements

    def body(self, statements: tuple[nodes.Statement, ...]) -> None:
        for number, statement in enumerate(statements):
            self._at = statement.at
            following = statements[number + 1] if number + 1 < len(statements) else None
            if isinstance(statement, nodes.Text):
                self.write(self._constant(statement.text))
            elif isinstance(statement, nodes.Output):
                self._output(statement, following)
            else:
                self.flush()
                getattr(self, "do_" + type(statement).__name__.lower())(statement)

    def _constant(self, text: str) -> str:
        cooked, self._cooked = self._cooked, None
        if cooked is not None:
            return cooked
        return self.json.read(text) if self.json else text

    _cooked: str | None = None  # what is left of a text that an output before it has looked into

    def _output(self, output: nodes.Output, following: nodes.Statement | None) -> None:
        printed = self.printed(output.value)
        if self.now == STRING and isinstance(following, nodes.Text) and self._pending:
            self._cooked = self.json.read(following.text)  # type: ignore[union-attr]
            parts = split_optional("".join(self._pending), self._cooked)
            if parts:
                before, opening, closing, self._cooked = parts
                self._pending[:] = [before] if before else []
                self.flush()
                self.optional(printed, opening, closing)
                return
        self.flush()
        self.emit(f"w({printed})")

    def optional(self, printed: str, opening: str, closing: str) -> None:
        """A string value that is written only if there is something in it."""
        self.emit(f"if _ := {printed}: w({opening!r} + _ + {closing!r})")

    def printed(self, node: nodes.Expression) -> str:
        """Python source for the text of an output, escaped for where it stands."""
        return f"{self.printers[self.now]}({self.value(node)})"

    def suite(self, statements: tuple[nodes.Statement, ...]) -> None:
        """An indented body, which must leave strings as it found them."""
        before = self.json.in_string if self.json else False
        self._indent += 1
        start = len(self._code)
        self.body(statements)
        self.flush()
        if len(self._code) == start:
            self.emit("pass")
        self._indent -= 1
        if self.json and self.json.in_string is not before:
            self.fail("a quotation mark is opened or closed in one branch only")

    def do_assign(self, node: nodes.Assign) -> None:
        self.assign(node.name, self.value(node.value))

    def do_capture(self, node: nodes.Capture) -> None:
        outer, inner, json = self._out[-1], self.new("o"), self.json
        self.emit(f"{inner} = []; w = {inner}.append")
        self._out.append(inner)
        self._captures.append((node.name, outer))
        self.json = None
        self.body(node.body)
        self.flush()
        self._close_capture(len(self._captures) - 1)
        self.json = json
        self._captures.pop()
        self._out.pop()

    def _close_capture(self, number: int) -> None:
        name, outer = self._captures[number]
        self.assign(name, f"captured(s, {self._out[number + 1]})")
        self.emit(f"w = {outer}.append")

    def do_if(self, node: nodes.If) -> None:
        for number, (condition, body) in enumerate(node.branches):
            test = self.test(condition)
            if number == 0 and node.negate_first:
                test = f"not ({test})"
            self.emit(f"{'elif' if number else 'if'} {test}:")
            self.suite(body)
        if node.otherwise:
            self.emit("else:")
            self.suite(node.otherwise)

    def do_case(self, node: nodes.Case) -> None:
        subject = self.new("c")
        self.emit(f"{subject} = {self.value(node.subject)}")
        for number, (values, body) in enumerate(node.branches):
            tests = [self._comparison("==", subject, value) for value in values]
            self.emit(f"{'elif' if number else 'if'} {' or '.join(tests)}:")
            self.suite(body)
        if node.otherwise:
            self.emit("else:" if node.branches else "if True:")
            self.suite(node.otherwise)

    def do_for(self, node: nodes.For) -> None:
        items, index, loop = self.new("l"), self.new("i"), self.new("x")
        limit = self.value(node.limit) if node.limit else "None"
        offset = self.value(node.offset) if node.offset else "None"
        self.emit(f"{items} = turns(s, {self.value(node.source)}, {limit}, {offset}, {node.reverse})")
        if node.otherwise:
            self.emit(f"if not {items}:")
            self.suite(node.otherwise)
        forloop = self._uses_forloop(node.body)
        if forloop:
            self.emit(f"{loop} = ForLoop(len({items}), v.get('forloop'))")
        bound = {node.name: None, **({"forloop": loop} if forloop else {})}
        saved = self.bind({name: value or "None" for name, value in bound.items()})
        self.emit(f"for {index} in {items}:")
        self._loops.append(len(self._captures))
        self._indent += 1
        self.emit(f"s.tick({self._out[-1]})")
        if forloop:
            self.emit(f"{loop}.index0 += 1")
        self.emit(f"v[{node.name!r}] = {index}")
        self._indent -= 1
        self.suite(node.body)
        self._loops.pop()
        self.unbind(saved)

    def _uses_forloop(self, body: tuple[nodes.Statement, ...]) -> bool:
        return bool(_FORLOOP.search(self.template.source)) or _includes(body)

    def do_break(self, _: nodes.Break) -> None:
        self._leave("break")

    def do_continue(self, _: nodes.Continue) -> None:
        self._leave("continue")

    def _leave(self, word: str) -> None:
        if not self._loops:
            self.fail(f"'{word}' outside of a loop")
        for number in range(len(self._captures) - 1, self._loops[-1] - 1, -1):
            self._close_capture(number)
        self.emit(word)

    def do_include(self, node: nodes.Include) -> None:
        function = self.partial(node.template)
        arguments = {name: self.value(value) for name, value in node.arguments}
        if node.each:
            items, each = self.new("l"), self.new("x")
            self.emit(f"{items} = sequence(s, {self.value(node.item)})")  # type: ignore[arg-type]
            self.emit(f"for {each} in {items}:")
            self._indent += 1
            self._call(function, {**arguments, node.alias: each}, node.isolated)
            self._indent -= 1
            return
        if node.item:
            arguments[node.alias] = self.value(node.item)
        self._call(function, arguments, node.isolated)

    def _call(self, function: str, arguments: dict[str, str], isolated: bool) -> None:
        out = self._out[-1]
        if isolated:
            values = ", ".join(f"{name!r}: {value}" for name, value in arguments.items())
            self.emit(f"{function}(s, {{{values}}}, {out})")
            return
        saved = self.bind(arguments)
        self.emit(f"{function}(s, v, {out})")
        self.unbind(saved)

    def partial(self, template: nodes.Expression) -> str:
        """What to call for a template in the present mode: a name bound by the loader, or a look-up by value."""
        if isinstance(template, nodes.Literal) and isinstance(template.value, str):
            return self._partials.setdefault((template.value, self.now), f"P{len(self._partials)}")
        return f"s.partial({self.value(template)}, {self.now!r})"

    # --------------------------------------------------------------------------------------------------- variables

    def assign(self, name: str, value: str) -> None:
        self.emit(f"v[{name!r}] = {value}")

    def bind(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """Set variables for a while; gives what `unbind` needs. All values are worked out before any is set."""
        saved = [(name, self.new("k")) for name in values]
        fresh = [(name, self.new("a"), value) for name, value in values.items()]
        for _, temporary, value in fresh:
            self.emit(f"{temporary} = {value}")
        for name, temporary in saved:
            self.emit(f"{temporary} = v.get({name!r})")
        for name, temporary, _ in fresh:
            self.emit(f"v[{name!r}] = {temporary}")
        return saved

    def unbind(self, saved: list[tuple[str, str]]) -> None:
        for name, temporary in reversed(saved):
            self.emit(f"v[{name!r}] = {temporary}")

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self, node: nodes.Expression) -> str:
        """Python source that gives the value of an expression."""
        if isinstance(node, nodes.Literal):
            return repr(node.value)
        if isinstance(node, nodes.Path):
            source = f"v.get({node.root!r})"
            for part in node.parts:
                source = f"member({source}, {repr(part) if isinstance(part, str | int) else self.value(part)})"
            return source
        if isinstance(node, nodes.Pipe):
            source = self.value(node.value)
            for call in node.calls:
                source = self.call(call, source)
            return source
        if isinstance(node, nodes.Range):
            return f"span({self.value(node.first)}, {self.value(node.last)})"
        if isinstance(node, nodes.Special):
            return "''"
        return self.test(node)

    def call(self, call: nodes.Call, value: str) -> str:
        known = self.known.get(call.name)
        if known is None:
            self.fail(f"unknown filter '{call.name}'", call.at)
        if not known.least <= len(call.arguments) <= known.most:
            counts = str(known.least) if known.least == known.most else f"{known.least} to {known.most}"
            self.fail(f"filter '{call.name}' takes {counts} arguments, not {len(call.arguments)}", call.at)
        for name, _ in call.named:
            if name not in known.named:
                self.fail(f"filter '{call.name}' has no argument '{name}'", call.at)
        function = self._filters.setdefault(call.name, f"F{len(self._filters)}")
        arguments = [*(["s"] if known.metered else []), value, *map(self.value, call.arguments)]
        arguments += [f"{name}={self.value(argument)}" for name, argument in call.named]
        return f"{function}({', '.join(arguments)})"

    def test(self, node: nodes.Expression) -> str:
        """Python source that is true when the expression is truthy: neither nil nor false."""
        if isinstance(node, nodes.Compare):
            return self._comparison(node.operator, self.value(node.left), node.right, node.left)
        if isinstance(node, nodes.Logic):
            return f"({self.test(node.left)} {node.operator} {self.test(node.right)})"
        if isinstance(node, nodes.Literal):
            return repr(node.value is not None and node.value is not False)
        return f"((_ := {self.value(node)}) is not None and _ is not False)"

    def _comparison(
        self, operator: str, left: str, right: nodes.Expression, left_node: nodes.Expression | None = None
    ) -> str:
        special = self._special(operator, left, right, left_node)
        return special or _COMPARE[operator].format(left, self.value(right))

    def _special(
        self, operator: str, left: str, right: nodes.Expression, left_node: nodes.Expression | None
    ) -> str | None:
        """`x == empty`, `blank != x`: a test instead of a comparison."""
        if operator not in ("==", "!="):
            return None
        if isinstance(right, nodes.Special):
            source = f"is_{right.name}({left})"
        elif isinstance(left_node, nodes.Special):
            source = f"is_{left_node.name}({self.value(right)})"
        else:
            return None
        return source if operator == "==" else f"(not {source})"


def _includes(body: tuple[nodes.Statement, ...]) -> bool:
    """Whether other templates, which may ask for `forloop`, are called somewhere in a body."""
    for node in body:
        if isinstance(node, nodes.Include | nodes.Evaluate):
            return True
        inner = [getattr(node, "body", ()), getattr(node, "otherwise", ())]
        inner += [branch[1] for branch in getattr(node, "branches", ())]
        if any(map(_includes, inner)):
            return True
    return False
