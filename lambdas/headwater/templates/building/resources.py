"""Where a resource begins and where it ends, told while it is built: so nobody looks for them in what was built.

An object is a resource if it surely has a type. Those that are `contained` belong where they are written.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.templates.building.builder import Builder
from headwater.templates.building.position import ARRAY, KEY, OBJECT, SINGLE, Frame, Unbuildable
from headwater.templates.building.source import Const, const

_TYPE, _CONTAINED, _REFERENCE = const("resourceType"), const("contained"), const("reference")


class Resources(Builder):
    def _keep(self, frame: Frame, source: str) -> None:
        if frame.kind == OBJECT and frame.key == _TYPE and not self._contained(self._frames[:-1]):
            self._begin(frame, source)
        else:
            super()._keep(frame, source)

    def _begin(self, frame: Frame, source: str) -> None:
        if frame.born < 0 or self._indent != frame.indent or not isinstance(source, Const):
            raise Unbuildable("a resource whose type is not sure")
        if not all(isinstance(value, Const) for value in frame.literal.values()):
            raise Unbuildable("a resource that is made after what is in it")
        target, _, made = self._code[frame.born].partition(" = ")
        self._code[frame.born] = f"{target} = s.lifting.begins({made})"
        self.emit(Builder._stored(frame, source))
        frame.whole = True

    @staticmethod
    def _stored(frame: Frame, source: str) -> str:
        if frame.kind == OBJECT and frame.key == _TYPE:
            raise Unbuildable("a resource whose type is not sure")
        return Builder._stored(frame, source)

    def _is_single(self, frame: Frame) -> bool:
        return super()._is_single(frame) and not self._points(self.frame)

    def closed(self, frame: Frame) -> str:
        source = super().closed(frame)
        if frame.whole or frame.holding or self.frame.key in self.frame.holding:
            self._holds(self.frame)
        if frame.whole:
            source, frame.sure = f"s.lifting.ends({source})", False
        if self._points(self.frame):
            source, frame.sure = f"s.lifting.pointed({source})", False
        return source

    def _include(self, name: str, scope: str = "g") -> None:
        if self._contained(self._frames):
            raise Unbuildable("a contained resource that comes from a partial")
        self._holds(self.frame)
        super()._include(name, scope)
        if self._points(self.frame) and self.frame.slot:
            self.emit(f"{self.frame.slot} = s.lifting.pointed({self.frame.slot})")

    def _holds(self, frame: Frame) -> None:
        """Resources may come next; those that another member of the same name would replace, nobody could take back."""
        if frame.kind == OBJECT and frame.state != KEY and self._may_be_there(frame):
            self.emit(f"if {frame.key} in {frame.target}: second_value()")
        frame.holding.add(frame.key)

    def _may_be_there(self, frame: Frame) -> bool:
        """Whether the member that comes next may have a value already: of a line above, of a turn before."""
        looped = bool(self._loops) and self._frames.index(frame) < self._loops[-1]
        return frame.open or looped or frame.key in frame.written

    @staticmethod
    def _points(frame: Frame) -> bool:
        """Whether a Reference's `reference` comes next: in one that says more, the resource stands there."""
        return frame.kind == OBJECT and frame.key == _REFERENCE and frame.state != KEY

    @staticmethod
    def _contained(frames: Sequence[Frame]) -> bool:
        """Whether what comes next inside of these is contained in a resource."""
        holder = next((frame for frame in reversed(frames) if frame.kind not in (ARRAY, SINGLE)), None)
        return holder is not None and holder.kind == OBJECT and holder.key == _CONTAINED and holder.state != KEY
