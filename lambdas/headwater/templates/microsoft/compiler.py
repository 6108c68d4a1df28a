"""Statements of Microsoft's dialect to Python: DotLiquid's scopes, Microsoft's own tags.

A scope is a binding undone on return; `u` holds, for each name bound at the moment, its value in the outermost scope,
which is where `assign`, `capture` and `evaluate` write.
"""

from __future__ import annotations

from typing import Any, ClassVar

from headwater.templates import nodes
from headwater.templates.errors import TemplateError
from headwater.templates.microsoft.expressions import ExpressionCompiler, Loose
from headwater.templates.microsoft.flow import flow
from headwater.templates.program import STRING, TEXT, VALUE, Program


class MicrosoftCompiler(ExpressionCompiler):
    printers: ClassVar = {TEXT: "text", VALUE: "text", STRING: "mended"}

    def compile(self) -> Program:
        try:
            return super().compile()
        except TemplateError as error:
            if self.json is None or isinstance(self.json, Loose) or "quotation" not in error.hint:
                raise
        again = type(self)(self.template, self.mode, self.known)
        again.json = Loose(False)
        return again.compile()

    def begin(self) -> None:
        super().begin()
        self.emit("u = s.under")

    def summary(self) -> Any:
        return flow(self.template).packed()

    # -------------------------------------------------------------------------------------------------- statements

    def do_if(self, node: nodes.If) -> None:
        live, stale = self._live, self._stale
        self._stale = set()
        for number, (condition, body) in enumerate(node.branches):
            test = self.test(condition)
            if number == 0:
                live = dict(self._live)
                test = f"not ({test})" if node.negate_first else test
            self.emit(f"{'elif' if number else 'if'} {test}:")
            self.branch(body)
        if node.otherwise:
            self.emit("else:")
            self.branch(node.otherwise)
        self._live = live
        self.forget(*self._stale)
        self._stale |= stale

    def do_for(self, node: nodes.For) -> None:
        items, index, whole = self.new("l"), self.new("i"), self.new("y")
        source = self.value(node.source)
        limit = self.value(node.limit) if node.limit else "None"
        offset = self.value(node.offset) if node.offset else "None"
        self.emit(f"{whole} = {source}")
        self.emit(f"{items} = () if {whole} is None else turns(s, {whole}, {limit}, {offset}, {node.reverse})")
        live, stale = dict(self._live), self._stale
        self._stale, self._live = set(), {}
        self.emit(f"if {items}:")
        self._indent += 1
        self._loop(node, items, index)
        self._indent -= 1
        if node.otherwise:
            self._live = {}
            self.emit("else:")
            self.suite(node.otherwise)
        self._live = live
        self.forget(*self._stale)
        self._stale |= stale

    def _loop(self, node: nodes.For, items: str, index: str) -> None:
        loop = self.new("x") if self._uses_forloop(node.body) else ""
        saved = [self._bind(node.name, "None")]
        if loop:
            self.emit(f"{loop} = ForLoop(len({items}), v.get('forloop'))")
            saved.append(self._bind("forloop", loop))
        self.emit(f"for {index} in {items}:")
        self._loops.append(len(self._captures))
        self._indent += 1
        self.emit(f"s.tick({self._out[-1]})")
        if loop:
            self.emit(f"{loop}.index0 += 1")
        self.emit(f"v[{node.name!r}] = {index}")
        self._indent -= 1
        self._live = {(node.name,): index}
        self.suite(node.body)
        self._loops.pop()
        self.unbind(saved)

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
                self.branch(body)
                self.forget("*")
            if not values:
                self.emit(f"if {missed}:")
                self.branch(body)
                self.forget("*")

    def do_include(self, node: nodes.Include) -> None:
        function, item = self.partial(node.template), None
        if node.item:
            item = self.new("y")
            self.emit(f"{item} = {self.value(node.item)}")
        call = f"{function}(s, v, {self._out[-1]})"
        guard = _guard(node.arguments)
        if guard and self.now != TEXT and function.startswith("P") and not item:
            self._guarded(node, guard, function, call)
            return
        saved = [self._bind(name, self.value(value)) for name, value in node.arguments]
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
        self.forget("*")
        self.unbind(saved)

    def _guarded(self, node: nodes.Include, guard: str, function: str, call: str) -> None:
        """A partial between values is not called if its argument `guard` is nil and it would write nothing then."""
        local = self.new("a")
        self.emit(f"{local} = {self.value(dict(node.arguments)[guard])}")
        self.emit(f"if {local} is not None or N{function[1:]} != {guard!r}:")
        self._indent += 1
        saved = [self._bind(name, local if name == guard else self.value(value)) for name, value in node.arguments]
        self.emit(call)
        self.unbind(saved)
        self._indent -= 1
        self.forget("*")

    def do_evaluate(self, node: nodes.Evaluate) -> None:
        json, self.json = self.json, None
        function = self.partial(node.template)
        self.json = json
        saved = [self._bind(name, self.value(value)) for name, value in node.arguments]
        out = self.new("o")
        self.emit(f"{out} = []; {function}(s, v, {out})")
        self.forget("*")
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
        self.emit(f"if {name!r} in u: u[{name!r}] = _")
        self.emit(f"else: v[{name!r}] = _")
        self.forget(name)

    def _bind(self, name: str, value: str) -> tuple[str, str]:
        saved, fresh = self.new("k"), self.new("q")
        self.emit(f"{saved} = v.get({name!r}); _ = {value}")
        self.emit(f"if {fresh} := {name!r} not in u: u[{name!r}] = {saved}")
        self.emit(f"v[{name!r}] = _")
        self.forget(name)
        return name, f"u.pop({name!r}) if {fresh} else {saved}"

    def bind(self, values: dict[str, str]) -> list[tuple[str, str]]:
        return [self._bind(name, value) for name, value in values.items()]

    def unbind(self, saved: list[tuple[str, str]]) -> None:
        for name, source in reversed(saved):
            self.emit(f"v[{name!r}] = {source}")
            self.forget(name)


def _guard(arguments: tuple[tuple[str, nodes.Expression], ...]) -> str:
    """The first argument that is no constant, if those bound before it cannot change its value; or nothing."""
    before = set()
    for name, value in arguments:
        if isinstance(value, nodes.Path):
            return name if value.root not in before else ""
        before.add(name)
    return ""
