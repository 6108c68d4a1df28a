"""Microsoft's dialect to Python: member access in line, bindings with DotLiquid's scopes, its own tags.

A path is a chain of conditional look-ups without a call, because templates are mostly paths. Within one condition and
its `elsif`s each path is looked up once: conditions group to the right, so what was asked first was asked for sure.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from headwater.templates import nodes
from headwater.templates.compiler import TEXT, VALUE, Compiler, Program
from headwater.templates.errors import TemplateError
from headwater.templates.filters import Filter
from headwater.templates.jsontext import MARK, JsonText
from headwater.templates.microsoft.flow import BATCHES, flow

_COMPARE = {
    "==": "equal({}, {})",
    "!=": "(not equal({}, {}))",
    "<": "less({}, {})",
    "<=": "less_or_equal({}, {})",
    ">": "greater({}, {})",
    ">=": "greater_or_equal({}, {})",
    "contains": "contains({}, {})",
    "startswith": "starts_with({}, {})",
    "endswith": "ends_with({}, {})",
    "haskey": "has_key({}, {})",
    "hasvalue": "has_value({}, {})",
}


class _Loose(JsonText):
    """A template whose strings begin in one branch and end in another: its text is left as it is."""

    def read(self, text: str) -> str:
        return text


class MicrosoftCompiler(Compiler):
    printers = {TEXT: "text", VALUE: "text", "string": "mended"}

    def __init__(self, template: nodes.Template, mode: str, filters: dict[str, Filter]) -> None:
        super().__init__(template, mode, filters)
        self._seen: dict[str, str] | None = None  # paths looked up in the present condition, and where they are kept
        self._counts: dict[str, int] = {}
        self._certain: dict[str, str] = {}
        self._leftmost: nodes.Expression | None = None

    def compile(self) -> Program:
        try:
            return super().compile()
        except TemplateError as error:
            if self.json is None or isinstance(self.json, _Loose) or "quotation" not in error.hint:
                raise
        again = type(self)(self.template, self.mode, self.known)
        again.json = _Loose(False)
        return again.compile()

    def summary(self) -> Any:
        return flow(self.template).packed()

    # -------------------------------------------------------------------------------------------------- statements

    def do_if(self, node: nodes.If) -> None:
        tests = self._share([condition for condition, _ in node.branches])
        for number, (test, (_, body)) in enumerate(zip(tests, node.branches, strict=True)):
            negated = number == 0 and node.negate_first
            self.emit(f"{'elif' if number else 'if'} {f'not ({test})' if negated else test}:")
            self.suite(body)
        if node.otherwise:
            self.emit("else:")
            self.suite(node.otherwise)

    def _share(self, conditions: list[nodes.Expression]) -> list[str]:
        """The tests of an if and its elsifs. A path that was surely looked up before is not looked up again: within a
        condition whatever stands to the left, from condition to condition only what stands leftmost."""
        self._counts, self._seen = {}, None
        for condition in conditions:
            self.test(condition)  # only to count
        tests, kept = [], dict[str, str]()
        for condition in conditions:
            self._seen, self._leftmost = dict(kept), condition
            while isinstance(self._leftmost, nodes.Logic):
                self._leftmost = self._leftmost.left
            tests.append(self.test(condition))
            kept = self._certain
        self._seen = None
        return tests

    def test(self, node: nodes.Expression) -> str:
        source = super().test(node)
        if self._seen is not None and node is self._leftmost:
            self._certain = dict(self._seen)
        return source

    def do_case(self, node: nodes.Case) -> None:
        subject, missed = self.new("c"), self.new("m")
        self.emit(f"{subject} = {self.value(node.subject)}")
        self.emit(f"{missed} = True")
        for values, body in node.branches:
            for value in values:
                self.emit(f"if equal({subject}, {self.value(value)}):")
                self._indent += 1
                self.emit(f"{missed} = False")
                self._indent -= 1
                self.suite(body)
            if not values:
                self.emit(f"if {missed}:")
                self.suite(body)

    def do_include(self, node: nodes.Include) -> None:
        function, item = self.partial(node.template), None
        if node.item:
            item = self.new("y")
            self.emit(f"{item} = {self.value(node.item)}")
        saved = [self._bind(name, self.value(value)) for name, value in node.arguments]
        call = f"{function}(s, v, {self._out[-1]})"
        if item:
            each = self.new("e")
            saved.append(self._bind(node.alias, item))
            self.emit(f"for {each} in spread({item}):")
            self._indent += 1
            self.emit(f"v[{node.alias!r}] = {each}")
            self.emit(call)
            self._indent -= 1
        else:
            self.emit(call)
        self.unbind(saved)

    def do_evaluate(self, node: nodes.Evaluate) -> None:
        json, self.json = self.json, None
        function = self.partial(node.template)
        self.json = json
        saved = [self._bind(name, self.value(value)) for name, value in node.arguments]
        out = self.new("o")
        self.emit(f"{out} = []; {function}(s, v, {out})")
        self.assign(node.name, f"evaluated(s, {out})")
        self.unbind(saved)

    def do_mergediff(self, node: nodes.MergeDiff) -> None:
        out = self._aside(node.body)
        self.emit(f"w(merged(s, {self.value(node.value)}, captured(s, {out})))")

    def do_validate(self, node: nodes.Validate) -> None:
        out = self._aside(node.body)
        self.emit(f"w(validated(s, {node.schema!r}, captured(s, {out})))")

    def _aside(self, body: tuple[nodes.Statement, ...]) -> str:
        """A body written as plain text to a list of its own."""
        outer, inner, json = self._out[-1], self.new("o"), self.json
        self.emit(f"{inner} = []; w = {inner}.append")
        self._out.append(inner)
        self.json = None
        self.body(body)
        self.flush()
        self.json = json
        self._out.pop()
        self.emit(f"w = {outer}.append")
        return inner

    def _leave(self, word: str) -> None:
        if self._loops:
            super()._leave(word)
            return
        for number in range(len(self._captures) - 1, -1, -1):  # outside of a loop the template ends here
            self._close_capture(number)
        self.emit("s.depth -= 1")
        self.emit("return")

    # --------------------------------------------------------------------------------------------------- variables

    def assign(self, name: str, value: str) -> None:
        self.emit(f"_ = {value}")
        self.emit(f"if {name!r} in s.under: s.under[{name!r}] = _")
        self.emit(f"else: v[{name!r}] = _")

    def _bind(self, name: str, value: str) -> tuple[str, str]:
        saved, fresh = self.new("k"), self.new("f")
        self.emit(f"{saved} = v.get({name!r}); _ = {value}")
        self.emit(f"if {fresh} := {name!r} not in s.under: s.under[{name!r}] = {saved}")
        self.emit(f"v[{name!r}] = _")
        return name, f"s.under.pop({name!r}) if {fresh} else {saved}"

    def bind(self, values: dict[str, str]) -> list[tuple[str, str]]:
        return [self._bind(name, value) for name, value in values.items()]

    def unbind(self, saved: list[tuple[str, str]]) -> None:
        for name, source in reversed(saved):
            self.emit(f"v[{name!r}] = {source}")

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self, node: nodes.Expression) -> str:
        if isinstance(node, nodes.Path):
            return self._path(node)
        if isinstance(node, nodes.Literal) and isinstance(node.value, Decimal):
            return f"Decimal({str(node.value)!r})"
        return super().value(node)

    def _path(self, node: nodes.Path) -> str:
        source = f"v.get({node.root!r})"
        for number, part in enumerate(node.parts):
            key = repr((node.root, node.parts[: number + 1]))
            source = self._once(key, self._member(source, part))
        return source

    def _member(self, source: str, part: str | int | nodes.Expression) -> str:
        if isinstance(part, str):
            key = int(part) if part.isdecimal() and len(part) < 10 else part.lower()
            return f"(None if (_ := {source}) is None else _[{key!r}] if _.__class__ in D else get(_, {part!r}))"
        if isinstance(part, int):
            return f"(None if (_ := {source}) is None else _[{part}] if _.__class__ in D else at(_, {part}))"
        return f"at({source}, {self.value(part)})"

    def _once(self, path: str, source: str) -> str:
        if self._seen is None:
            self._counts[path] = self._counts.get(path, 0) + 1
            return source
        if path in self._seen:
            return self._seen[path]
        if self._counts.get(path, 0) < 2:
            return source
        self._seen[path] = self.new("t")
        return f"({self._seen[path]} := {source})"

    def call(self, call: nodes.Call, value: str) -> str:
        if call.name in BATCHES and len(call.arguments) > 1:
            return self._batch(call, value, TEXT, ",")
        known = self.known.get(call.name)
        if known is None:
            return value  # an unknown filter passes its input on
        if not known.least <= len(call.arguments) <= known.most:
            return f"refused({call.name!r})"
        function = self._filters.setdefault(call.name, f"F{len(self._filters)}")
        arguments = [*(["s"] if known.metered else []), value, *map(self.value, call.arguments)]
        return f"{function}({', '.join(arguments)})"

    def _batch(self, call: nodes.Call, value: str, mode: str, tail: str) -> str:
        template, *names = call.arguments
        if isinstance(template, nodes.Literal) and isinstance(template.value, str):
            function = self._partials.setdefault((template.value, mode), f"P{len(self._partials)}")
        else:
            function = f"s.partial({self.value(template)}, {mode!r})"
        return f"batch(s, v, {value}, {function}, {tail!r}, {', '.join(map(self.value, names))})"

    def printed(self, node: nodes.Expression) -> str:
        """An output between values that ends in `batch_render` renders its items as JSON text, commas marked."""
        if self.now == VALUE and isinstance(node, nodes.Pipe) and not isinstance(self.json, _Loose):
            *before, last = node.calls
            if last.name in BATCHES and len(last.arguments) > 1:
                value = nodes.Pipe(node.value, tuple(before)) if before else node.value
                return self._batch(last, self.value(value), VALUE, MARK)
        return super().printed(node)

    def _comparison(
        self, operator: str, left: str, right: nodes.Expression, left_node: nodes.Expression | None = None
    ) -> str:
        if operator in ("==", "!="):
            special = self._special(operator, left, right, left_node)
            if special:
                return special
            if isinstance(right, nodes.Literal):
                return _constant(operator, left, right.value)
        return _COMPARE[operator].format(left, self.value(right))


def _constant(operator: str, left: str, value: object) -> str:
    if value is None:
        return f"({left} {'is' if operator == '==' else 'is not'} None)"
    constant = f"Decimal({str(value)!r})" if isinstance(value, Decimal) else repr(value)
    if isinstance(value, str):
        return f"((_ {operator} {constant}) if (_ := {left}).__class__ is str else {_negated(operator)}equal(_, {constant}))"
    return f"({_negated(operator)}equal({left}, {constant}))"


def _negated(operator: str) -> str:
    return "not " if operator == "!=" else ""
