"""What built code calls while it runs: strings as JSON reads them, bare outputs, values that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from headwater.model import LARGE
from headwater.templates import tidy
from headwater.templates.building.position import Unbuildable
from headwater.templates.limits import Meter


class _Missing:
    """No value where one may come."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()
_KEPT = (bool, int, float)


def kept(value: Any) -> bool:
    """Whether a falsy value is one all the same."""
    return value is None or value.__class__ in _KEPT


def missing_value() -> NoReturn:
    raise Unbuildable("a member without a value")


def second_value() -> NoReturn:
    raise Unbuildable("a second value where there is one")


def told(meter: Meter, parts: Sequence[str]) -> str:
    """A string put together from escaped pieces."""
    size = sum(map(len, parts))
    if size >= LARGE:
        meter.charge(size)
        meter.left -= size
    text = "".join(parts)
    return unescaped(text) if "\\" in text else text


def unescaped(text: str) -> str:
    try:
        return str(tidy.decode(f'"{text}"'))
    except ValueError:
        raise Unbuildable("a string that JSON cannot read") from None


def whole(text: str) -> Any:
    """The one JSON value that a text is; what is none, or more than one, the slow way decides."""
    try:
        return tidy.exactly(text.strip())
    except (ValueError, RecursionError):
        raise Unbuildable("an output that is no JSON value") from None


def missing(state: Any, name: str) -> NoReturn:
    """A partial that there is not, or that is wrong: its error, now that it is called."""
    state.engine.function(name, "value")
    raise Unbuildable("a partial that cannot be compiled")
