"""The Microsoft dialect, put together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

from headwater.templates.dialects import NAMES, Dialect
from headwater.templates.errors import FilterError
from headwater.templates.microsoft import bundle, mergediff, runtime
from headwater.templates.microsoft.compiler import MicrosoftCompiler
from headwater.templates.microsoft.filters import FILTERS
from headwater.templates.microsoft.memo import Dependence, memoised
from headwater.templates.microsoft.parser import MicrosoftParser


def refused(name: Any) -> NoReturn:
    raise FilterError(f"filter '{name}' has the wrong number of arguments")


def wrap(engine: Any, name: str, function: runtime.Function) -> runtime.Function:
    """Partials that depend on few variables are memoised."""
    if engine.dependence is None:
        engine.dependence = Dependence(engine.summary)
    found = engine.dependence.of(name) if "/" in name else None
    return function if found is None else memoised(function, *found)


MICROSOFT = Dialect(
    "microsoft",
    MicrosoftParser,
    MicrosoftCompiler,
    FILTERS,
    {
        **NAMES,
        **runtime.NAMES,
        "Decimal": Decimal,
        "merged": mergediff.merged,
        "validated": mergediff.validated,
        "refused": refused,
    },
    runtime.MicrosoftState,
    read=bundle.read,
    builder="headwater.templates.microsoft.building",
    guard=lambda summary: str(summary[0]) if summary else "",
    wrap=wrap,
)
