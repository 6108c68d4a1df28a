"""Renders a pure partial once per distinct input within one message, and gives the same text and assignments again.

Inputs are told apart by identity: what a template sees does not change while it renders, and the entry holds on to its
inputs, so an identity is never reused. That makes a look-up cheap, and wrong never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headwater.templates.microsoft.runtime import Function, MicrosoftState

_MOST_NAMES = 18
_MOST_CALLED = 40
_MOST_KEPT = 1_000  # per template

Summary = tuple[Any, ...]  # what `Flow.packed` gives


class Dependence:
    """The variables that a template and all it calls depend on and assign; None of it if it cannot be memoised."""

    def __init__(self, summary: Callable[[str], Summary | None]) -> None:
        self._summary = summary
        self._known: dict[str, tuple[frozenset[str], frozenset[str], frozenset[str]] | None] = {}

    def of(self, name: str) -> tuple[Sequence[str], Sequence[str]] | None:
        """The names in the key, and the names to restore; None if the template is not worth it or not pure."""
        found = self._closed(name, 0)
        if found is None:
            return None
        reads, certain, writes = found
        names = reads | (writes - certain)
        return (sorted(names), sorted(writes)) if len(names) + len(writes) <= _MOST_NAMES else None

    def _closed(self, name: str, depth: int) -> tuple[frozenset[str], frozenset[str], frozenset[str]] | None:
        if name not in self._known:
            self._known[name] = None  # a template that calls itself is not memoised
            self._known[name] = self._close(name, depth)
        return self._known[name]

    def _close(self, name: str, depth: int) -> tuple[frozenset[str], frozenset[str], frozenset[str]] | None:
        summary = self._summary(name)
        if summary is None or depth > 8:
            return None
        _, pure, reads, certain, writes, calls = summary
        if not pure or len(reads) > _MOST_NAMES or len(calls) > _MOST_CALLED:
            return None
        for called, bound, assigned, surely in calls:
            inner = self._closed(called, depth + 1)
            if inner is None:
                return None
            reads |= inner[0] - bound - assigned
            writes |= inner[2]
            if surely:
                certain |= inner[1]
        return reads, certain, writes


def memoised(function: Function, names: Sequence[str], writes: Sequence[str]) -> Function:
    """`function`, rendered once per distinct values of `names`. A hit needs no tick: it only repeats a reference."""

    def call(state: MicrosoftState, variables: dict[str, Any], out: list[str]) -> None:
        for name in writes:
            if name in state.under:  # an assignment would go past a binding
                function(state, variables, out)
                return
        known = state.memo.get(call)
        if known is None:
            known = state.memo[call] = {}
        key = tuple(map(id, map(variables.get, names)))
        entry = known.get(key)
        if entry is None:
            values, made = tuple(map(variables.get, names)), list[str]()
            function(state, variables, made)
            text = "".join(made)
            if len(known) < _MOST_KEPT:
                known[key] = text, {name: variables.get(name) for name in writes}, values
            out.append(text)
            return
        if entry[0]:
            out.append(entry[0])
        if writes:
            variables.update(entry[1])

    return call
