"""One root template and all it calls: who reads and writes which variable, and each partial once per way it is called.

A variable needs a name at run time only if a template may read what another one assigned: those live in one dict, `g`.
Names bound by arguments and loops are parameters, all others are locals of one function or nil, and known to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from headwater.templates import nodes
from headwater.templates.building.position import FREE, SINGLE, Unbuildable
from headwater.templates.building.reach import Reach, reach
from headwater.templates.building.source import Const
from headwater.templates.program import Program

SURE, PERHAPS, NILLED = "sure", "perhaps", "nil"  # what is known of a parameter: neither nil nor false, nothing, nil
_MOST = 3_000  # functions for one root


Build = Callable[["Unit", nodes.Template, str, str, Mapping[str, str]], "Spec"]


@dataclass(slots=True)
class Spec:
    """A template as it is called in one way. `parameters` are variables in the order they are passed; `comma` and
    `state` say where it leaves off, `constant` is its text if that is known, `writes` the shared variables it may set,
    `empty`: it does nothing at all."""

    id: str
    name: str
    shape: str
    comma: str
    state: str
    parameters: tuple[str, ...]
    known: tuple[tuple[str, str], ...]
    writes: frozenset[str]
    constant: str | None
    empty: bool
    program: Program | None


class Unit:
    """What is compiled together: `names` are the variables that the root is given, `tree` finds a template or None,
    `build` compiles one spec."""

    root: Spec
    written: frozenset[str]  # variables that some template assigns
    shared: frozenset[str]  # those that one may read after another wrote them, and those given

    def __init__(self, names: Iterable[str], tree: Callable[[str], nodes.Template | None], build: Build) -> None:
        self._build = build
        self.tree = tree
        self._reaches: dict[str, Reach] = {}
        self._closed: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._specs: dict[str, Spec | None] = {}
        self.given = frozenset(names)
        self.specs: dict[str, Spec] = {}

    def begin(self, root: str) -> Spec:
        """Compile the root and all it calls into `specs`; Unbuildable if that cannot be."""
        self._close(root)
        every = [self._reaches[name] for name in self._closed if name in self._reaches]
        self.written = frozenset().union(*(each.writes for each in every))
        early = frozenset().union(*(each.early for each in every))
        self.shared = (early & self.written) | self.given
        spec = self.spec(root, SINGLE, FREE, {})
        if spec is None:
            raise Unbuildable("no such root template")
        self.root = spec
        return spec

    def _close(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        """The variables that a template and all below it mention, and those they assign."""
        if name in self._closed:
            known = self._closed[name]
            if known is None:
                raise Unbuildable("a template that calls itself")
            return known
        tree = self.tree(name)
        if tree is None:
            self._closed[name] = frozenset(), frozenset()
            return self._closed[name]
        self._closed[name] = None  # type: ignore[assignment]
        if "parentloop" in tree.source:
            raise Unbuildable("a loop that looks at the one around it")
        found = self._reaches[name] = reach(tree.body)
        self._closed[name] = self._below(found)
        return self._closed[name]

    def _below(self, found: Reach) -> tuple[frozenset[str], frozenset[str]]:
        mentions, writes = set(found.mentions), set(found.writes)
        for called, bound in found.calls:
            inner = self._close(called)
            mentions |= inner[0] - bound
            writes |= inner[1]
        return frozenset(mentions), frozenset(writes)

    def mentions(self, body: tuple[nodes.Statement, ...]) -> frozenset[str]:
        """The variables that some statements and all they call mention."""
        return self._below(reach(body))[0]

    def writes(self, body: tuple[nodes.Statement, ...]) -> frozenset[str]:
        """The variables that some statements and all they call may assign."""
        return self._below(reach(body))[1]

    def spec(self, name: str, shape: str, comma: str, bound: Mapping[str, str]) -> Spec | None:
        """The template, called here: compiled once per shape and knowledge of its variables; None if there is none."""
        tree = self.tree(name)
        if tree is None:
            return None
        known = {}
        for each in sorted(self._close(name)[0]):
            value = bound.get(each)
            if isinstance(value, Const):
                if value.value is not None and value.value is not False:
                    known[each] = SURE
                elif value.value is False:
                    known[each] = PERHAPS
                elif each in self.written or each in self.given:
                    known[each] = NILLED
            elif value is not None:
                known[each] = PERHAPS
        return self._spec(tree, shape, comma, known)

    def _spec(self, tree: nodes.Template, shape: str, comma: str, known: Mapping[str, str]) -> Spec:
        id = "|".join([tree.name, shape, comma, *(f"{name}:{how}" for name, how in known.items())])
        found = self._specs.get(id)
        if found is None:
            if len(self._specs) > _MOST:
                raise Unbuildable("partials are called in too many ways")
            found = self._build(self, tree, shape, comma, known)
            found.id, found.known = id, tuple(known.items())
            self._specs[id] = self.specs[id] = found
        return found

    def void(self, spec: Spec) -> bool:
        """Whether a partial does nothing, and gives nothing, when what it is given is nil."""
        known = {}
        for name, how in spec.known:
            if how == PERHAPS and (name in self.written or name in self.given):
                known[name] = NILLED
            elif how != PERHAPS:
                known[name] = how
        tree = self.tree(spec.name)
        if tree is None:
            return False
        without = self._spec(tree, spec.shape, FREE, known)
        return without.empty if without.constant is None else not without.constant

    def shared_writes(self, name: str) -> frozenset[str]:
        return self._close(name)[1] & self.shared
