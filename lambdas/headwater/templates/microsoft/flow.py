"""What a template's result depends on, read off its tree: the variables it reads and writes, and whom it calls.

A template is pure if equal variables give equal text. Most small partials (ids, data types) are, and are called again
and again with the same arguments, mostly nil; `memo` uses this summary to render them once per distinct input.
All sets err on the safe side: too many reads, too few certain writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from headwater.templates import nodes

BATCHES = ("batch_render", "batch_render_parallel")
_IMPURE = frozenset({"now", "random", "date"})


@dataclass(slots=True)
class Flow:
    """`guard`: the variable without which the template writes nothing but blanks. `reads`: variables whose value before
    the call matters. `certain` and `writes`: variables it surely, or perhaps, assigns. `calls`: template, names bound
    for it, names assigned before it, and whether it is surely called."""

    pure: bool = True
    reads: set[str] = field(default_factory=set)
    certain: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    calls: list[tuple[str, frozenset[str], frozenset[str], bool]] = field(default_factory=list)
    guard: str = ""

    def packed(self) -> tuple[Any, ...]:
        """Plain data, for the cache of compiled code."""
        names = frozenset(self.reads), frozenset(self.certain), frozenset(self.writes)
        return self.guard, self.pure, *names, tuple(self.calls)


def flow(template: nodes.Template) -> Flow:
    found = Flow()
    found.guard = _guard(template.body)
    found.certain = _Walk(found).body(template.body, frozenset(), certain=True)
    return found


def _guard(body: Iterable[nodes.Statement]) -> str:
    """`X` if all of a template stands in one `{% if X %}…{% endif %}`."""
    told = [node for node in body if not (isinstance(node, nodes.Text) and not node.text.strip())]
    if len(told) != 1 or not isinstance(told[0], nodes.If):
        return ""
    only = told[0]
    condition = only.branches[0][0]
    plain = len(only.branches) == 1 and not only.otherwise and not only.negate_first
    return condition.root if plain and isinstance(condition, nodes.Path) and not condition.parts else ""


class _Walk:
    def __init__(self, found: Flow) -> None:
        self.found = found

    def body(self, statements: Iterable[nodes.Statement], known: frozenset[str], certain: bool) -> set[str]:
        """Walk statements; gives the names that are surely assigned behind them."""
        assigned = set(known)
        for statement in statements:
            self.statement(statement, assigned, certain)
        return assigned

    def statement(self, node: nodes.Statement, assigned: set[str], certain: bool) -> None:
        if isinstance(node, nodes.Output):
            self.read(node.value, assigned)
        elif isinstance(node, nodes.Assign):
            self.read(node.value, assigned)
            self._write(node.name, assigned)
        elif isinstance(node, nodes.Capture):
            assigned |= self.body(node.body, frozenset(assigned), certain)
            self._write(node.name, assigned)
        elif isinstance(node, nodes.If):
            self._branches(node, assigned)
        elif isinstance(node, nodes.Case):
            self.read(node.subject, assigned)
            for values, body in node.branches:
                for value in values:
                    self.read(value, assigned)
                self.body(body, frozenset(assigned), False)
        elif isinstance(node, nodes.For):
            for part in (node.source, node.limit, node.offset):
                self.read(part, assigned)
            self.body(node.body, frozenset(assigned), False)
            self.body(node.otherwise, frozenset(assigned), False)
        elif isinstance(node, nodes.Include | nodes.Evaluate):
            self._call(node, assigned, certain)
        elif isinstance(node, nodes.MergeDiff):
            self.read(node.value, assigned)
            assigned |= self.body(node.body, frozenset(assigned), certain)
        elif isinstance(node, nodes.Validate):
            assigned |= self.body(node.body, frozenset(assigned), certain)
        elif isinstance(node, nodes.Break | nodes.Continue):
            self.found.pure = self.found.pure and not certain  # it may end the template half-way

    def _branches(self, node: nodes.If, assigned: set[str]) -> None:
        ends = []
        for condition, body in node.branches:
            self.read(condition, assigned)
            ends.append(self.body(body, frozenset(assigned), False))
        ends.append(self.body(node.otherwise, frozenset(assigned), False))
        assigned |= set.intersection(*ends)

    def _call(self, node: nodes.Include | nodes.Evaluate, assigned: set[str], certain: bool) -> None:
        bound = set()
        for name, value in node.arguments:
            self.read(value, assigned)
            bound.add(name)
        if isinstance(node, nodes.Include) and node.item:
            self.read(node.item, assigned)
            bound.add(node.alias)
            certain = False  # once per item
        if isinstance(node.template, nodes.Literal) and isinstance(node.template.value, str):
            self.found.calls.append((node.template.value, frozenset(bound), frozenset(assigned), certain))
        else:
            self.found.pure = False
        if isinstance(node, nodes.Evaluate):
            self._write(node.name, assigned)

    def _write(self, name: str, assigned: set[str]) -> None:
        self.found.writes.add(name)
        assigned.add(name)

    def read(self, node: nodes.Expression | None, assigned: set[str]) -> None:
        if isinstance(node, nodes.Path):
            self._read_name(node.root, assigned)
            for part in node.parts:
                if not isinstance(part, str | int):
                    self.read(part, assigned)
        elif isinstance(node, nodes.Pipe):
            self.read(node.value, assigned)
            for call in node.calls:
                self.found.pure = self.found.pure and call.name not in _IMPURE and call.name not in BATCHES
                for argument in call.arguments:
                    self.read(argument, assigned)
        elif isinstance(node, nodes.Compare | nodes.Logic):
            self.read(node.left, assigned)
            self.read(node.right, assigned)
        elif isinstance(node, nodes.Range):
            self.read(node.first, assigned)
            self.read(node.last, assigned)

    def _read_name(self, name: str, assigned: set[str]) -> None:
        if name == "forloop":
            self.found.pure = False
        if name not in assigned:
            self.found.reads.add(name)
