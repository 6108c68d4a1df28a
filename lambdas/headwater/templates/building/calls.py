"""Partials: which function a call means, what it is given, and when it can be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.templates import nodes
from headwater.templates.building.branches import Branches
from headwater.templates.building.position import (
    ARRAY,
    DUE,
    FILLED,
    FREE,
    KEY,
    OBJECT,
    PERHAPS,
    SINGLE,
    TEXT,
    TEXTS,
    TRIMMED,
    VALUE,
    Frame,
    Unbuildable,
    joined,
)
from headwater.templates.building.source import ANY, SOLID, SOLIDS, WORD, Const, const
from headwater.templates.building.unit import MAYBE, NILLED, SURE

if TYPE_CHECKING:
    from headwater.templates.building.unit import Spec


_LITTLE = 0.7


class Calls(Branches):
    def do_assign(self, node: nodes.Assign) -> None:
        self.assign(node.name, self.value(node.value))

    def do_capture(self, node: nodes.Capture) -> None:
        frame = Frame(TEXT, self.new("o"))
        self._frames.append(frame)
        self.body(node.body)
        self._frames.pop()
        self.assign(node.name, self._whole_text(frame))

    @staticmethod
    def _name(template: nodes.Expression) -> str:
        if not isinstance(template, nodes.Literal) or not isinstance(template.value, str):
            raise Unbuildable("a partial whose name is worked out")
        return template.value

    def _include(self, name: str, scope: str = "g") -> None:
        """Call a partial, which sees the names bound here and the variables of `scope`."""
        frame = self.frame
        self._ready(frame)
        comma = frame.comma
        shape = SINGLE if frame.kind == OBJECT and frame.state in (VALUE, PERHAPS) else frame.kind
        shape = TEXT if shape == TRIMMED else shape
        if (shape == OBJECT and frame.state != KEY) or frame.state == FILLED:
            raise Unbuildable("a partial out of place")
        try:
            spec = self._spec(name, shape, comma)
        except Unbuildable as error:
            if shape != ARRAY:
                raise
            try:
                self._include_item(name, scope)
            except Unbuildable:
                raise error from None
            return
        if spec is None:
            self.emit(f"missing(s, {name!r})")
            return
        if spec.constant is not None:
            if spec.constant:
                frame.parts.append(const(spec.constant))
            return
        if spec.empty and shape in (OBJECT, ARRAY):
            return
        guard = "" if shape in TEXTS else self._guard(spec)
        spec = self._guarded(guard, spec)
        sink = f", {frame.target}" if shape in (OBJECT, ARRAY) else ""
        call = f"{self._called(spec, comma)}(s, {scope}{sink}{self._passed(spec)})"
        if shape in TEXTS:
            frame.parts.append(self.hold(call))
        elif shape == SINGLE:
            self._divide()
            if spec.state == VALUE:  # it makes no value
                self.emit(call)
            else:
                self._once(frame)
                value = "{}" if spec.empty else f"{call} if {guard} else {{}}" if guard else call
                self.emit(f"{frame.slot} = {value}")
                frame.full = frame.full and (spec.full or spec.empty)
                frame.state, frame.comma = spec.state, spec.comma
        else:
            frame.used = frame.open = True
            self.emit(f"if {guard}: {call}" if guard else call)
            frame.comma = joined((KEY, frame.comma), (KEY, spec.comma))[1] if guard else spec.comma
        if scope == "g":
            self.forget(*spec.writes)

    def _spec(self, name: str, shape: str, comma: str) -> Spec | None:
        """A partial as it is called here, with what is known of the names bound here."""
        return self.unit.spec(name, shape, comma, {each: self._known(value) for each, value in self.bound.items()})

    def _known(self, value: str) -> str:
        if isinstance(value, Const):
            how = NILLED if value.value is None else MAYBE if value.value is False else SURE
        else:
            how = SURE if self._sure.get(value) else MAYBE
        kind = self.kind(value)
        return how if kind == ANY else f"{how} {kind}"

    def _include_item(self, name: str, scope: str) -> None:
        """A partial that is one item of a list, or none, written in one of several branches."""
        frame, slot = self.frame, self.new("r")
        self._frames.append(Frame(SINGLE, slot, VALUE, slot=slot))
        self._fits(frame)
        self._include(name, scope)
        made = self._frames.pop()
        if made.state != VALUE:
            there = slot if made.full else f"{slot} or {slot} != {{}} and kept({slot})"
            self.emit(f"if {there}: {self._stored(frame, slot)}")
            comma = FREE if made.comma == FREE else DUE
            frame.comma = comma if made.state == FILLED else joined((KEY, frame.comma), (KEY, comma))[1]

    def _called(self, spec: Spec, comma: str) -> str:
        """The function; of a partial that says much of parts and little of a text, the one that the value asks for."""
        function = self._function(spec)
        for name in spec.parameters:
            value = self.bound[name]
            if value.isidentifier() and self.kind(value) == SOLID:
                known = {each: self._known(source) for each, source in self.bound.items()}
                texts = self.unit.like(spec, comma, {**known, name: f"{SURE} {WORD}"})
                if texts and len(texts.source) < _LITTLE * len(spec.source):
                    return f"({self._function(texts)} if {value}.__class__ is str else {function})"
        return function

    def _function(self, spec: Spec) -> str:
        return self._partials.setdefault((spec.id, spec.shape), f"P{len(self._partials)}")

    def _passed(self, spec: Spec) -> str:
        return "".join(f", {self.bound[name]}" for name in spec.parameters)

    def _guard(self, spec: Spec) -> str:
        """The test without which a partial would write nothing: one of what it is given is there."""
        given = [self.bound[name] for name in spec.parameters if not isinstance(self.bound[name], Const)]
        if not given or any(each in self._sure for each in given) or not self.unit.void(spec):
            return ""
        return " or ".join(f"{each} is not None" for each in dict.fromkeys(given))

    def _guarded(self, guard: str, spec: Spec) -> Spec:
        """The partial as it may be called behind its guard: what is one value's test leaves that value not nil."""
        local, _, rest = guard.partition(" is not None")
        if not guard or rest or self.kind(local) not in SOLIDS:
            return spec
        sure = self._sure
        self._sure = {**sure, local: True}
        behind = self._spec(spec.tree.name, spec.shape, self.frame.comma)
        self._sure = sure
        return spec if behind is None or behind.constant is not None or behind.empty else behind

    def assign(self, name: str, value: str) -> None:
        """Set a variable, where the dialect sets it."""
        raise NotImplementedError
