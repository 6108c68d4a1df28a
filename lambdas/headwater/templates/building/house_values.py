"""The house dialect's values on the fast way: members, comparisons and filters as Python, by what is known of them."""

from __future__ import annotations

from typing import TypeGuard

from headwater.model import LISTED, NUMBERS
from headwater.templates import nodes, runtime
from headwater.templates.building.kinds import kinds_of
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
    Solid,
    Word,
    const,
    kind_of,
    local_of,
)
from headwater.templates.filters import Filter
from headwater.templates.operations import FilterCalls

_ABSENT = {"==": "is not None and", "!=": "is None or", "in": "is not None and"}  # nil is no text
_NUMERIC = ("==", "!=", "<", "<=", ">", ">=")
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


class HouseValues(FilterCalls, Resources):
    def kind(self, source: str) -> str:
        return kind_of(source)

    def assigned_kind(self, name: str) -> str:
        unit = self.unit
        if not unit.kinds:
            unit.kinds = kinds_of(unit.assigned, unit.never_bound(), self.known)
        return ANY if unit.alone(self.template.name) else unit.kinds.get(name, ANY)

    def member(self, source: str, part: str | int) -> str:
        return f"member({source}, {part!r})"

    def indexed(self, source: str, index: str) -> str:
        return f"member({source}, {index})"

    def _member(self, source: str, part: str | int | nodes.Expression, name: str = "") -> str:
        """Of what is known to be a text, all parts but the first are known."""
        if source.isidentifier() and kind_of(source) == WORD:
            if part in (1, "text"):
                return source
            if isinstance(part, int) and self._is_number(part, name):
                return NIL
        return super()._member(source, part, name)

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
        if call.name == "append" and isinstance(value, Const) and kind_of(value) == WORD:
            return self._appended(value, call)
        if call.name == "default" and len(call.arguments) == 1 and not call.named:
            return self._default(call, value)
        known = self.declared(call)
        simple = not known.nil_stays or value in self._sure
        made = super().call(call, value) if simple else self._unless_nil(call, value)
        if made is NIL:
            return NIL
        return Fresh(made) if known.fresh else Word(made) if known.word else made

    def applied(self, known: Filter, value: str, arguments: list[str]) -> str:
        """A filter that remembers is asked by subscript; of what may have parts, only if it is a text."""
        called = super().applied(known, value, arguments)
        if not known.remembered or not all(map(self._may_be_text, (value, *arguments))):
            return called
        function, given = self._filters[known.name], ", ".join((value, *arguments))
        if isinstance(value, Const) or kind_of(value) == WORD:
            return f"{function}[{given}]"
        return f"({function}[{given}] if {value}.__class__ is str else {called})" if value.isidentifier() else called

    @staticmethod
    def _may_be_text(source: str) -> bool:
        """Whether it is text or nil, or a part of a message: nothing but lists and objects cannot be asked for."""
        return isinstance(source.value, str | None) if isinstance(source, Const) else kind_of(source) in SOLIDS

    def _unless_nil(self, call: nodes.Call, value: str) -> str:
        if value is NIL:
            return NIL
        local = local_of(value) or self.new("z")
        before = dict(self._live)
        made = super().call(call, local)
        self._live = before  # arguments are worked out only for what is not nil
        return f"(None if {value if local_of(value) else f'({local} := {value})'} is None else {made})"

    def _appended(self, value: str, call: nodes.Call) -> str:
        known, tail = self.declared(call), self.value(call.arguments[0])
        if kind_of(tail) != WORD:
            return self.applied(known, value, [tail])
        return Word(f"({value} + {tail})" if tail in self._sure else f"({value} + ({tail} or ''))")

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
