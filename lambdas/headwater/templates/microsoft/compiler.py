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


Key = tuple[Any, ...]
_NIL_STAYS = frozenset(
    "append prepend replace remove get_property format_as_date_time add_hyphens_date add_seconds generate_uuid "
    "generate_id_input evaluate get_object upcase downcase strip lstrip rstrip escape to_json_string date truncate "
    "capitalize escape_special_chars unescape_special_chars format_as_hl7v2_date_time plus minus times".split()
)


class _Loose(JsonText):
    """A template whose strings begin in one branch and end in another: its text is left as it is."""

    def read(self, text: str) -> str:
        return text


class MicrosoftCompiler(Compiler):
    printers = {TEXT: "text", VALUE: "text", "string": "mended"}

    def __init__(self, template: nodes.Template, mode: str, filters: dict[str, Filter]) -> None:
        super().__init__(template, mode, filters)
        self._live: dict[Key, str] = {}  # paths whose value is surely in a local by now
        self._stale: set[str] = set()  # variables that may have changed since a branch began; "*" for all

    def compile(self) -> Program:
        try:
            return super().compile()
        except TemplateError as error:
            if self.json is None or isinstance(self.json, _Loose) or "quotation" not in error.hint:
                raise
        again = type(self)(self.template, self.mode, self.known)
        again.json = _Loose(False)
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
            self._branch(body)
        if node.otherwise:
            self.emit("else:")
            self._branch(node.otherwise)
        self._live = live
        self._forget(*self._stale)
        self._stale |= stale

    def _branch(self, body: tuple[nodes.Statement, ...]) -> None:
        """A body that may or may not run: what it looks up is not known behind it."""
        live = dict(self._live)
        self.suite(body)
        self._live = live

    def _forget(self, *names: str) -> None:
        """Variables that may have another value from here on."""
        self._stale.update(names)
        if "*" in names:
            self._live = {}
        elif names:
            self._live = {key: local for key, local in self._live.items() if key[0] not in names}

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
        self._forget(*self._stale)
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
                self._branch(body)
                self._forget("*")
            if not values:
                self.emit(f"if {missed}:")
                self._branch(body)
                self._forget("*")

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
        self._forget("*")
        self.unbind(saved)

    def do_evaluate(self, node: nodes.Evaluate) -> None:
        json, self.json = self.json, None
        function = self.partial(node.template)
        self.json = json
        saved = [self._bind(name, self.value(value)) for name, value in node.arguments]
        out = self.new("o")
        self.emit(f"{out} = []; {function}(s, v, {out})")
        self._forget("*")
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
        self._forget(name)

    def _bind(self, name: str, value: str) -> tuple[str, str]:
        saved, fresh = self.new("k"), self.new("q")
        self.emit(f"{saved} = v.get({name!r}); _ = {value}")
        self.emit(f"if {fresh} := {name!r} not in u: u[{name!r}] = {saved}")
        self.emit(f"v[{name!r}] = _")
        self._forget(name)
        return name, f"u.pop({name!r}) if {fresh} else {saved}"

    def bind(self, values: dict[str, str]) -> list[tuple[str, str]]:
        return [self._bind(name, value) for name, value in values.items()]

    def unbind(self, saved: list[tuple[str, str]]) -> None:
        for name, source in reversed(saved):
            self.emit(f"v[{name!r}] = {source}")
            self._forget(name)

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self, node: nodes.Expression) -> str:
        if isinstance(node, nodes.Path):
            return self._path(node)
        if isinstance(node, nodes.Literal) and isinstance(node.value, Decimal):
            return f"Decimal({str(node.value)!r})"
        return super().value(node)

    def test(self, node: nodes.Expression) -> str:
        if isinstance(node, nodes.Path):
            source = self._path(node)
            local = self._live.get(_key(node))
            return f"({source} is not None and {local} is not False)" if local else super().test(node)
        if isinstance(node, nodes.Logic):
            left = self.test(node.left)
            sure = dict(self._live)
            right = self.test(node.right)
            self._live = sure  # the right side may not have run
            return f"({left} {node.operator} {right})"
        return super().test(node)

    def _path(self, node: nodes.Path) -> str:
        """The value of a path; each step is kept in a local, and taken from there while nothing can have changed."""
        source = self._kept((node.root,), f"v.get({node.root!r})")
        for number, part in enumerate(node.parts):
            if not isinstance(part, str | int):
                return self._unkept(source, node.parts[number:])
            key = (node.root, *node.parts[: number + 1])
            source = self._live.get(key) or self._kept(key, _member(source, self._live[key[:-1]], part))
        return source

    def _kept(self, key: Key, source: str) -> str:
        known = self._live.get(key)
        if known:
            return known
        local = self._live[key] = self.new("t")
        return f"({local} := {source})"

    def _unkept(self, source: str, parts: tuple[str | int | nodes.Expression, ...]) -> str:
        """The rest of a path from an index that is worked out."""
        for part in parts:
            if isinstance(part, str):
                source = f"get({source}, {part!r})"
            else:
                source = f"at({source}, {part if isinstance(part, int) else self.value(part)})"
        return source

    def optional(self, printed: str, opening: str, closing: str) -> None:
        value = printed.removeprefix("mended(").removesuffix(")")
        self.emit(f"if (_ := {value}) is not None and (_ := mended(_)): w({opening!r} + _ + {closing!r})")

    def call(self, call: nodes.Call, value: str) -> str:
        if call.name in BATCHES and len(call.arguments) > 1:
            return self._batch(call, value, TEXT, ",")
        known = self.known.get(call.name)
        if known is None:
            return value  # an unknown filter passes its input on
        if not known.least <= len(call.arguments) <= known.most:
            return f"refused({call.name!r})"
        function = self._filters.setdefault(call.name, f"F{len(self._filters)}")
        first = "s, " if known.metered else ""
        if call.name not in _NIL_STAYS:
            return f"{function}({', '.join([first + value, *map(self.value, call.arguments)])})"
        sure, local = dict(self._live), self.new("z")
        arguments = ", ".join([first + local, *map(self.value, call.arguments)])
        self._live = sure  # arguments are worked out only for what is not nil
        return f"(None if ({local} := {value}) is None else {function}({arguments}))"

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


def _key(node: nodes.Path) -> Key:
    return (node.root, *node.parts)


def _member(source: str, local: str, part: str | int) -> str:
    """One step of a path: `source` gives the whole and leaves it in `local`."""
    if isinstance(part, int):
        key, other = part, f"at({local}, {part})"
    else:
        key, other = int(part) if part.isdecimal() and len(part) < 10 else part.lower(), f"get({local}, {part!r})"
    return f"None if {source} is None else {local}[{key!r}] if {local}.__class__ is Drop else {other}"


def _constant(operator: str, left: str, value: object) -> str:
    if value is None:
        return f"({left} {'is' if operator == '==' else 'is not'} None)"
    constant = f"Decimal({str(value)!r})" if isinstance(value, Decimal) else repr(value)
    if isinstance(value, str):
        return f"((_ {operator} {constant}) if (_ := {left}).__class__ is str else {_negated(operator)}equal(_, {constant}))"
    return f"({_negated(operator)}equal({left}, {constant}))"


def _negated(operator: str) -> str:
    return "not " if operator == "!=" else ""
