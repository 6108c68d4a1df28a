"""Variables, paths and conditions: what is known is worked out, what was looked up is kept in a local.

A name that an argument or a loop binds is looked for first, then what this template assigned, then the shared variables
`g`; whatever is none of these is nil, and so is all that is asked of it. That leaves little of a template that was
written for every case: most of what it says is about things that this call does not pass.
"""

from __future__ import annotations

from headwater.templates import nodes
from headwater.templates.building.branches import Live, common
from headwater.templates.building.calls import Calls
from headwater.templates.building.position import Unbuildable
from headwater.templates.building.source import ANY, NIL, SOLIDS, WORD, Const, Never, const, kept, local_of


class Variables(Calls):
    _own: dict[str, str]  # variables that only this template knows: the Python local of each
    _looked: set[str]  # those that are looked at there
    _shared: frozenset[str]  # variables that it shares with others

    def resolve(self, name: str) -> str:
        if name in self.bound:
            return self.bound[name]
        found = self._live.get((None, name))
        if found is not None:
            return found
        if name in self._shared:
            source = f"g.get({name!r})"
        elif name in self._own:
            source = self._own[name]
            self._looked.add(name)
        else:
            return NIL
        local = self._live[None, name] = self.new(self.assigned_kind(name))
        return kept(local, source)

    def assign(self, name: str, value: str) -> None:
        held = self.hold(value)
        if not self._is_as_known(held, self.assigned_kind(name)):
            raise Unbuildable("a variable that is not what is known of it")
        if name in self._shared:
            self.emit(f"g[{name!r}] = {held}")
        else:
            if name not in self._own:
                self._own[name] = f"n{len(self._own)}"
            self.emit(f"{self._own[name]} = {held}")
            self._idle += isinstance(held, Const)
        self.forget(name)
        self._live[None, name] = held

    def _is_as_known(self, held: str, kind: str) -> bool:
        known = (WORD,) if kind == WORD else SOLIDS
        return kind == ANY or self.kind(held) in known or (isinstance(held, Const) and held.value is None)

    def forget(self, *names: str) -> None:
        self._stale.update(names)
        if "*" in names:
            self._live = {key: local for key, local in self._live.items() if key[0] is not None}
        for name in names:
            self._live.pop((None, name), None)

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self, node: nodes.Expression) -> str:
        if isinstance(node, nodes.Literal):
            return const(node.value)
        if isinstance(node, nodes.Special):
            return const("")
        if isinstance(node, nodes.Path):
            return self._path(node)
        if isinstance(node, nodes.Pipe):
            source = self.value(node.value)
            for call in node.calls:
                source = self.call(call, source)
            return source
        if isinstance(node, nodes.Range):
            return f"span({self.value(node.first)}, {self.value(node.last)})"
        return self.test(node)

    def _path(self, node: nodes.Path) -> str:
        source = self.resolve(node.root)
        for at, part in enumerate(node.parts):
            if source is NIL or (isinstance(source, Const) and source.value is None):
                return NIL
            source = self._member(source, part, node.root if at == 0 else "")
        return source

    def _member(self, source: str, part: str | int | nodes.Expression, name: str = "") -> str:
        if not isinstance(part, str | int):
            return self.indexed(source, self.value(part))
        whole = local_of(source)
        if not whole:
            return self.member(source, part)
        key = whole, part
        if key not in self._live:
            self._live[key] = self.new(self.member_kind(whole, part, name))
            return kept(self._live[key], self.step(source, whole, part, name))
        return self._live[key]

    # -------------------------------------------------------------------------------------------------- conditions

    def test(self, node: nodes.Expression) -> str:
        test, then, otherwise = self.parted(node)
        self._live = common(then, otherwise)
        return test

    def parted(self, node: nodes.Expression) -> tuple[str, Live, Live]:
        if isinstance(node, nodes.Logic):
            return self._logic(node)
        test = self.compared(node) if isinstance(node, nodes.Compare) else self._truth(self.value(node))
        return test, self._live, self._live

    def _truth(self, source: str) -> str:
        if isinstance(source, Const):
            return const(source.value is not None and source.value is not False)
        local, solid = local_of(source), self.kind(source) in SOLIDS
        if not local:
            return f"({source})" if solid else f"((_ := {source}) is not None and _ is not False)"
        if local in self._sure:
            return const(True) if self._sure[local] or solid else f"({source} is not False)"
        return f"({source})" if solid else f"({source} is not None and {local} is not False)"

    def _logic(self, node: nodes.Logic) -> tuple[str, Live, Live]:
        both = node.operator == "and"
        left, left_then, left_otherwise = self.parted(node.left)
        if isinstance(left, Const) and left.value is not both:
            return left, left_then, left_otherwise
        self._live = dict(left_then if both else left_otherwise)
        sure = self._sure
        if both:
            self._sure = {**sure, **self.facts(node.left, left_then)}
        right, right_then, right_otherwise = self.parted(node.right)
        self._sure = sure
        if isinstance(left, Const):
            return right, right_then, right_otherwise
        if isinstance(right, Const) and right.value is both:
            return left, left_then, left_otherwise
        test = f"({left} {node.operator} {right})"
        if both and (isinstance(left, Never) or isinstance(right, Never | Const)):
            test = Never(test)
        if both:
            return test, right_then, common(left_otherwise, right_otherwise)
        return test, common(left_then, right_then), right_otherwise

    def facts(self, node: nodes.Expression, live: Live) -> dict[str, bool]:
        if isinstance(node, nodes.Logic):
            if node.operator != "and":
                return {}
            return {**self.facts(node.left, live), **self.facts(node.right, live)}
        if isinstance(node, nodes.Path):
            local = self._known_local(node, live)
            return {local: True} if local else {}
        if (
            isinstance(node, nodes.Compare)
            and isinstance(node.left, nodes.Path)
            and isinstance(node.right, nodes.Literal)
        ):
            value = node.right.value
            if (node.operator == "!=" and value is None) or (node.operator == "==" and isinstance(value, str)):
                local = self._known_local(node.left, live)
                return {local: False} if local else {}
        return {}

    def _known_local(self, node: nodes.Path, live: Live) -> str:
        """The local of a path that was looked up."""
        local = self.bound.get(node.root) or live.get((None, node.root), "")
        for part in node.parts:
            local = live.get((local, part), "") if local else ""
        return "" if isinstance(local, Const) else local

    # -------------------------------------------------------------------------------------- what a dialect brings

    def assigned_kind(self, name: str) -> str:  # noqa: ARG002
        """What is known of all that is ever assigned to a variable that others may assign to as well."""
        return ANY

    def member(self, source: str, part: str | int) -> str:
        """`source.part` by call."""
        raise NotImplementedError

    def indexed(self, source: str, index: str) -> str:
        """`source[index]`, for an index that is worked out."""
        raise NotImplementedError

    def step(self, source: str, whole: str, part: str | int, name: str) -> str:
        """One step of a path without a call, if it can be: `source` leaves its value in the local `whole`. `name` is
        that of the variable, where it is its value."""
        raise NotImplementedError

    def member_kind(self, whole: str, part: str | int, name: str) -> str:
        """What is known of what a step gives: ANY, FRESH or SOLID; `whole` and `name` as of `step`."""
        raise NotImplementedError

    def call(self, call: nodes.Call, value: str) -> str:
        """A filter's result."""
        raise NotImplementedError

    def compared(self, node: nodes.Compare) -> str:
        """A comparison's source; `empty` and `blank` are asked for and not compared with."""
        operator, left = node.operator, self.value(node.left)
        special = node.left if isinstance(node.left, nodes.Special) else node.right
        if operator in ("==", "!=") and isinstance(special, nodes.Special):
            value = left if special is node.right else self.value(node.right)
            return f"({'not ' if operator == '!=' else ''}is_{special.name}({value}))"
        return self.comparison(operator, left, self.value(node.right))

    def comparison(self, operator: str, left: str, right: str) -> str:
        """The source of a comparison of two values."""
        raise NotImplementedError
