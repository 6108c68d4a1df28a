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
from headwater.templates.building.source import Const, Fresh, Part, const
from headwater.templates.building.values import Values, literal


class Structure(Values):
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
        if self._is_single(frame):
            self._put_single(frame)
            return
        if frame.used:
            source = self.closed(frame)
            self._put(source, sure=frame.sure)
            return
        del self._code[frame.born], self._places[frame.born]
        self._put(literal(frame) if frame.literal else const({} if kind == OBJECT else []), sure=True)

    def _is_single(self, frame: Frame) -> bool:
        """Whether all that an object or list says is one value, which may not be there."""
        outer = self.frame
        plain = not (frame.whole or frame.holding or outer.slot or outer.holding) and outer.kind in (OBJECT, ARRAY)
        return plain and bool(frame.only[0]) and len(self._code) == frame.born + 2

    def _put_single(self, frame: Frame) -> None:
        self._at = self._places[-1]
        del self._code[frame.born :], self._places[frame.born :]
        self._put_if(*frame.only)

    def closed(self, frame: Frame) -> str:
        """What is put where an object or list closes."""
        return frame.target

    def _close_string(self) -> None:
        frame = self._frames.pop()
        raw = ""
        if frame.spilled:
            self._flush_parts(frame)
            source = self.spilled_string(frame.target)
        elif all(isinstance(part, Const) for part in frame.parts):
            source = const(decoded("".join(part.value for part in frame.parts)))  # type: ignore[attr-defined]
        elif len(frame.parts) == 1 and isinstance(frame.parts[0], Part):
            raw = frame.parts[0].raw
            source = f"plain(s, {raw})"
        else:
            source = self.string_of(self.pieces(frame))
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
            source, frame.open = local, True
        frame.key, frame.state = source, COLON

    def _put_constant(self, value: Any) -> None:
        self._fits(self.frame)
        self._put(const(value), full=isinstance(value, str))

    def _printed(self, node: nodes.Expression) -> None:
        frame = self.frame
        source = self.value(node)
        if frame.kind in TEXTS:  # worked out now, put together later
            held = self.hold(source)
            frame.parts.append(self.piece_of(held) if frame.kind == STRING else self.text_of(held))
        else:
            self._fits(frame)
            if frame.slot or frame.kind == SINGLE:
                self._put(self.bare(source), full=isinstance(source, Fresh))
            elif there := self.bare_there(source):
                self._put_if(there, "_")
            else:
                self._placed(frame)
