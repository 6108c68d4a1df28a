"""Expressions of Microsoft's dialect to Python: paths without calls, each looked up once while nothing can change it.

Templates are mostly paths, and mostly the same ones again and again. Each step of a path is kept in a local; the local
is used until a statement may have given the variable another value, and never where its look-up may not have run.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from headwater.templates import nodes
from headwater.templates.compiler import Compiler
from headwater.templates.filters import Filter
from headwater.templates.jsontext import MARK, JsonText
from headwater.templates.microsoft.flow import BATCHES
from headwater.templates.program import TEXT, VALUE

Key = tuple[Any, ...]
COMPARE = {
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
# Filters that give nil for nil, whatever their arguments: not called then.
NIL_STAYS = frozenset(
    {
        *("append", "prepend", "replace", "remove", "upcase", "downcase", "strip", "lstrip", "rstrip", "truncate"),
        *("capitalize", "escape", "escape_special_chars", "unescape_special_chars", "to_json_string"),
        *("get_property", "generate_uuid", "generate_id_input", "evaluate", "get_object", "plus", "minus", "times"),
        *("format_as_date_time", "add_hyphens_date", "add_seconds", "format_as_hl7v2_date_time", "date"),
    }
)


class Loose(JsonText):
    """A template whose strings begin in one branch and end in another: its text is left as it is."""

    def read(self, text: str) -> str:
        return text


class ExpressionCompiler(Compiler):
    """The half of the compiler that makes Python expressions."""

    def __init__(self, template: nodes.Template, mode: str, filters: dict[str, Filter]) -> None:
        super().__init__(template, mode, filters)
        self._live: dict[Key, str] = {}  # paths whose value is surely in a local by now
        self._stale: set[str] = set()  # variables that may have changed since a branch began; "*" for all

    def branch(self, body: tuple[nodes.Statement, ...]) -> None:
        """A body that may or may not run: what it looks up is not known behind it."""
        live = dict(self._live)
        self.suite(body)
        self._live = live

    def forget(self, *names: str) -> None:
        """Variables that may have another value from here on."""
        self._stale.update(names)
        if "*" in names:
            self._live = {}
        elif names:
            self._live = {key: local for key, local in self._live.items() if key[0] not in names}

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
        if call.name not in NIL_STAYS:
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
        if self.now == VALUE and isinstance(node, nodes.Pipe) and not isinstance(self.json, Loose):
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
        return COMPARE[operator].format(left, self.value(right))


def _key(node: nodes.Path) -> Key:
    return (node.root, *node.parts)


def _member(source: str, local: str, part: str | int) -> str:
    """One step of a path: `source` gives the whole and leaves it in `local`."""
    if isinstance(part, int):
        key, other = repr(part), f"at({local}, {part})"
    else:
        key = str(int(part)) if part.isdecimal() and len(part) < 10 else repr(part.lower())
        other = f"get({local}, {part!r})"
    return f"None if {source} is None else {local}[{key}] if {local}.__class__ is Drop else {other}"


def _constant(operator: str, left: str, value: object) -> str:
    if value is None:
        return f"({left} {'is' if operator == '==' else 'is not'} None)"
    constant = f"Decimal({str(value)!r})" if isinstance(value, Decimal) else repr(value)
    if isinstance(value, str):
        other = f"{_negated(operator)}equal(_, {constant})"
        return f"((_ {operator} {constant}) if (_ := {left}).__class__ is str else {other})"
    return f"({_negated(operator)}equal({left}, {constant}))"


def _negated(operator: str) -> str:
    return "not " if operator == "!=" else ""
