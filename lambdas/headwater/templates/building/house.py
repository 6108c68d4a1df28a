"""The house dialect on the fast way: Shopify Liquid's members, comparisons, partials and printing as Python."""

from __future__ import annotations

from headwater.templates import nodes, runtime
from headwater.templates.building.builder import Builder
from headwater.templates.building.source import NIL, Const, Part, const, local_of
from headwater.templates.building.unit import Build, Spec, Unit
from headwater.templates.filters import Filter
from headwater.templates.limits import LARGE
from headwater.templates.operations import FilterCalls

_COMPARE = {
    "==": "equal({}, {})",
    "!=": "(not equal({}, {}))",
    "<": "less({}, {})",
    "<=": "less_or_equal({}, {})",
    ">": "greater({}, {})",
    ">=": "greater_or_equal({}, {})",
    "contains": "contains({}, {})",
}


class HouseBuilder(FilterCalls, Builder):
    def member(self, source: str, part: str | int) -> str:
        return f"member({source}, {part!r})"

    def indexed(self, source: str, index: str) -> str:
        return f"member({source}, {index})"

    def step(self, source: str, whole: str, part: str | int, name: str) -> str:
        """A text is its own first part, and has no others."""
        if name and isinstance(part, int) and part > 0:
            return self._numbered(source, whole, part)
        sure = source == whole and whole in self._sure
        if not isinstance(part, int) or part < 1:
            return f"member({whole}, {part!r})" if sure else f"None if {source} is None else member({whole}, {part!r})"
        text = f"{source}.__class__ is str" if sure else f"{source} is None or {whole}.__class__ is str"
        numbered = f"{whole}.part({part}) if isinstance({whole}, Numbered) else member({whole}, {part})"
        return f"{whole if part == 1 else None} if {text} else {numbered}"

    def _numbered(self, source: str, whole: str, part: int) -> str:
        """Part of a variable: most are segments or fields, of which several parts are asked for."""
        key = whole, "reader"
        if key in self._live:
            return f"{self._live[key]}({part})"
        self._live[key] = self.new("t")
        return f"({self._live[key]} := reader({source}))({part})"

    def comparison(self, operator: str, left: str, right: str) -> str:
        if operator in ("==", "!=") and isinstance(right, Const):
            if isinstance(left, Const):
                return const(runtime.equal(left.value, right.value) is (operator == "=="))
            if isinstance(right.value, str):
                return self._equal_to(operator, left, right)
        return _COMPARE[operator].format(left, right)

    def _equal_to(self, operator: str, left: str, text: Const) -> str:
        local = local_of(left)
        source = left if local else f"(_ := {left})"
        local = local or "_"
        other = f"{'not ' if operator == '!=' else ''}equal({local}, {text})"
        return f"({local} {operator} {text} if {source}.__class__ is str else {other})"

    # ---------------------------------------------------------------------------------------------------- statements

    def do_case(self, node: nodes.Case) -> None:
        """The first branch that matches."""
        arms = []
        for values, body in node.branches:
            test: nodes.Expression = nodes.Compare("==", node.subject, values[-1])
            for value in reversed(values[:-1]):
                test = nodes.Logic("or", nodes.Compare("==", node.subject, value), test)
            arms.append((test, body))
        self.do_if(nodes.If(tuple(arms), node.otherwise, node.at))

    def do_include(self, node: nodes.Include) -> None:
        name = self._name(node.template)
        values = {argument: self.hold(self.value(value)) for argument, value in node.arguments}
        if node.item is None:
            self._give(name, values, node.isolated)
            return
        item = self.hold(self.value(node.item))
        if not node.each:
            self._give(name, {**values, node.alias: item}, node.isolated)
        elif item is not NIL:
            each, writes = self.new("i"), self.unit.writes((node,))
            given = {**values, node.alias: each}
            self._loop(f"sequence(s, {item})", each, {}, writes, lambda: self._give(name, given, node.isolated))

    def _give(self, name: str, values: dict[str, str], isolated: bool) -> None:
        outer, dynamic = self.bound, {each: value for each, value in values.items() if each in self.unit.dynamic}
        static = {each: value for each, value in values.items() if each not in dynamic}
        if isolated:
            self.bound = static
            self._include(name, "{" + ", ".join(f"{each!r}: {value}" for each, value in dynamic.items()) + "}")
        else:
            saved = self.rebind(dynamic)
            self.bound = {**outer, **static}
            self._include(name)
            self.restore(saved)
        self.bound = outer

    # ------------------------------------------------------------------------------------------------------ printing

    def bare(self, source: str) -> str:
        return f"value_of(s, {source})"

    def text_of(self, source: str) -> str:
        return const(runtime.text(source.value)) if isinstance(source, Const) else f"text({source})"

    def piece_of(self, source: str) -> str:
        if isinstance(source, Const):
            return const(runtime.quoted(source.value))
        part = Part(f"quoted({source})")
        part.raw = source
        return part

    def output(self, source: str, local: str) -> str:
        known = "" if local in self._sure else f"{source} is not None and "
        short = f"{local}.__class__ is str and len({local}) < {LARGE}"
        return f"{known}(_ := {local} if {short} else plain(s, {local}))"

    def string_of(self, parts: list[str]) -> str:
        """Data needs no escapes if nothing is unescaped; text with escapes of its own is read as JSON reads it."""
        pieces = []
        for part in parts:
            if isinstance(part, Part):
                pieces.append(f"text({part.raw})")
            elif isinstance(part, Const) and "\\" not in part.value:
                pieces.append(part)
            else:
                return f"told(s, ({', '.join(parts)}))"
        return f"together(s, ({', '.join(pieces)}))"


def building(filters: dict[str, Filter]) -> Build:
    def build(unit: Unit, spec: Spec, comma: str) -> None:
        HouseBuilder(unit, spec, comma, filters).complete()

    return build
