"""Builds one `Spec`: one template, in the shape in which it is called, with what is known of its variables."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from headwater.templates import nodes
from headwater.templates.building.branches import Live
from headwater.templates.building.position import ARRAY, KEY, OBJECT, SINGLE, TEXTS, TRIMMED, VALUE, Frame, Unbuildable
from headwater.templates.building.source import NIL, Const, const
from headwater.templates.building.unit import NILLED, SURE, Spec, Unit
from headwater.templates.building.variables import Variables
from headwater.templates.filters import Filter
from headwater.templates.program import Program


class Builder(Variables):
    _flags: dict[str, str]  # parameters, and the locals that say of what kind they are, if it was asked

    def __init__(
        self,
        unit: Unit,
        template: nodes.Template,
        shape: str,
        comma: str,
        known: Mapping[str, str],
        filters: dict[str, Filter],
    ) -> None:
        super().__init__(template, shape, filters)
        self.unit = unit
        target = {OBJECT: "d", ARRAY: "a", SINGLE: "r"}.get(shape, "o")
        state = VALUE if shape in (ARRAY, SINGLE) else KEY
        self._frames = [Frame(shape, target, state, comma, slot="r" if shape == SINGLE else "")]
        self._live: Live = {}
        self._stale: set[str] = set()
        self._own: dict[str, str] = {}
        self._paid = 0
        self._idle = 0  # lines that only note what is known
        self.parameters = tuple(name for name, how in known.items() if how != NILLED)
        self.bound = {name: NIL if how == NILLED else self.new("p") for name, how in known.items()}
        self._sure = {self.bound[name]: True for name, how in known.items() if how == SURE}
        self._given = frozenset(self.bound[name] for name in self.parameters)
        self._flags = {}

    # ------------------------------------------------------------------------------------------------- the function

    def spec(self) -> Spec:
        """Build it, and tell how it is called."""
        self._build()
        frame, constant = self._frames[0], None
        if frame.kind in TEXTS:
            whole = self._whole_text(frame)
            constant = whole.value if isinstance(whole, Const) and len(self._code) == self._idle else None
            self.emit(f"return {whole}")
        elif frame.kind == SINGLE:
            self.emit("return r")
        empty = len(self._code) == self._idle
        writes = self.unit.shared_writes(self.template.name)
        program = None if empty or constant is not None else self._program(frame)
        shape = frame.kind
        return Spec(
            "",
            self.template.name,
            shape,
            frame.comma,
            frame.state,
            self.parameters,
            (),
            writes,
            constant,
            empty,
            program,
        )

    def _program(self, frame: Frame) -> Program:
        sink = f", {frame.target}" if frame.kind in (OBJECT, ARRAY) else ""
        names = "".join(f", {self.bound[name]}" for name in self.parameters)
        self.toll(0, 0)
        first = [*(["r = MISSING"] if frame.kind == SINGLE else []), *self.prologue()]
        self._code[:0] = ["    " + line for line in first]
        self._places[:0] = [0] * len(first)
        source = "\n".join([f"def template(s, g{sink}{names}):", *self._code, ""])
        places = array("I", [number for at in [0, *self._places] for number in self._lines.at(at)]).tobytes()
        return Program(self.template.name, frame.kind, source, tuple(self._filters), tuple(self._partials), places)

    def prologue(self) -> list[str]:
        """Lines that a dialect wants to begin with."""
        return []

    def _build(self) -> None:
        """Compile the whole body; the result is in `_code`, and in the frame that is left."""
        self.body(self.template.body)
        if len(self._frames) != 1:
            raise Unbuildable("the template ends inside an object, a list or a string")
        frame = self._frames[0]
        if frame.kind == OBJECT and frame.state != KEY:
            raise Unbuildable("the template ends inside a member")

    def _whole_text(self, frame: Frame) -> str:
        if frame.kind != TRIMMED:
            return super()._whole_text(frame)
        parts = frame.parts
        if parts and isinstance(parts[-1], Const):
            parts[-1] = const(parts[-1].value.rstrip())
        if parts and isinstance(parts[0], Const) and not frame.spilled:
            parts[0] = const(parts[0].value.lstrip())
        whole = super()._whole_text(frame)
        return const(whole.value.strip()) if isinstance(whole, Const) else f"trimmed(s, {whole})"
