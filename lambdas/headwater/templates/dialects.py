"""What makes a dialect: its parser, its compiler, its filters, and the names compiled code may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from headwater.templates import runtime, tidy
from headwater.templates.building import house_runtime
from headwater.templates.compiler import Compiler
from headwater.templates.filters import STANDARD, Filter, registry
from headwater.templates.parser import Parser


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    parser: type[Parser]
    compiler: type[Compiler]
    filters: dict[str, Filter]
    names: Mapping[str, Any]  # the globals of compiled code, besides its filters and partials
    state: type[runtime.State] = runtime.State
    guard: Callable[[Any], str] | None = None  # from a summary: the variable without which nothing is written
    read: Callable[[str, str], Any] = tidy.parse  # JSON text and its template's name to the value
    builder: str = ""  # the module that compiles the fast way: imported only where no cache has its code
    rebinds: bool = False  # whether `assign` changes what an argument or a loop has bound
    wrap: Callable[[Any, str, Any], Any] | None = None  # engine, template, function: the function to use

    def extended(self, functions: Mapping[str, Callable[..., Any]]) -> Dialect:
        """The same dialect with more filters, each a plain function from the piped value and its arguments."""
        return replace(self, filters={**self.filters, **registry.of(functions)}) if functions else self


def _captured(state: runtime.State, out: list[str]) -> str:
    if len(out) == 1:
        return out[0]
    state.charge(sum(map(len, out)))
    return "".join(out)


_FUNCTIONS = (
    *(runtime.member, runtime.text, runtime.quoted, runtime.json_value, runtime.equal, runtime.less),
    *(runtime.less_or_equal, runtime.contains, runtime.is_empty, runtime.is_blank, runtime.span),
    *(runtime.sequence, runtime.turns, runtime.ForLoop),
)
NAMES: dict[str, Any] = {
    "__builtins__": {"dict": dict, "int": int, "len": len, "list": list, "str": str},
    "captured": _captured,
    **{function.__name__: function for function in _FUNCTIONS},
}

HEADWATER = Dialect(
    "headwater",
    Parser,
    Compiler,
    STANDARD,
    {**NAMES, **house_runtime.NAMES},
    builder="headwater.templates.building.house",
    rebinds=True,
)


def dialect(name: str) -> Dialect:
    """The dialect that is called so: `headwater` or `microsoft`."""
    if name == "headwater":
        return HEADWATER
    if name == "microsoft":
        from headwater.templates.microsoft.dialect import MICROSOFT  # only who runs it pays for its import

        return MICROSOFT
    raise ValueError(f"no dialect '{name}'")
