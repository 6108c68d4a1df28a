"""Which variables some statements read and assign, and whom they call; all sets err on the safe side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from headwater.templates import nodes
from headwater.templates.building.position import Unbuildable


@dataclass(slots=True)
class Reach:
    """`mentions`: variables that are read at all, but for those bound around; `early`: read perhaps before they are
    assigned here; `writes`: assigned; `assigned`: with what, None if that is no expression; `loops`: bound by a loop;
    `calls`: templates, with the names bound for them, and whether that is all they see."""

    mentions: set[str] = field(default_factory=set)
    early: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    assigned: list[tuple[str, nodes.Expression | None]] = field(default_factory=list)
    loops: set[str] = field(default_factory=set)
    calls: list[tuple[str, frozenset[str], bool]] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Whether no partial that is called sees variables, and no loop's own is assigned."""
        return not self.loops & self.writes and all(isolated for _, _, isolated in self.calls)


def reach(body: tuple[nodes.Statement, ...], *, whole: bool = False) -> Reach:
    """Of some statements, or of a `whole` template."""
    found = Reach()
    _Walk(found, whole).body(body, frozenset(), frozenset())
    return found


class _Walk:
    def __init__(self, found: Reach, whole: bool) -> None:
        self.found = found
        self.whole = whole

    def body(self, statements: Iterable[nodes.Statement], done: frozenset[str], bound: frozenset[str]) -> set[str]:
        """Walk statements; gives the names that are surely assigned behind them."""
        assigned = set(done)
        for statement in statements:
            self.statement(statement, assigned, bound)
        return assigned

    def statement(self, node: nodes.Statement, done: set[str], bound: frozenset[str]) -> None:
        if isinstance(node, nodes.Output):
            self.read(node.value, done, bound)
        elif isinstance(node, nodes.Assign):
            self.read(node.value, done, bound)
            self._write(node.name, done, node.value)
        elif isinstance(node, nodes.Capture):
            done |= self.body(node.body, frozenset(done), bound)
            self._write(node.name, done)
        elif isinstance(node, nodes.If):
            ends = []
            for condition, inner in node.branches:
                self.read(condition, done, bound)
                ends.append(self.body(inner, frozenset(done), bound))
            ends.append(self.body(node.otherwise, frozenset(done), bound))
            done |= set.intersection(*ends)
        elif isinstance(node, nodes.Case):
            self.read(node.subject, done, bound)
            for values, inner in node.branches:
                for value in values:
                    self.read(value, done, bound)
                self.body(inner, frozenset(done), bound)
            self.body(node.otherwise, frozenset(done), bound)
        elif isinstance(node, nodes.For):
            for part in (node.source, node.limit, node.offset):
                self.read(part, done, bound)
            self.found.loops.add(node.name)
            self.body(node.body, frozenset(done), bound | {node.name, "forloop"})
            self.body(node.otherwise, frozenset(done), bound)
        elif isinstance(node, nodes.Include | nodes.Evaluate):
            self._call(node, done, bound)
        elif isinstance(node, nodes.Break | nodes.Continue):
            if self.whole and "forloop" not in bound:
                raise Unbuildable("'break' or 'continue' outside of a loop")
        elif isinstance(node, nodes.MergeDiff | nodes.Validate):
            raise Unbuildable("mergeDiff and validate are text")

    def _call(self, node: nodes.Include | nodes.Evaluate, done: set[str], bound: frozenset[str]) -> None:
        if not isinstance(node.template, nodes.Literal) or not isinstance(node.template.value, str):
            raise Unbuildable("a partial whose name is worked out")
        isolated = isinstance(node, nodes.Include) and node.isolated
        names = set(bound)
        for name, value in node.arguments:
            self.read(value, done, frozenset(names))
            if not isolated:
                names.add(name)
        given = {name for name, _ in node.arguments}
        if isinstance(node, nodes.Include) and node.item:
            self.read(node.item, done, frozenset(names))
            given.add(node.alias)
        self.found.calls.append((node.template.value, frozenset(given if isolated else names | given), isolated))
        if isinstance(node, nodes.Evaluate):
            self._write(node.name, done)

    def _write(self, name: str, done: set[str], value: nodes.Expression | None = None) -> None:
        self.found.writes.add(name)
        self.found.assigned.append((name, value))
        done.add(name)

    def read(self, node: nodes.Expression | None, done: Iterable[str], bound: frozenset[str]) -> None:
        if isinstance(node, nodes.Path):
            if node.root not in bound:
                self.found.mentions.add(node.root)
                if node.root not in done:
                    self.found.early.add(node.root)
            for part in node.parts:
                if not isinstance(part, str | int):
                    self.read(part, done, bound)
        elif isinstance(node, nodes.Pipe):
            self.read(node.value, done, bound)
            for call in node.calls:
                if call.name.startswith("batch_render"):
                    raise Unbuildable("a batch of partials")
                for argument in (*call.arguments, *(value for _, value in call.named)):
                    self.read(argument, done, bound)
        elif isinstance(node, nodes.Compare | nodes.Logic):
            self.read(node.left, done, bound)
            self.read(node.right, done, bound)
        elif isinstance(node, nodes.Range):
            self.read(node.first, done, bound)
            self.read(node.last, done, bound)
