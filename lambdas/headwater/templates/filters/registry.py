"""How a filter is declared: a plain function from the piped value and its arguments to a value.

The compiler checks name and number of arguments, so that a misspelling is found when a template is compiled and not
when a message comes. A filter that can make text grow takes the `Meter` first and charges it before it makes anything;
one whose first parameter is called `state` takes it for what the template was given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Filter:
    """`least` and `most` count the arguments behind the colon; `metered`: the function takes the meter first;
    `nil_stays`: of nil it makes nil; `fresh`: what it makes is nil or a JSON value without empties, made for this call;
    `word`: nil or a short text that is not empty. Those three a function says of itself, by attributes. `remembered`:
    what it makes depends on its arguments alone, and it is a dict that may be asked for it."""

    name: str
    function: Callable[..., Any]
    least: int
    most: int
    named: frozenset[str]
    metered: bool
    nil_stays: bool = False
    fresh: bool = False
    word: bool = False
    remembered: bool = False


def of(functions: Mapping[str, Callable[..., Any]], metered: Iterable[str] = ()) -> dict[str, Filter]:
    """Filters by name; how many arguments each takes is read from its signature."""
    wants_meter = frozenset(metered)
    return {name: _filter(name, function, metered=name in wants_meter) for name, function in functions.items()}


def _filter(name: str, function: Callable[..., Any], *, metered: bool) -> Filter:
    parameters = list(inspect.signature(function).parameters.values())
    metered = metered or (bool(parameters) and parameters[0].name == "state")
    arguments = parameters[2 if metered else 1 :]
    nameless = [each for each in arguments if each.kind is each.POSITIONAL_OR_KEYWORD]
    open_ended = any(each.kind is each.VAR_POSITIONAL for each in arguments)
    return Filter(
        name,
        function,
        least=sum(each.default is each.empty for each in nameless),
        most=99 if open_ended else len(nameless),
        named=frozenset(each.name for each in arguments if each.kind is each.KEYWORD_ONLY),
        metered=metered,
        nil_stays=getattr(function, "nil_stays", False),
        fresh=getattr(function, "fresh", False),
        word=getattr(function, "word", False),
        remembered=isinstance(function, dict),
    )
