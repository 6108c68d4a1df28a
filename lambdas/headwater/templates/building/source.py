"""Python source of values, as far as the builder knows them: constants, what a local holds, pieces of strings."""

from __future__ import annotations

from typing import Any

from headwater.model import LARGE

# What a local begins with, by what its value is known to be: anything, `Fresh` or a member of that, `Solid`, a `Word`.
ANY, FRESH, SOLID, WORD = "t", "f", "v", "w"
SOLIDS = (SOLID, WORD)


class Const(str):
    """Python source of a value that is known when compiled."""

    __slots__ = ("value",)
    value: Any


def const(value: Any) -> Const:
    made = Const(repr(value))
    made.value = value
    return made


NIL = const(None)


class Fresh(str):
    """Python source of nil, or of a JSON value without empties that was made for this place alone."""

    __slots__ = ()


class Solid(str):
    """Python source of nil, or of a value that is neither false nor empty, is equal to what its text is equal to, and
    is no `str` if that text is long."""

    __slots__ = ()


class Word(Solid):
    """Python source of nil, or of a short text that is not empty."""

    __slots__ = ()


class Never(str):
    """Python source of a condition that cannot hold, and yet looks something up."""

    __slots__ = ()


class Part(str):
    """Python source of a piece of a string, escaped; `raw` is that of the value before, if it is one output."""

    __slots__ = ("raw",)
    raw: str


class Kept(str):
    """Python source `(local := inner)`: a value that is in a local from then on."""

    __slots__ = ("inner", "local")
    local: str
    inner: str


def kept(local: str, inner: str) -> Kept:
    made = Kept(f"({local} := {inner})")
    made.local, made.inner = local, inner
    return made


def local_of(source: str) -> str:
    """The local that holds the value of `source` once it is evaluated, or nothing."""
    if isinstance(source, Kept):
        return source.local
    return source if source.isidentifier() and not isinstance(source, Const) else ""


def kind_of(source: str) -> str:
    """What is known of the value of `source`: ANY, FRESH, SOLID or WORD."""
    if isinstance(source, Const):
        return WORD if isinstance(source.value, str) and 0 < len(source.value) < LARGE else ANY
    local = local_of(source)
    if local:
        return local[0] if local[0] in (FRESH, *SOLIDS) else ANY
    kinds = ((Word, WORD), (Solid, SOLID), (Fresh, FRESH))
    return next((kind for known, kind in kinds if isinstance(source, known)), ANY)


def joined_parts(parts: list[str]) -> list[str]:
    """Neighbours that are known as one."""
    merged: list[str] = []
    for part in parts:
        if isinstance(part, Const) and merged and isinstance(merged[-1], Const):
            merged[-1] = const(merged[-1].value + part.value)
        elif not isinstance(part, Const) or part.value:
            merged.append(part)
    return merged
