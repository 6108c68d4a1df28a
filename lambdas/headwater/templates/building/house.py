"""The house dialect on the fast way: Shopify Liquid's statements and printing as Python."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile

from headwater.model import LARGE
from headwater.templates import nodes, runtime
from headwater.templates.building.house_values import HouseValues
from headwater.templates.building.position import STRING, Frame, decoded
from headwater.templates.building.source import ANY, FRESH, NIL, SOLIDS, WORD, Const, Fresh, Part, const, kind_of
from headwater.templates.building.unit import Build, Spec, Unit
from headwater.templates.filters import Filter

_SHORT = 1_000  # items of a list that nobody needs to count
_LOCAL = re.compile(r"\bv\d+\b")
_TESTED = re.compile(r"( *)if (\()?\((v\d+) := \((\w+\[\d+\]) or None\)\)(?(2)\))(?=:)")  # a condition that is a part


class HouseBuilder(HouseValues):
    # ---------------------------------------------------------------------------------------------------- statements

    def do_case(self, node: nodes.Case) -> None:
        """The first branch that matches."""
        arms = tuple((self._matches(node.subject, values), body) for values, body in node.branches)
        self.do_if(nodes.If(arms, node.otherwise, node.at))

    @staticmethod
    def _matches(subject: nodes.Expression, values: tuple[nodes.Expression, ...]) -> nodes.Expression:
        texts = [value.value for value in values if isinstance(value, nodes.Literal) and isinstance(value.value, str)]
        if len(values) == len(texts) > 1:
            return nodes.Compare("in", subject, nodes.Literal(tuple(texts)))
        test: nodes.Expression = nodes.Compare("==", subject, values[-1])
        for value in reversed(values[:-1]):
            test = nodes.Logic("or", nodes.Compare("==", subject, value), test)
        return test

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
            each, writes = self.new(self.item(item)), self.unit.writes((node,))
            given = {**values, node.alias: each}
            self._loop(self.items(item), each, {}, writes, lambda: self._give(name, given, node.isolated))

    def _give(self, name: str, values: dict[str, str], isolated: bool) -> None:
        assigned = self.unit.dynamic(name)
        outer, dynamic = self.bound, {each: value for each, value in values.items() if each in assigned}
        static = {each: value for each, value in values.items() if each not in dynamic}
        if isolated:
            self.bound = static
            scope = "{" + ", ".join(f"{each!r}: {value}" for each, value in dynamic.items()) + "}"
            self._include(name, "None" if self.unit.alone(name) else scope)
        else:
            saved = self.rebind(dynamic)
            self.bound = {**outer, **static}
            self._include(name)
            self.restore(saved)
        self.bound = outer

    # ------------------------------------------------------------------------------------------------------ printing

    def bare(self, source: str) -> str:
        return f"({source} or '')" if isinstance(source, Fresh) else f"value_of(s, {source})"

    def bare_there(self, source: str) -> str:
        if source is NIL:
            return ""
        if isinstance(source, Fresh):
            return f"_ := {source}"
        local, found = self._named(source)
        if kind_of(source) == FRESH:
            return f"{found} is not None and ((_ := copied(s, {local})) or kept(_))"
        return f"{found} is not None and ((_ := value_of(s, {local})) or kept(_))"

    def text_of(self, source: str) -> str:
        if isinstance(source, Const):
            return const(runtime.text(source.value))
        if kind_of(source) == WORD:
            return source if source in self._sure else f"({source} or '')"
        local, found = self._named(source)
        return f"({local} if {found}.__class__ is str else text({local}))"

    def piece_of(self, source: str) -> str:
        if isinstance(source, Const):
            return const(runtime.quoted(source.value))
        part = Part(self.text_of(source))
        part.raw = source
        return part

    def pieces(self, frame: Frame) -> list[str]:
        """Of a JSON string what its pieces say; what data says needs no escapes, since nothing is unescaped."""
        parts = super().pieces(frame)
        if frame.kind != STRING:
            return parts
        return [const(decoded(part.value)) if isinstance(part, Const) else part for part in parts]

    def items(self, source: str) -> str:
        nothing = "" if source in self._sure else f"() if {source} is None else "
        if kind_of(source) in SOLIDS:
            usual = f"({source},) if {source}.__class__ is str else {source}.each() if isinstance({source}, Numbered)"
        else:
            usual = f"{source} if {source}.__class__ is list and len({source}) < {_SHORT}"
        return f"({nothing}{usual} else sequence(s, {source}))"

    def item(self, source: str) -> str:
        return super().item(source) if kind_of(source) == ANY else kind_of(source)

    def _finish(self) -> None:
        """Where a part is looked at only if it is true, it need not be made nil if it is false."""
        looks = Counter(_LOCAL.findall("\n".join(self._code)))
        for at, line in enumerate(self._code):
            tested = _TESTED.match(line)
            if tested:
                indent, _, local, part = tested.groups()
                behind = takewhile((indent + "  ").__eq__, (other[: len(indent) + 2] for other in self._code[at + 1 :]))
                suite = "\n".join(self._code[at : at + 1 + len(list(behind))])
                if _LOCAL.findall(suite).count(local) == looks[local]:
                    self._code[at] = f"{indent}if {local} := {part}{line[tested.end() :]}"

    def _put_output(self, local: str) -> None:
        """What is known to be there, or true if it is, is the string itself if it is a plain text, as most are."""
        kind = kind_of(local)
        text = local if kind == WORD else f"{local} if {local}.__class__ is str else plain(s, {local})"
        if kind not in SOLIDS:
            super()._put_output(local)
        elif local in self._sure:
            self._put(text, sure=True)
        elif self.frame.slot:
            self._put(f"'' if {local} is None else {text}")
        else:
            self._put_if(self._evaluated(local), text)

    def output(self, source: str, local: str) -> str:
        known = "" if local in self._sure else f"{source} is not None and "
        short = f"{local}.__class__ is str and len({local}) < {LARGE}"
        return f"{known}(_ := {local} if {short} else plain(s, {local}))"

    def string_of(self, parts: list[str]) -> str:
        if all(isinstance(part, Const) or (isinstance(part, Part) and kind_of(part.raw) == WORD) for part in parts):
            return f"({' + '.join(parts)})"
        return f"together(s, ({', '.join(parts)}))"

    def spilled_string(self, parts: str) -> str:
        return f"together(s, {parts})"


def building(filters: dict[str, Filter]) -> Build:
    def build(unit: Unit, spec: Spec, comma: str) -> None:
        HouseBuilder(unit, spec, comma, filters).complete()

    return build
