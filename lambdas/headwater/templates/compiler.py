"""A syntax tree to the source of one Python function `template(s, v, o)`: state, variables, the list it writes to.

Nothing of a template's text gets into the Python source but as a constant made by `repr`: variables are string keys of
`v`, filters and partials are numbered names that the loader binds. A template is compiled once per mode: as plain text,
as JSON between values, or as JSON inside a string, because an output is escaped by where it stands.
"""

from __future__ import annotations

import re
from typing import ClassVar

from headwater.templates import nodes
from headwater.templates.jsontext import split_optional
from headwater.templates.operations import Operations
from headwater.templates.program import STRING, TEXT, VALUE, Program

__all__ = ["STRING", "TEXT", "VALUE", "Compiler", "Program"]
_FORLOOP = re.compile(r"\bforloop\b")


class Compiler(Operations):
    """Compiles one template in one mode. A dialect overrides the small methods that say how variables are bound."""

    printers: ClassVar = {TEXT: "text", VALUE: "json_value", STRING: "quoted"}

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
