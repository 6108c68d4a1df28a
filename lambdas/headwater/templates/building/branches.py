"""Branches and loops: whichever way a message goes, the JSON must stand at the same place behind them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.templates import nodes
from headwater.templates.building.position import (
    FILLED,
    FREE,
    KEY,
    OBJECT,
    PERHAPS,
    TEXTS,
    UNSURE,
    VALUE,
    Frame,
    Place,
    Unbuildable,
    joined,
)
from headwater.templates.building.source import NIL, SOLIDS, Const, Never, const
from headwater.templates.building.structure import Structure
from headwater.templates.limits import TURN

if TYPE_CHECKING:
    from headwater.templates.building.unit import Unit

TRUE: str = const(True)
CALL = re.compile(r" *P\d+\(")  # a line that calls a partial, whatever it is given
ITEM = "i"  # what a local begins with that holds an item of anything
_HEAVY = 4_000  # characters of source from which an arm of a condition pays for itself
LOOK = "s.left < 0 and s.pay()"  # whether what is left is enough
Live = dict[Any, str]


class Branches(Structure):
    unit: Unit
    bound: dict[str, str]  # names bound here: a Python local, or what is known of it
    _dynamic: frozenset[str]  # names bound here that are assigned while they are bound
    _live: Live  # what is surely in a local by now
    _stale: set[str]  # variables that may have changed since a branch began
    _paid: int  # how much of the source so far pays for itself
    _idle: int  # lines that only note what is known

    def suite(self, statements: tuple[nodes.Statement, ...]) -> None:
        self._suite(lambda: self.body(statements))

    def _suite(self, write: Callable[[], None]) -> None:
        """An indented body; it closes what it opens, and nobody uses its locals behind it: they are named anew, because
        Python's frames had better be small."""
        depth, start, names, state = len(self._frames), len(self._code), self._names, self.frame.state
        self._indent += 1
        write()
        if len(self._frames) != depth:
            raise Unbuildable("a bracket is opened or closed in one branch only")
        if self.frame.kind in TEXTS:
            self._flush_parts(self.frame)
        elif self.frame.kind == OBJECT and state == KEY and self.frame.state in (FILLED, PERHAPS):
            self._settle(self.frame)
        if len(self._code) == start:
            self.emit("pass")
        self._indent -= 1
        self._names = names

    def _divide(self) -> None:
        """Before branches: a value that they may make gets a slot."""
        self.spill()
        frame = self.frame
        if frame.kind == OBJECT and frame.state == VALUE and not frame.slot:
            frame.slot = self.new("r")
            self.emit(f"{frame.slot} = MISSING")

    def do_if(self, node: nodes.If) -> None:
        self._ready(self.frame)
        frame, sure, stale = self.frame, self._sure, self._stale
        start, ends, word = frame.place(), list[Place](), "if"
        self._stale = set()
        after: Live | None = None
        for number, (condition, body) in enumerate((*node.branches, (None, node.otherwise))):
            frame.state, frame.comma = start
            before = self._live
            if condition is None:
                test, then, otherwise = TRUE, self._live, self._live
            else:
                test, then, otherwise = self.parted(condition)
            if node.negate_first and number == 0:
                test, then, otherwise = _negation(test), otherwise, then
            after = dict(common(then, otherwise)) if after is None else after
            if isinstance(test, Never) and word == "if":
                self.emit(test)  # what it looks up counts as read
            if isinstance(test, Never) or (isinstance(test, Const) and not test.value):
                self._live = dict(otherwise) if word == "if" else before
                continue
            if isinstance(test, Const) and word == "if":  # nothing to decide
                self._stale |= stale
                self.body(body)
                return
            if isinstance(test, Const) and not body:
                ends.append(start)
                break
            if word == "if":
                self._divide()
            self.emit("else:" if isinstance(test, Const) else f"{word} {test}:")
            facts = self.facts(condition, then) if condition is not None and not node.negate_first else {}
            self._live, self._sure = dict(then), {**sure, **facts}
            self._suite(partial(self._arm, body))
            ends.append(frame.place())
            self._live, self._sure, word = dict(otherwise), sure, "elif"
            if isinstance(test, Const):
                break
        self._join(frame, start, ends)
        self._live = after or {}
        self.forget(*self._stale)
        self._stale |= stale

    def _arm(self, body: tuple[nodes.Statement, ...]) -> None:
        mark, paid = len(self._code), self._paid
        self.body(body)
        if sum(map(len, self._code[mark:])) - (self._paid - paid) > _HEAVY:
            self.toll(mark, paid)

    @staticmethod
    def _join(frame: Frame, start: Place, ends: list[Place]) -> None:
        place = ends[0] if ends else start
        for end in ends[1:]:
            place = joined(place, end)
        frame.state, frame.comma = place

    def do_for(self, node: nodes.For) -> None:
        self._ready(self.frame)
        self._divide()
        source = self.value(node.source)
        if source is NIL:
            self.body(node.otherwise)
            return
        items = self.new("l")
        limit = self.value(node.limit) if node.limit else "None"
        offset = self.value(node.offset) if node.offset else "None"
        whole = self.hold(source)
        nothing = "" if isinstance(whole, Const) else f"() if {whole} is None else "
        turns = f"{nothing}turns(s, {whole}, {limit}, {offset}, {node.reverse})"
        simple = not (node.limit or node.offset or node.reverse or isinstance(whole, Const))
        self.emit(f"{items} = {self.items(whole) if simple else turns}")
        bound = {node.name: self.new(self.item(whole) if simple else ITEM)}
        if "forloop" in self.unit.mentions(node.body):
            bound["forloop"] = self.new("x")
            self.emit(f"{bound['forloop']} = ForLoop(len({items}), None)")
        writes = self.unit.writes(node.body)
        self._loop(items, bound[node.name], bound, writes, lambda: self.body(node.body))
        if node.otherwise:
            self.emit(f"if not {items}:")
            frame, start, live = self.frame, self.frame.place(), dict(self._live)
            self.suite(node.otherwise)
            self._join(frame, start, [start, frame.place()])
            self._live = live
            self.forget("*")

    def _loop(
        self, items: str, each: str, bound: dict[str, str], writes: frozenset[str], write: Callable[[], None]
    ) -> None:
        """A loop whose body begins where it ends; if that is not the place before the loop, it is compiled again."""
        self._divide()
        saved = self.rebind({name: "None" for name in bound if name in self._dynamic})
        self.forget(*writes)
        frame, live, sure, outer = self.frame, self._live, self._sure, self.bound
        for _ in range(2):
            start, mark, paid, idle = frame.place(), len(self._code), self._paid, self._idle
            self.bound = {**outer, **{name: local for name, local in bound.items() if name not in self._dynamic}}
            self._live, self._sure = dict(live), {**sure, each: True} if each[0] in SOLIDS else dict(sure)
            self._loops.append(len(self._frames))
            self.emit(f"for {each} in {items}:")
            self._suite(lambda: self._turn(bound, write))
            self._loops.pop()
            self.bound, self._live, self._sure = outer, dict(live), sure
            place = joined(start, frame.place())
            frame.state, frame.comma = place
            if place == start:
                break
            del self._code[mark:], self._places[mark:]
            self._paid, self._idle = paid, idle
        else:
            raise Unbuildable("a loop does not end where it begins")
        self.forget(*writes)
        self.restore(saved)

    def rebind(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """Bind variables that can be assigned to while they are bound; gives what `restore` needs."""
        saved = [(name, self.new("k")) for name in values]
        for name, local in saved:
            self.emit(f"{local} = g.get({name!r})")
        for name, value in values.items():
            self.emit(f"g[{name!r}] = {value}")
            self.forget(name)
        return saved

    def restore(self, saved: list[tuple[str, str]]) -> None:
        for name, local in reversed(saved):
            self.emit(f"g[{name!r}] = {local}")
            self.forget(name)

    def _turn(self, bound: dict[str, str], write: Callable[[], None]) -> None:
        mark, paid = len(self._code), self._paid
        for name, local in bound.items():
            if name in self._dynamic:
                self.emit(f"g[{name!r}] = {local}")
        if "forloop" in bound:
            self.emit(f"{bound['forloop']}.index0 += 1")
        write()
        if len(self._code) == mark + 1 and CALL.match(self._code[mark]):
            self.emit_at(mark, LOOK)  # what it calls pays
        else:
            self.toll(mark, paid, LOOK)

    def toll(self, mark: int, paid: int, look: str = "") -> None:
        """Pay for what the lines behind `mark` may write, before they do; arms that pay for themselves are left out.
        To `look` whether anything is left is for what comes again: only loops and what calls itself have no end."""
        size = sum(map(len, self._code[mark:]))
        weight = max(TURN, size - (self._paid - paid))
        self.emit_at(mark, f"s.left -= {weight}" + (f"; {look}" if look else ""))
        self._paid = paid + size

    def emit_at(self, line: int, text: str) -> None:
        self._code.insert(line, "    " * self._indent + text)
        self._places.insert(line, self._at)

    def do_break(self, _: nodes.Break) -> None:
        self._leave("break")

    def do_continue(self, _: nodes.Continue) -> None:
        self._leave("continue")

    def _leave(self, word: str) -> None:
        if not self._loops or self._loops[-1] != len(self._frames):
            raise Unbuildable(f"'{word}' outside of a loop, or with something open")
        if self.frame.kind in TEXTS:
            self._flush_parts(self.frame)
        elif self.frame.comma != FREE:
            self.frame.comma = UNSURE
        self.emit(word)

    # -------------------------------------------------------------------------------------- what a dialect brings

    def items(self, source: str) -> str:
        """What a loop goes through, of the value in a local."""
        return f"() if {source} is None else turns(s, {source}, None, None, False)"

    def item(self, source: str) -> str:  # noqa: ARG002
        """The kind of what a loop goes through, of the value in a local: what it gives of a value that is known is
        known as well, and nil only in what a filter made."""
        return ITEM

    def parted(self, node: nodes.Expression) -> tuple[str, Live, Live]:
        """A condition: its source, and what is surely in locals where it holds and where it does not."""
        raise NotImplementedError

    def facts(self, node: nodes.Expression, live: Live) -> dict[str, bool]:
        """The locals that cannot be nil where a condition holds; True: nor false."""
        raise NotImplementedError

    def forget(self, *names: str) -> None:
        """Variables that may have another value from here on; `*` for all."""
        raise NotImplementedError


def common(one: Live, other: Live) -> Live:
    """What is in locals either way."""
    return one if one is other else {key: local for key, local in one.items() if other.get(key) == local}


def _negation(test: str) -> str:
    return const(not test.value) if isinstance(test, Const) else f"not ({test})"
