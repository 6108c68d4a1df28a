"""One root template and all it calls: who reads and writes which variable, and each partial once per way it is called.

A variable needs a name at run time only if a template may read what another one assigned: those live in one dict, `g`.
Names bound by arguments and loops are parameters, all others are locals of one function or nil, and known to be.
A template that is only ever called by `render`, and calls others only so, is alone: all of its variables are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from headwater.templates import nodes
from headwater.templates.building.position import FREE, PERHAPS, SINGLE, UNSURE, Unbuildable
from headwater.templates.building.reach import Reach, reach
from headwater.templates.program import Program

# What is known of a parameter: neither nil nor false, nothing, nil; behind a space, what it is if it is not nil.
SURE, MAYBE, NILLED = "sure", "maybe", "nil"
_MOST = 3_000  # functions for one root


@dataclass(slots=True)
class Spec:
    """A template as it is called in one way: in a `shape`, knowing of its parameters what `known` says.

    `comma` and `state` say where it leaves off, `constant` is its text if that is known, `empty`: it does nothing
    but make an empty object; `full`: the value that it gives is true, or nothing. Until it is `done`, a call out of
    itself relies on nothing: `recursive`, there is one."""

    id: str
    tree: nodes.Template
    shape: str
    known: dict[str, str]
    writes: frozenset[str]  # the shared variables it may set
    comma: str = UNSURE
    state: str = PERHAPS
    constant: str | None = None
    empty: bool = False
    full: bool = False
    program: Program | None = None
    done: bool = False
    recursive: bool = False

    @property
    def source(self) -> str:
        return self.program.source if self.program else ""

    @property
    def parameters(self) -> list[str]:
        """The variables it is given, in the order in which they are passed."""
        return [name for name, how in self.known.items() if how != NILLED]


Build = Callable[["Unit", Spec, str], None]  # completes a spec that is called with a comma free, due or unsure


class Unit:
    """What is compiled together: `names` are the variables that the root is given, `tree` finds a template or None,
    `build` compiles one spec. `rebinds`: the dialect assigns to what an argument or a loop has bound."""

    root: Spec
    written: frozenset[str]  # variables that some template assigns which is not alone
    assigned: tuple[tuple[str, nodes.Expression | None], ...]  # what these assign
    kinds: dict[str, str]  # what a dialect knows of the values of such variables, once it has worked it out
    _shared: frozenset[str]  # those that one may read after another wrote them, and those given
    _dynamic: frozenset[str]  # bound here and assigned there, where an assignment changes what is bound
    _alone: frozenset[str]  # templates that see only their arguments, and share nothing with those that they call

    def __init__(
        self, names: Iterable[str], tree: Callable[[str], nodes.Template | None], build: Build, *, rebinds: bool = False
    ) -> None:
        self._build = build
        self._rebinds = rebinds
        self.tree = tree
        self._reaches: dict[str, Reach] = {}
        self._closed: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self.given = frozenset(names)
        self.specs: dict[str, Spec] = {}
        self.kinds = {}
        self._failed: dict[str, str] = {}  # specs that cannot be built, and why

    def begin(self, root: str) -> Spec:
        """Compile the root and all it calls into `specs`; Unbuildable if that cannot be."""
        self._reach(root)
        calls = [call for each in self._reaches.values() for call in each.calls]
        within = {root, *(called for called, _, isolated in calls if not isolated)}
        self._alone = frozenset(name for name, each in self._reaches.items() if name not in within and each.closed)
        every = [each for name, each in self._reaches.items() if name not in self._alone]
        self.written = frozenset().union(*(each.writes for each in every))
        self.assigned = tuple(assigned for each in every for assigned in each.assigned)
        early = frozenset().union(*(each.early for each in every))
        bound = self._bound(every) if self._rebinds else frozenset[str]()
        self._dynamic = bound & self.written
        self._shared = (early & self.written) | self.given | self._dynamic | self._overwritten()
        spec = self.spec(root, SINGLE, FREE, {})
        if spec is None:
            raise Unbuildable("no such root template")
        self.root = spec
        return spec

    def _bound(self, every: Iterable[Reach]) -> frozenset[str]:
        """What some templates bind by loops, and by arguments of templates that are not alone."""
        given = [names for each in every for called, names, _ in each.calls if called not in self._alone]
        return frozenset().union(*(each.loops for each in every), *given)

    def never_bound(self) -> frozenset[str]:
        """The variables that only assignments give a value to."""
        return self.written - self.given - self._bound(self._reaches.values())

    def shared(self, name: str) -> frozenset[str]:
        """The variables that a template shares with others."""
        return frozenset() if name in self._alone else self._shared

    def dynamic(self, name: str) -> frozenset[str]:
        """The variables that a template, when it is called, must be given by name."""
        return frozenset() if name in self._alone else self._dynamic

    def alone(self, name: str) -> bool:
        """Whether a template has no use for variables but those that it is given as parameters."""
        return name in self._alone

    def begun(self, name: str) -> frozenset[str]:
        """The variables that a template alone reads and assigns: each begins with a value, an argument or nil."""
        own = self._reaches[name]
        return frozenset(own.writes & own.mentions) if name in self._alone else frozenset()

    def _overwritten(self) -> frozenset[str]:
        """Variables that one template mentions and another, which it calls, assigns."""
        found = set[str]()
        for each in self._reaches.values():
            for called, _, isolated in each.calls:
                if not isolated:
                    found |= each.mentions & self._closed[called][1]
        return frozenset(found)

    def _reach(self, root: str) -> None:
        """Read all templates that the root may call, and what each of them and all below it mention and assign."""
        waiting = [root]
        while waiting:
            name = waiting.pop()
            tree = None if name in self._closed else self.tree(name)
            self._closed.setdefault(name, (frozenset(), frozenset()))
            if tree is None:
                continue
            if "parentloop" in tree.source:
                raise Unbuildable("a loop that looks at the one around it")
            self._reaches[name] = reach(tree.body, whole=True)
            waiting += [called for called, _, _ in self._reaches[name].calls]
        changed = True
        while changed:  # templates may call each other in circles
            changed = False
            for name, found in self._reaches.items():
                closed = self._below(found)
                changed = changed or closed != self._closed[name]
                self._closed[name] = closed

    def _below(self, found: Reach) -> tuple[frozenset[str], frozenset[str]]:
        mentions, writes = set(found.mentions), set(found.writes)
        for called, bound, isolated in found.calls:
            inner = self._closed[called]
            if not isolated:
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
        """The template, called where so much is known of each name that is `bound`: compiled once per shape and
        knowledge of its variables; None if there is none."""
        tree = self.tree(name)
        if tree is None:
            return None
        known = {}
        alone = name in self._alone
        for each in sorted(self._closed[name][0] - self.dynamic(name)):
            how = bound.get(each, "")
            if how == NILLED:
                how = "" if alone or (each not in self.written and each not in self.given) else NILLED
            if how:
                known[each] = how
        return self._spec(tree, shape, comma, known)

    def like(self, spec: Spec, comma: str, bound: Mapping[str, str]) -> Spec | None:
        """The same, knowing more of what it is given, if it can be called in its place and leaves off where it does."""
        try:
            other = self.spec(spec.tree.name, spec.shape, comma, bound) if spec.done else None
        except Unbuildable:
            return None
        if other is None or not other.program or other.parameters != spec.parameters or other.full < spec.full:
            return None
        return other if (other.comma, other.state) == (spec.comma, spec.state) else None

    def _spec(self, tree: nodes.Template, shape: str, comma: str, known: dict[str, str]) -> Spec:
        id = "|".join([tree.name, shape, comma, *(f"{name}:{how}" for name, how in known.items())])
        found = self.specs.get(id)
        if found is None:
            if id in self._failed:
                raise Unbuildable(self._failed[id])
            if len(self.specs) > _MOST:
                raise Unbuildable("partials are called in too many ways")
            writes = self._closed[tree.name][1] & self.shared(tree.name)
            found = self.specs[id] = Spec(id, tree, shape, known, writes)
            try:
                self._build(self, found, comma)
            except Unbuildable as error:
                del self.specs[id]
                self._failed[id] = str(error)
                raise
            found.done = True
        elif not found.done:
            found.recursive = True
        return found

    def void(self, spec: Spec) -> bool:
        """Whether a partial does nothing, and gives nothing, when what it is given is nil."""
        known = {name: NILLED if how.startswith(MAYBE) else how for name, how in spec.known.items()}
        known = {name: how for name, how in known.items() if how != NILLED or name in self.written | self.given}
        without = self._spec(spec.tree, spec.shape, FREE, known)
        return without.empty if without.constant is None else not without.constant
