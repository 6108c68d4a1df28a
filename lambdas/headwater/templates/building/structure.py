"""JSON without the text: what a template writes between and inside values, as Python that fills dicts and lists.

The text of a template is read as tokens of JSON, of which nothing is left but where things go. Strings are put together
from `parts`: outputs are worked out where they stand, and joined where the string ends.
"""

from __future__ import annotations

from typing import Any

from headwater.templates import nodes
from headwater.templates.building.position import (
    ARRAY,
    COLON,
    DUE,
    FILLED,
    FREE,
    IN_STRING,
    KEY,
    NEXT_KEY,
    OBJECT,
    PERHAPS,
    SINGLE,
    STRING,
    TEXTS,
    TOKEN,
    VALUE,
    Frame,
    Unbuildable,
    decoded,
    scalar,
)
from headwater.templates.building.source import Const, Kept, Part, const, joined_parts, local_of
from headwater.templates.emitter import Emitter


class Structure(Emitter):
    _frames: list[Frame]  # what is open, innermost last
    _sure: dict[str, bool]  # locals that cannot be nil here; True: nor false

    @property
    def frame(self) -> Frame:
        return self._frames[-1]

    def body(self, statements: tuple[nodes.Statement, ...]) -> None:
        for statement in statements:
            self._at = statement.at
            if isinstance(statement, nodes.Text):
                self._text(statement.text)
            elif isinstance(statement, nodes.Output):
                self._printed(statement.value)
            else:
                getattr(self, "do_" + type(statement).__name__.lower())(statement)

    # -------------------------------------------------------------------------------------------------------- text

    def _text(self, text: str) -> None:
        position = 0
        while position < len(text):
            if self.frame.kind in TEXTS and self.frame.kind != STRING:
                self.frame.parts.append(const(text[position:]))
                return
            if self.frame.kind == STRING:
                position = self._string_text(text, position)
                continue
            match = TOKEN.match(text, position)
            if match is None:
                if text[position:].strip():
                    raise Unbuildable("text that is no JSON")
                return
            if self.frame.state == PERHAPS and self.frame.comma == FREE and NEXT_KEY.match(text, position):
                self._settle(self.frame)
            position = match.end()
            if match[1]:
                self._mark(match[1])
            else:
                self._put_constant(scalar(match[2]))

    def _string_text(self, text: str, position: int) -> int:
        match = IN_STRING.match(text, position)
        end = match.end() if match else position
        if end > position:
            self.frame.parts.append(const(text[position:end]))
        if end == len(text):
            return end
        if text[end] != '"' or len(self._frames) == 1:
            raise Unbuildable("a string does not end as it should")
        self._close_string()
        return end + 1

    def _mark(self, mark: str) -> None:
        frame = self.frame
        if mark == ",":
            self._settle(frame)
            frame.comma = FREE
        elif mark == ":":
            if frame.state != COLON:
                raise Unbuildable("a colon out of place")
            frame.state = VALUE
        elif mark in "}]":
            self._close(frame, OBJECT if mark == "}" else ARRAY)
        else:
            self._open(frame, mark)

    def _ready(self, frame: Frame) -> None:
        """Before another member: a value that came with the comma behind it is stored."""
        if frame.kind == OBJECT and frame.state == FILLED and frame.comma == FREE:
            self._settle(frame)

    def _open(self, frame: Frame, mark: str) -> None:
        self._ready(frame)
        if frame.state != KEY or mark != '"':
            self._fits(frame)
        elif frame.comma != FREE:
            raise Unbuildable("a comma may be missing")
        if mark == '"':
            self._frames.append(Frame(STRING, self.new("o")))
        else:
            kind, target = (OBJECT, self.new("d")) if mark == "{" else (ARRAY, self.new("a"))
            self._frames.append(
                Frame(kind, target, KEY if mark == "{" else VALUE, born=len(self._code), indent=self._indent)
            )
            self.emit(f"{target} = {'{}' if mark == '{' else '[]'}")

    def _close(self, frame: Frame, kind: str) -> None:
        if frame.kind != kind or len(self._frames) == 1:
            raise Unbuildable("a bracket that nothing opened")
        self._settle(frame)
        self._frames.pop()
        if frame.used:
            self._put(frame.target, sure=frame.sure)
            return
        del self._code[frame.born], self._places[frame.born]
        self._put(_literal(frame) if frame.literal else const({} if kind == OBJECT else []), sure=True)

    def _close_string(self) -> None:
        frame = self._frames.pop()
        raw = ""
        if frame.spilled:
            self._flush_parts(frame)
            source = f"told(s, {frame.target})"
        elif all(isinstance(part, Const) for part in frame.parts):
            source = const(decoded("".join(part.value for part in frame.parts)))  # type: ignore[attr-defined]
        elif len(frame.parts) == 1 and isinstance(frame.parts[0], Part):
            raw = frame.parts[0].raw
            source = f"plain(s, {raw})"
        else:
            source = self.string_of(joined_parts(frame.parts))
        sure = any(isinstance(part, Const) and part.value for part in frame.parts)
        outer = self.frame
        if outer.kind == OBJECT and outer.state == KEY:
            self._key(outer, source)
        elif raw:
            self._put_output(raw)
        elif isinstance(source, Const):
            self._put(source)
        else:
            self._put(source, sure=sure)

    def _key(self, frame: Frame, source: str) -> None:
        if not isinstance(source, Const):
            local = self.new("k")
            self.emit(f"{local} = {source}")
            source = local
        frame.key, frame.state = source, COLON

    # ------------------------------------------------------------------------------------------------------ values

    def _put_constant(self, value: Any) -> None:
        self._fits(self.frame)
        self._put(const(value))

    @staticmethod
    def _fits(frame: Frame) -> None:
        """A value may come here; if there is perhaps one already, that is seen when it is put in its slot."""
        if frame.state != PERHAPS and (frame.state != VALUE or frame.comma != FREE):
            raise Unbuildable("a value out of place, or a comma may be missing")

    def _put(self, source: str, *, sure: bool = False) -> None:
        """A value, in its place; empties are dropped. `sure` says that it is none."""
        frame = self.frame
        if frame.slot:
            self._once(frame)
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
            self.emit(f"if {source if local == source else f'_ := {source}'}: {self._stored(frame, local)}")
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
        frame.literal[frame.key if frame.kind == OBJECT else str(len(frame.literal))] = source
        del self._code[frame.born], self._places[frame.born]
        frame.born = len(self._code)
        self.emit(f"{frame.target} = {_literal(frame)}")

    @staticmethod
    def _stored(frame: Frame, source: str) -> str:
        """The statement that puts a value into its dict or list."""
        frame.used = True
        if frame.kind == OBJECT:
            return f"{frame.target}[{frame.key}] = {source}"
        return f"{frame.target}.append({source})"

    def _put_output(self, raw: str) -> None:
        """An output that is a whole string."""
        frame = self.frame
        if frame.slot:
            self._put(f"plain(s, {raw})")
            return
        local = local_of(raw) or self.new("t")
        self.emit(
            f"if {self.output(raw if local_of(raw) else f'({local} := {raw})', local)}: {self._stored(frame, '_')}"
        )
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
        self.emit(f"if {frame.slot} or kept({frame.slot}): {self._stored(frame, frame.slot)}")
        frame.slot = ""
        frame.state = KEY

    def _printed(self, node: nodes.Expression) -> None:
        frame = self.frame
        source = self.value(node)
        if frame.kind in TEXTS:  # worked out now, put together later
            held = self.hold(source)
            frame.parts.append(self.piece_of(held) if frame.kind == STRING else self.text_of(held))
        else:
            self._fits(frame)
            if frame.slot or frame.kind == SINGLE:
                self._put(self.bare(source))
                return
            self.emit(f"if (_ := {self.bare(source)}) or kept(_): {self._stored(frame, '_')}")
            self._placed(frame)

    def hold(self, source: str) -> str:
        """`source` worked out now: a local, or what is known."""
        if isinstance(source, Const) or source.isidentifier():
            return source
        local, inner = (source.local, source.inner) if isinstance(source, Kept) else (self.new("t"), source)
        self.emit(f"{local} = {inner}")
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
        self.emit(f"{frame.target} = [{', '.join(joined_parts(frame.parts))}]")
        frame.parts.clear()

    def _flush_parts(self, frame: Frame) -> None:
        parts = joined_parts(frame.parts)
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

    def bare(self, source: str) -> str:
        """An output where a JSON value stands, as that value."""
        raise NotImplementedError

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


def _literal(frame: Frame) -> str:
    if frame.kind == OBJECT:
        return "{" + ", ".join(f"{key}: {value}" for key, value in frame.literal.items()) + "}"
    return "[" + ", ".join(frame.literal.values()) + "]"
