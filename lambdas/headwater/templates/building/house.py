"""The house dialect on the fast way: Shopify Liquid's members, comparisons, partials and printing as Python."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile
from typing import TypeGuard

from headwater.model import LARGE, LISTED, NUMBERS
from headwater.templates import nodes, runtime
from headwater.templates.building.position import STRING, Frame, decoded
from headwater.templates.building.resources import Resources
from headwater.templates.building.source import (
    ANY,
    FRESH,
    NIL,
    SOLID,
    SOLIDS,
    WORD,
    Const,
    Fresh,
    Part,
    Solid,
    Word,
    const,
    kind_of,
    local_of,
)
from headwater.templates.building.unit import Build, Spec, Unit
from headwater.templates.filters import Filter
from headwater.templates.operations import FilterCalls

_ABSENT = {"==": "is not None and", "!=": "is None or", "in": "is not None and"}  # nil is no text
_NUMERIC = ("==", "!=", "<", "<=", ">", ">=")
_SHORT = 1_000  # items of a list that nobody needs to count
_LOCAL = re.compile(r"\bv\d+\b")
_TESTED = re.compile(r"( *)if (\()?\((v\d+) := \((\w+\[\d+\]) or None\)\)(?(2)\))(?=:)")  # a condition that is a part
_COMPARE = {
    "==": "equal({}, {})",
    "!=": "(not equal({}, {}))",
    "<": "less({}, {})",
    "<=": "less_or_equal({}, {})",
    ">": "greater({}, {})",
    ">=": "greater_or_equal({}, {})",
    "contains": "contains({}, {})",
    "in": "among({}, {})",
}


class HouseBuilder(FilterCalls, Resources):
    def kind(self, source: str) -> str:
        return kind_of(source)

    def member(self, source: str, part: str | int) -> str:
        return f"member({source}, {part!r})"

    def indexed(self, source: str, index: str) -> str:
        return f"member({source}, {index})"

    def step(self, source: str, whole: str, part: str | int, name: str) -> str:
        """A text is its own first part, and has no others."""
        if not self._is_number(part, name):
            nothing = "" if source == whole and whole in self._sure else f"None if {source} is None else "
            known = self._known_kind(whole, part) if isinstance(part, str) else ""
            return f"{nothing}{known}member({whole}, {part!r})"
        if name:
            return self._numbered(source, whole, part)
        text = f"{'' if whole in self._sure else f'{source} is None or '}{whole}.__class__ is str"
        other = "part_of" if kind_of(whole) in SOLIDS else "member"
        numbered = f"{whole}.parts[{part}] or None if isinstance({whole}, Numbered) else {other}({whole}, {part})"
        return f"{whole if part == 1 else None} if {text} else {numbered}"

    def member_kind(self, whole: str, part: str | int, name: str) -> str:
        kind = kind_of(whole)
        if isinstance(part, int):
            return SOLID if self._is_number(part, name) and (name or kind in SOLIDS) else ANY
        return FRESH if kind == FRESH else ANY

    @staticmethod
    def _is_number(part: str | int, name: str) -> TypeGuard[int]:
        """Whether `parts` may be asked for it; for the numbers that no list has, only those of a variable are."""
        return isinstance(part, int) and 0 < part < (NUMBERS if name else LISTED)

    @staticmethod
    def _known_kind(whole: str, part: str) -> str:
        """A member of what most values are that are asked for it."""
        kind = kind_of(whole)
        if part == "size":
            return f"len({whole}) if {whole}.__class__ is list else "
        if part == "first":
            return f"{whole}[0] if {whole}.__class__ is list and {whole} else "
        if part == "last":
            return ""
        if kind == FRESH:
            return f"{whole}.get({part!r}) if {whole}.__class__ is dict else "
        if kind in SOLIDS and part == "text":
            return f"{whole} if {whole}.__class__ is str else "
        return f"{whole}.lookup({part!r}) if isinstance({whole}, Named) else "

    def _numbered(self, source: str, whole: str, part: int) -> str:
        """Part of a variable: most are segments or fields, of which several parts are asked for."""
        key = whole, "parts"
        parts = local = self._live.get(key, "")
        if not local:
            local = self._live[key] = self.new("t")
            text = f"['', {whole}, *NOTHING] if {whole}.__class__ is str else " if kind_of(whole) in SOLIDS else ""
            parts = f"({local} := {whole}.parts if isinstance({source}, Numbered) else {text}parts_of({whole}))"
        if part >= LISTED:
            return f"(None if {parts}.__class__ is list else {local}[{part}] or None)"
        return f"({parts}[{part}] or None)"

    def comparison(self, operator: str, left: str, right: str) -> str:
        if not isinstance(right, Const):
            return _COMPARE[operator].format(left, right)
        local, source = self._named(left)
        if operator in ("==", "!="):
            if isinstance(left, Const):
                return const(runtime.equal(left.value, right.value) is (operator == "=="))
            if right.value is None or isinstance(right.value, bool):
                return f"({left} {'is' if operator == '==' else 'is not'} {right})"
        if isinstance(right.value, str | tuple) and operator in _ABSENT and kind_of(left) in SOLIDS:
            return f"({left} {operator} {right})"
        if operator == "contains" and isinstance(right.value, str):
            found = f"{right} in {local} if {local}.__class__ is str else contains({local}, {right})"
            return f"({source} is not None and ({found}))"
        if isinstance(right.value, str | tuple) and operator in _ABSENT:
            other = _COMPARE[operator].format(local, right)
            return (
                f"({source} {_ABSENT[operator]} ({local} {operator} {right} if {local}.__class__ is str else {other}))"
            )
        if right.value.__class__ is int and operator in _NUMERIC:
            other = _COMPARE[operator].format(local, right)
            return f"({local} {operator} {right} if {source}.__class__ is int else {other})"
        return _COMPARE[operator].format(left, right)

    @staticmethod
    def _named(source: str) -> tuple[str, str]:
        """A local with the value of `source`, and the source that leaves it there."""
        local = local_of(source)
        return (local, source) if local else ("_", f"(_ := {source})")

    def call(self, call: nodes.Call, value: str) -> str:
        if call.name == "default" and len(call.arguments) == 1 and not call.named:
            return self._default(call, value)
        known = self.declared(call)
        simple = not known.nil_stays or value in self._sure
        made = super().call(call, value) if simple else self._unless_nil(call, value)
        if made is NIL:
            return NIL
        return Fresh(made) if known.fresh else Word(made) if known.word else made

    def _unless_nil(self, call: nodes.Call, value: str) -> str:
        if value is NIL:
            return NIL
        local = local_of(value) or self.new("z")
        before = dict(self._live)
        made = super().call(call, local)
        self._live = before  # arguments are worked out only for what is not nil
        return f"(None if {value if local_of(value) else f'({local} := {value})'} is None else {made})"

    def _default(self, call: nodes.Call, value: str) -> str:
        """Most values are texts; the filter is for all others. The other value counts as looked at either way."""
        if isinstance(value, Const) and (value.value is None or (isinstance(value.value, str) and value.value)):
            return value if value.value else self.value(call.arguments[0])
        if kind_of(value) in SOLIDS:
            return self._or(value, self.value(call.arguments[0]))
        local = local_of(value) or self.new("z")
        source = value if local_of(value) else f"({local} := {value})"
        other = self.value(call.arguments[0])
        if not isinstance(other, Const) and not other.isidentifier():
            held = local_of(other) or self.new("z")
            source = f"({source}, {other if local_of(other) else f'({held} := {other})'})[0]"
            other = held
        applied = self.applied(self.declared(call), local, [other])
        return f"({other} if {source} is None else {local} if {local}.__class__ is str and {local} else {applied})"

    def _or(self, value: str, other: str) -> str:
        """The default of what is nil or neither false nor empty."""
        if other is NIL or (isinstance(other, Const) and other.value is None):
            return value
        kinds = {kind_of(value), kind_of(other)}
        if isinstance(other, Const) or other.isidentifier():
            source = f"({value} or {other})"
        else:
            held = local_of(other) or self.new("z")
            source = f"(({value}, {other if local_of(other) else f'({held} := {other})'})[0] or {held})"
        return source if kinds - {*SOLIDS} else Word(source) if kinds == {WORD} else Solid(source)

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
        return kind_of(source) if kind_of(source) in SOLIDS else super().item(source)

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
