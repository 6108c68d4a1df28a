"""What a filter says of itself, by attributes that `templates.filters.registry` reads, so that compiled templates spare
calls and copies. A filter that says it wrongly loses data: tests/formats/test_marks.py holds each of them to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def fresh(filter_: F) -> F:
    """It makes nil, or a JSON value that has no empties in it and was made for this call alone; never 0 or false."""
    filter_.fresh = True  # type: ignore[attr-defined]
    return filter_


def word(filter_: F) -> F:
    """It makes nil, or a text that is not empty and short, however long what it is given is: a code of a map, a time, a
    hash."""
    filter_.word = True  # type: ignore[attr-defined]
    return filter_


def nil_stays(filter_: F) -> F:
    """Of nil it makes nil, whatever its arguments are, and does nothing else."""
    filter_.nil_stays = True  # type: ignore[attr-defined]
    return filter_
