"""Expressions to Python: paths, filters, comparisons. What they call is in `runtime`."""

from __future__ import annotations

from headwater.templates import nodes
from headwater.templates.emitter import Emitter
from headwater.templates.filters import Filter

COMPARE = {
    "==": "equal({}, {})",
    "!=": "(not equal({}, {}))",
    "<": "less({}, {})",
    "<=": "less_or_equal({}, {})",
    ">": "less({1}, {0})",
    ">=": "less_or_equal({1}, {0})",
    "contains": "contains({}, {})",
}


class FilterCalls(Emitter):
    """Filters, checked when they are compiled."""

    def call(self, call: nodes.Call, value: str) -> str:
        """A filter's result."""
        known = self.declared(call)
        named = [f"{name}={self.value(argument)}" for name, argument in call.named]
        return self.applied(known, value, [*map(self.value, call.arguments), *named])

    def applied(self, known: Filter, value: str, arguments: list[str]) -> str:
        function = self._filters.setdefault(known.name, f"F{len(self._filters)}")
        return f"{function}({', '.join([*(['s'] if known.metered else []), value, *arguments])})"

    def declared(self, call: nodes.Call) -> Filter:
        known = self.known.get(call.name)
        if known is None:
            self.fail(f"unknown filter '{call.name}'", call.at)
        if not known.least <= len(call.arguments) <= known.most:
            counts = str(known.least) if known.least == known.most else f"{known.least} to {known.most}"
            self.fail(f"filter '{call.name}' takes {counts} arguments, not {len(call.arguments)}", call.at)
        for name, _ in call.named:
            if name not in known.named:
                self.fail(f"filter '{call.name}' has no argument '{name}'", call.at)
        return known


class Operations(FilterCalls):
    """The half of the compiler that makes Python expressions."""

    def value(self, node: nodes.Expression) -> str:
        """Python source that gives the value of an expression."""
        if isinstance(node, nodes.Literal):
            return repr(node.value)
        if isinstance(node, nodes.Path):
            source = f"v.get({node.root!r})"
            for part in node.parts:
                source = f"member({source}, {repr(part) if isinstance(part, str | int) else self.value(part)})"
            return source
        if isinstance(node, nodes.Pipe):
            source = self.value(node.value)
            for call in node.calls:
                source = self.call(call, source)
            return source
        if isinstance(node, nodes.Range):
            return f"span({self.value(node.first)}, {self.value(node.last)})"
        if isinstance(node, nodes.Special):
            return "''"
        return self.test(node)

    def test(self, node: nodes.Expression) -> str:
        """Python source that is true when the expression is truthy: neither nil nor false."""
        if isinstance(node, nodes.Compare):
            return self._comparison(node.operator, self.value(node.left), node.right, node.left)
        if isinstance(node, nodes.Logic):
            return f"({self.test(node.left)} {node.operator} {self.test(node.right)})"
        if isinstance(node, nodes.Literal):
            return repr(node.value is not None and node.value is not False)
        return f"((_ := {self.value(node)}) is not None and _ is not False)"

    def _comparison(
        self, operator: str, left: str, right: nodes.Expression, left_node: nodes.Expression | None = None
    ) -> str:
        special = self._special(operator, left, right, left_node)
        return special or COMPARE[operator].format(left, self.value(right))

    def _special(
        self, operator: str, left: str, right: nodes.Expression, left_node: nodes.Expression | None
    ) -> str | None:
        """`x == empty`, `blank != x`: a test instead of a comparison."""
        if operator not in ("==", "!="):
            return None
        if isinstance(right, nodes.Special):
            source = f"is_{right.name}({left})"
        elif isinstance(left_node, nodes.Special):
            source = f"is_{left_node.name}({self.value(right)})"
        else:
            return None
        return source if operator == "==" else f"(not {source})"
