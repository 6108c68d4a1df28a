"""Microsoft's dialect on the fast way: its paths, filters, comparisons and printing as Python."""

from __future__ import annotations

from functools import partial

from headwater.model import LARGE
from headwater.templates import nodes
from headwater.templates.building.builder import Builder
from headwater.templates.building.position import FREE, TRIMMED
from headwater.templates.building.source import ANY, NIL, Const, Part, const, local_of
from headwater.templates.building.unit import Build, Spec, Unit
from headwater.templates.filters import Filter
from headwater.templates.microsoft import runtime
from headwater.templates.microsoft.expressions import COMPARE, NIL_STAYS
from headwater.templates.microsoft.values import equal, shown

_KNOWN = frozenset(  # filters that are worked out beforehand when all they are given is known
    {"append", "prepend", "generate_id_input", "generate_uuid", "split", "join", "strip", "to_array", "size", "remove"}
)
_COMPARISONS = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": runtime.less,
    "<=": runtime.less_or_equal,
    ">": runtime.greater,
    ">=": runtime.greater_or_equal,
    "contains": runtime.contains,
    "startswith": runtime.starts_with,
    "endswith": runtime.ends_with,
}


class MicrosoftBuilder(Builder):
    def member(self, source: str, part: str | int) -> str:
        if isinstance(source, Const) and isinstance(source.value, str):
            return const(runtime.get(source.value, part) if isinstance(part, str) else runtime.at(source.value, part))
        return f"get({source}, {part!r})" if isinstance(part, str) else f"at({source}, {part})"

    def indexed(self, source: str, index: str) -> str:
        return f"at({source}, {index})"

    def step(self, source: str, whole: str, part: str | int, name: str) -> str:  # noqa: ARG002
        if isinstance(part, int):
            index, other = repr(part), f"at({whole}, {part})"
        else:
            index = str(int(part)) if part.isdecimal() and len(part) < 10 else repr(part.lower())
            other = f"get({whole}, {part!r})"
        nothing = "" if source == whole and whole in self._sure else f"None if {source} is None else "
        if whole in self._given:
            return f"{whole}[{index}] if {self._asked(whole)} else {nothing}{other}"
        return f"{nothing}{whole}[{index}] if {whole}.__class__ is Drop else {other}"

    def member_kind(self, whole: str, part: str | int, name: str) -> str:  # noqa: ARG002
        return ANY

    def _asked(self, parameter: str) -> str:
        """Whether a parameter is a drop: worked out once, where the function begins."""
        self._flags[parameter] = f"{parameter}d"
        return self._flags[parameter]

    def prologue(self) -> list[str]:
        return [f"{flag} = {parameter}.__class__ is Drop" for parameter, flag in self._flags.items()]

    def output(self, source: str, local: str) -> str:
        known = "" if local in self._sure else f"{source} is not None and "
        short = f"{local}.__class__ is str and len({local}) < {LARGE} and '\\\\' not in {local}"
        return f"{known}(_ := {local} if {short} else plain(s, {local}))"

    def call(self, call: nodes.Call, value: str) -> str:
        known = self.known.get(call.name)
        if known is None:
            return value  # an unknown filter passes its input on
        if not known.least <= len(call.arguments) <= known.most:
            return f"refused({call.name!r})"
        stays = call.name in NIL_STAYS
        if stays and isinstance(value, Const) and value.value is None:
            return NIL
        sure = dict(self._live)
        arguments = [self.value(argument) for argument in call.arguments]
        if call.name in _KNOWN and not known.metered and all(isinstance(each, Const) for each in (value, *arguments)):
            try:
                return const(known.function(*(each.value for each in (value, *arguments))))  # type: ignore[attr-defined]
            except Exception:  # noqa: BLE001 - it will say so where it is rendered
                pass
        function = self._filters.setdefault(call.name, f"F{len(self._filters)}")
        first = "s, " if known.metered else ""
        if not stays or isinstance(value, Const) or value in self._sure:
            return f"{function}({first}{', '.join([value, *arguments])})"
        self._live = sure  # arguments are worked out only for what is not nil
        local = local_of(value) or self.new("z")
        source = value if local_of(value) else f"({local} := {value})"
        return f"(None if {source} is None else {function}({first}{', '.join([local, *arguments])}))"

    def comparison(self, operator: str, left: str, right: str) -> str:
        if isinstance(left, Const) and isinstance(right, Const) and operator in _COMPARISONS:
            try:
                return const(bool(_COMPARISONS[operator](left.value, right.value)))
            except Exception:  # noqa: BLE001 - it will say so where it is rendered
                pass
        if operator in ("==", "!=") and isinstance(right, Const):
            return self._equal_to(operator, left, right)
        return COMPARE[operator].format(left, right)

    def _equal_to(self, operator: str, left: str, right: Const) -> str:
        negated = "not " if operator == "!=" else ""
        if right.value is None:
            if left in self._sure:
                return const(operator == "!=")
            return f"({left} {'is' if operator == '==' else 'is not'} None)"
        if isinstance(right.value, str):
            local, source = local_of(left), left
            if not local:
                local, source = "_", f"(_ := {left})"
            kind = f"{local}.__class__"
            if operator == "==":
                found = f"{source} is not None and ({local} == {right} if {kind} is str else "
                return f"({found}{kind} is not Drop and equal({local}, {right})))"
            found = f"{source} is None or ({local} != {right} if {kind} is str else "
            return f"({found}{kind} is Drop or not equal({local}, {right})))"
        return f"({negated}equal({left}, {right}))"

    def do_case(self, node: nodes.Case) -> None:
        """DotLiquid's: every branch that matches counts, an `else` if none before it did."""
        self._divide()
        subject, missed = self.hold(self.value(node.subject)), self.new("m")
        self.emit(f"{missed} = True")
        frame, sure = self.frame, self._sure
        for values, body in node.branches:
            for value in values or (None,):
                test = missed if value is None else f"equal({subject}, {self.value(value)})"
                start, live = frame.place(), dict(self._live)
                self.emit(f"if {test}:")
                self._suite(partial(self._matched, missed, body))
                self._join(frame, start, [start, frame.place()])
                self._live, self._sure = live, sure
                self.forget("*")

    def _matched(self, missed: str, body: tuple[nodes.Statement, ...]) -> None:
        self.emit(f"{missed} = False")
        self.body(body)

    def _arguments(self, named: tuple[tuple[str, nodes.Expression], ...]) -> dict[str, str]:
        """Bind arguments, each seeing those before it; gives the names as they were."""
        outer = self.bound
        for name, value in named:
            self.bound = {**self.bound, name: self.hold(self.value(value))}
        return outer

    def do_include(self, node: nodes.Include) -> None:
        name = self._name(node.template)
        outer = self._arguments(node.arguments)
        item = self.hold(self.value(node.item)) if node.item else NIL
        if item is NIL:
            self.bound = {**self.bound, node.alias: NIL} if node.item else self.bound
            self._include(name)
        else:
            each, writes = self.new("i"), self.unit.writes((node,))
            self._loop(f"spread({item})", each, {node.alias: each}, writes, lambda: self._include(name))
        self.bound = outer

    def do_evaluate(self, node: nodes.Evaluate) -> None:
        name = self._name(node.template)
        outer = self._arguments(node.arguments)
        spec = self._spec(name, TRIMMED, FREE)
        if spec is None:
            self.emit(f"missing(s, {name!r})")
            self.bound = outer
            return
        if spec.constant is not None:
            source: str = const(spec.constant or None)
        else:
            source = f"{self._function(spec)}(s, g{self._passed(spec)})"
            guard = self._guard(spec)
            source = f"({source} if {guard} else None)" if guard else source
        self.bound = outer
        self.forget(*spec.writes)
        self.assign(node.name, source)

    # ---------------------------------------------------------------------------------------------------- printing

    def bare(self, source: str) -> str:
        return f"whole(text({source}))"

    def string_of(self, parts: list[str]) -> str:
        dynamic = [part for part in parts if not isinstance(part, Const)]
        if len(dynamic) == 1 and isinstance(dynamic[0], Part) and not any("\\" in part for part in parts):
            at = parts.index(dynamic[0])
            before, after = (part[0] if part else const("") for part in (parts[:at], parts[at + 1 :]))
            return f"around(s, {before}, {dynamic[0].raw}, {after})"
        return f"told(s, ({', '.join(parts)}))"

    def text_of(self, source: str) -> str:
        return const(shown(source.value)) if isinstance(source, Const) else f"text({source})"

    def piece_of(self, source: str) -> str:
        if isinstance(source, Const):
            return const(runtime.mended(source.value))
        part = Part(f"mended({source})")
        part.raw = source
        return part


def building(filters: dict[str, Filter]) -> Build:
    def build(unit: Unit, spec: Spec, comma: str) -> None:
        MicrosoftBuilder(unit, spec, comma, filters).complete()

    return build
