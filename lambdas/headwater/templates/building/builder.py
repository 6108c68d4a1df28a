"""Builds one `Spec`: one template, in the shape in which it is called, with what is known of its variables."""

from __future__ import annotations

from array import array

from headwater.templates.building.branches import LOOK, Live
from headwater.templates.building.position import ARRAY, KEY, OBJECT, SINGLE, TEXTS, TRIMMED, VALUE, Frame, Unbuildable
from headwater.templates.building.source import NIL, Const, const
from headwater.templates.building.unit import NILLED, SURE, Spec, Unit
from headwater.templates.building.variables import Variables
from headwater.templates.filters import Filter
from headwater.templates.program import Program


class Builder(Variables):
    _begun: dict[str, str]  # variables of its own that have a value when it begins, or may be read before they have one
    _flags: dict[str, str]  # parameters, and the locals that say of what kind they are, if it was asked

    def __init__(self, unit: Unit, spec: Spec, comma: str, filters: dict[str, Filter]) -> None:
        super().__init__(spec.tree, spec.shape, filters)
        self.unit = unit
        self.spec = spec
        shape, known = spec.shape, spec.known
        target = {OBJECT: "d", ARRAY: "a", SINGLE: "r"}.get(shape, "o")
        state = VALUE if shape in (ARRAY, SINGLE) else KEY
        self._frames = [Frame(shape, target, state, comma, slot="r" if shape == SINGLE else "", open=shape == OBJECT)]
        self._live: Live = {}
        self._stale: set[str] = set()
        self._shared, self._dynamic = unit.shared(spec.tree.name), unit.dynamic(spec.tree.name)
        self._paid = 0
        self._idle = 0  # lines that only note what is known
        given = {name: NIL if how == NILLED else self.new(how.partition(" ")[2] or "p") for name, how in known.items()}
        begun = unit.begun(spec.tree.name)
        self.bound = {name: value for name, value in given.items() if name not in begun}
        self._sure = {given[name]: True for name, how in known.items() if how.startswith(SURE)}
        self._parameters = [given[name] for name in spec.parameters]
        self._given = frozenset(self._parameters)
        self._own = {name: f"n{at}" for at, name in enumerate(sorted(begun))}
        self._begun = {name: given.get(name, NIL) for name in self._own}
        self._live.update({(None, name): value for name, value in self._begun.items()})
        self._looked: set[str] = set()
        self._flags = {}

    def complete(self) -> None:
        """Compile the template, and note in its spec how it can be called."""
        self._build()
        spec, frame = self.spec, self._frames[0]
        spec.comma, spec.state, spec.full = frame.comma, frame.state, frame.full
        result = self._whole_text(frame) if frame.kind in TEXTS else "r" if frame.kind == SINGLE else ""
        spec.empty = len(self._code) == self._idle and not result
        if frame.kind == SINGLE and len(self._code) == self._idle + 1:
            spec.empty = self._code[-1] == "    r = {}"
        if isinstance(result, Const) and len(self._code) == self._idle:
            spec.constant = result.value
        elif not spec.empty:
            spec.program = self._program(frame, result)

    def _program(self, frame: Frame, result: str) -> Program:
        sink = f", {frame.target}" if frame.kind in (OBJECT, ARRAY) else ""
        names = "".join(f", {local}" for local in self._parameters)
        self.toll(0, 0, LOOK if self.spec.recursive else "")
        first = ["r = MISSING"] if frame.kind == SINGLE else []
        first += [*(["s.deeper()"] if self.spec.recursive else []), *self.prologue()]
        first += [f"{self._own[name]} = {value}" for name, value in self._begun.items() if name in self._looked]
        self._drop_unread()
        self._finish()
        self._code[:0] = ["    " + line for line in first]
        self._places[:0] = [0] * len(first)
        if self.spec.recursive:
            result = self.hold(result) if result else ""
            self.emit("s.depth -= 1")
        if result:
            self.emit(f"return {result}")
        source = "\n".join([f"def template(s, g{sink}{names}):", *self._code, ""])
        places = array("I", [number for at in [0, *self._places] for number in self._lines.at(at)]).tobytes()
        return Program(self.template.name, frame.kind, source, tuple(self._filters), tuple(self._partials), places)

    def _drop_unread(self) -> None:
        """Leave out what only notes the value of a variable that nobody reads but where it is known."""
        unread = [f"{local} = " for name, local in self._own.items() if name not in self._looked]
        for at in reversed(range(len(self._code))):
            line = self._code[at].lstrip()
            if not any(map(line.startswith, unread)) or not line.partition(" = ")[2].isidentifier():
                continue
            alone = at and self._code[at - 1].endswith(":") and not _same_suite(self._code[at], self._code[at + 1 :])
            if alone:
                self._code[at] = self._code[at].removesuffix(line) + "pass"
            else:
                del self._code[at], self._places[at]

    def _finish(self) -> None:
        """What a dialect has to say about all lines, now that they are known."""

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


def _same_suite(line: str, rest: list[str]) -> bool:
    """Whether the lines behind a line go on as far to the right."""
    return bool(rest) and rest[0].startswith(line[: len(line) - len(line.lstrip())])
