"""Where values go: into the dict, the list, the slot or the text that is open, unless they are empty."""

from __future__ import annotations

from headwater.templates.building.position import (
    DUE,
    FILLED,
    FREE,
    KEY,
    OBJECT,
    PERHAPS,
    SINGLE,
    TEXTS,
    VALUE,
    Frame,
    Unbuildable,
)
from headwater.templates.building.source import ANY, Const, Kept, const, joined_parts, kept
from headwater.templates.emitter import Emitter


class Values(Emitter):
    _frames: list[Frame]  # what is open, innermost last
    _sure: dict[str, bool]  # locals that cannot be nil here; True: nor false

    @property
    def frame(self) -> Frame:
        return self._frames[-1]

    @staticmethod
    def _fits(frame: Frame) -> None:
        """A value may come here; if there is perhaps one already, that is seen when it is put in its slot."""
        if frame.state != PERHAPS and (frame.state != VALUE or frame.comma != FREE):
            raise Unbuildable("a value out of place, or a comma may be missing")

    def _put(self, source: str, *, sure: bool = False, full: bool = True) -> None:
        """A value, in its place; empties are dropped. `sure` says that it is none, `full` that what is false is."""
        frame = self.frame
        if frame.slot:
            self._once(frame)
            frame.full = frame.full and full
            self.emit(f"{frame.slot} = {source}")
            frame.state, frame.comma = FILLED, DUE
            return
        if isinstance(source, Const):
            if source.value or source.value is None or isinstance(source.value, bool | int | float):
                self._keep(frame, source)
        elif sure:
            self._keep(frame, source)
        else:
            local = source if source.isidentifier() else "_"
            self._put_if(source if local == source else f"_ := {source}", local)
            return
        self._placed(frame)

    def _once(self, frame: Frame) -> None:
        if frame.state == PERHAPS:
            self.emit(f"if {frame.slot} is not MISSING: second_value()")

    @staticmethod
    def _placed(frame: Frame) -> None:
        frame.state = KEY if frame.kind == OBJECT else VALUE
        frame.comma = DUE

    def _keep(self, frame: Frame, source: str) -> None:
        """A value that is surely there."""
        frame.sure = frame.sure or self._indent == frame.indent
        if frame.used or self._indent != frame.indent or frame.born < 0:
            self.emit(self._stored(frame, source))
            return
        frame.written.add(frame.key)
        frame.literal[frame.key if frame.kind == OBJECT else str(len(frame.literal))] = source
        del self._code[frame.born], self._places[frame.born]
        frame.born = len(self._code)
        self.emit(f"{frame.target} = {literal(frame)}")

    @staticmethod
    def _stored(frame: Frame, source: str) -> str:
        """The statement that puts a value into its dict or list."""
        frame.used = True
        frame.written.add(frame.key)
        if frame.kind == OBJECT:
            return f"{frame.target}[{frame.key}] = {source}"
        return f"{frame.target}.append({source})"

    def _put_output(self, local: str) -> None:
        """An output that is a whole string."""
        if self.frame.slot:
            self._put(f"plain(s, {local})")
        else:
            self._put_if(self.output(local if local in self._sure else self._evaluated(local), local), "_")

    def _evaluated(self, local: str) -> str:
        """A local, or what was put into it just now, as a part of an expression."""
        before, made, source = self._code[-1].partition(f"{local} = ") if self._code else ("", "", "")
        if not made or before != "    " * self._indent:
            return local
        del self._code[-1]
        self._at = self._places.pop()
        return kept(local, source)

    def _put_if(self, condition: str, value: str) -> None:
        """A value where a condition holds, and nothing where it does not."""
        frame = self.frame
        if len(self._code) == frame.born + 1 and self._indent == frame.indent and not frame.literal:
            frame.only = condition, f"{{{frame.key}: {value}}}" if frame.kind == OBJECT else f"[{value}]"
        self.emit(f"if {condition}: {self._stored(frame, value)}")
        self._placed(frame)

    def _settle(self, frame: Frame) -> None:
        """What is due when a value must be there: it is stored, if branches or a partial have made it."""
        if frame.kind == SINGLE:
            if frame.state == VALUE:
                raise Unbuildable("a comma before a value")
            return
        if not frame.slot:
            if frame.kind == OBJECT and frame.state != KEY:
                raise Unbuildable("a member without a value")
            return
        if frame.state == VALUE:
            raise Unbuildable("a member without a value")
        if frame.state == PERHAPS:
            self.emit(f"if {frame.slot} is MISSING: missing_value()")
        there = self._filled(frame) if frame.full else f"{frame.slot} or {frame.slot} != {{}} and kept({frame.slot})"
        self.emit(f"if {there}: {self._stored(frame, frame.slot)}")
        frame.slot, frame.full = "", True
        frame.state = KEY

    def _filled(self, frame: Frame) -> str:
        """A condition that what is in a slot is something; where it was put there just now, that is a part of it."""
        if self._code[-2:-1] != ["    " * self._indent + f"{frame.slot} = MISSING"]:
            return frame.slot
        source = self._evaluated(frame.slot)
        del self._code[-1], self._places[-1]
        value, guard, rest = str(source)[1:-1].partition(" := ")[2].removesuffix(" else {}").partition(" if ")
        return f"({rest}) and ({frame.slot} := {value})" if guard and " else " not in rest else source

    def hold(self, source: str) -> str:
        """`source` worked out now: a local, or what is known."""
        if isinstance(source, Const) or source.isidentifier():
            return source
        local = source.local if isinstance(source, Kept) else self.new(self.kind(source))
        self.emit(f"{local} = {source.inner if isinstance(source, Kept) else source}")
        return local

    # ----------------------------------------------------------------------------------------------- text in parts

    def spill(self) -> None:
        """Before a tag inside a string or text: its parts so far go to a list."""
        frame = self.frame
        if frame.kind not in TEXTS:
            return
        if frame.spilled:
            self._flush_parts(frame)
            return
        frame.spilled = True
        self.emit(f"{frame.target} = [{', '.join(self.pieces(frame))}]")
        frame.parts.clear()

    def pieces(self, frame: Frame) -> list[str]:
        """The parts of a string or text so far, as source."""
        return joined_parts(frame.parts)

    def _flush_parts(self, frame: Frame) -> None:
        parts = self.pieces(frame)
        if len(parts) == 1:
            self.emit(f"{frame.target}.append({parts[0]})")
        elif parts:
            self.emit(f"{frame.target} += ({', '.join(parts)})")
        frame.parts.clear()

    def _whole_text(self, frame: Frame) -> str:
        """The text of a text frame, as source."""
        if frame.spilled:
            self._flush_parts(frame)
            return f"captured(s, {frame.target})"
        parts = joined_parts(frame.parts)
        return f"captured(s, ({', '.join(parts)}))" if len(parts) > 1 else parts[0] if parts else const("")

    # -------------------------------------------------------------------------------------- what a dialect brings

    def kind(self, source: str) -> str:  # noqa: ARG002
        """What is known of a value: `ANY`, or more where the dialect knows what SOLID and WORD are."""
        return ANY

    def bare(self, source: str) -> str:
        """An output where a JSON value stands, as that value."""
        raise NotImplementedError

    def bare_there(self, source: str) -> str:
        """A condition that leaves a bare output's value in `_`, and holds if it is not empty; none if it surely is."""
        return f"(_ := {self.bare(source)}) or kept(_)"

    def spilled_string(self, parts: str) -> str:
        """A JSON string of the pieces in a list."""
        return f"told(s, {parts})"

    def output(self, source: str, local: str) -> str:
        """A condition that leaves an output's text in `_` and holds if there is any; `source` leaves it in `local`."""
        raise NotImplementedError

    def string_of(self, parts: list[str]) -> str:
        """A JSON string of several pieces, as JSON reads it."""
        raise NotImplementedError

    def text_of(self, source: str) -> str:
        """A value as a text prints it."""
        raise NotImplementedError

    def piece_of(self, source: str) -> str:
        """A value as it is printed inside a JSON string: a `Part`, or what is known."""
        raise NotImplementedError


def literal(frame: Frame) -> str:
    if frame.kind == OBJECT:
        return "{" + ", ".join(f"{key}: {value}" for key, value in frame.literal.items()) + "}"
    return "[" + ", ".join(frame.literal.values()) + "]"
