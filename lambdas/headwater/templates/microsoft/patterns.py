""".NET regular expressions in Python, for `replace` and `match`, bounded: no template can hang a render with a pattern.

A pattern that repeats what can match in several ways is refused. For the others the worst case is a power of the
text's length, known from the number of repeats that something follows; a text too long for its pattern is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from headwater.templates.errors import FilterError, LimitReached
from headwater.templates.limits import Meter

_STEPS = 4_000_000_000
_LONGEST = 500
_GROUP = re.compile(r"\$(?:(\d{1,2})|\{(\w+)\}|(&)|(\$))")
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
_LARGE = 50


def replaced(meter: Meter, text: str, pattern: str, new: str, count: int = 0) -> str:
    """Every match (or the first `count`) of a .NET pattern replaced; `$1`, `${name}`, `$&`, `$$` as in .NET."""
    expression = _bounded(text, pattern)
    if "$" not in new:
        hits = len(expression.findall(text)) if len(new) * len(text) > 1_000_000 else 0
        meter.charge(len(text) + hits * len(new))
        return expression.sub(lambda _: new, text, count)
    meter.charge(len(text))
    room = [meter.limits.string]

    def expand(match: re.Match[str]) -> str:
        made = _GROUP.sub(lambda reference: _group(match, reference), new)
        room[0] -= len(made)
        if room[0] < 0:
            raise LimitReached(f"a string is longer than {meter.limits.string} characters")
        return made

    result = expression.sub(expand, text, count)
    meter.charge(len(result))
    return result


def first(meter: Meter, text: str, pattern: str) -> str | None:
    """The first match, or None."""
    meter.charge(len(text))
    found = _bounded(text, pattern).search(text)
    return found.group() if found else None


def found(text: str, pattern: str) -> bool:
    return _bounded(text, pattern).search(text) is not None


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    number, name, whole, dollar = reference.groups()
    if dollar:
        return "$"
    try:
        return match.group() if whole else match[int(number) if number else name] or ""
    except (IndexError, KeyError):
        return reference.group()


def _bounded(text: str, pattern: str) -> re.Pattern[str]:
    expression, degree = _compiled(pattern)
    if len(text) ** degree > _STEPS:
        raise LimitReached("a text is too long for its regular expression")
    return expression


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    """The expression, and the power of the text's length that it may cost."""
    if len(pattern) > _LONGEST:
        raise FilterError("a regular expression is too long")
    try:
        translated = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern)
        expression = re.compile(translated)
        parsed = _parser.parse(translated)
    except (re.error, RecursionError, OverflowError):
        raise FilterError("a regular expression that cannot be read") from None
    return expression, 1 + _repeats(parsed, tail=True)


def _repeats(items: Iterable[Any], tail: bool) -> int:
    """How many unbounded repeats are followed by something that may fail. Refuses, but at the very end where nothing
    can fail any more, a repeat of what can match in several ways: those may try them all."""
    found = 0
    listed = list(items)
    for number, (kind, detail) in enumerate(listed):
        last = tail and number == len(listed) - 1
        if kind in _REPEATS:
            low, high, body = detail
            greedy_end = last and low <= 1 and kind is not _constants.MIN_REPEAT
            if high > 1 and not greedy_end and _ambiguous(body):
                raise FilterError("a regular expression with a repeat inside a repeat")
            found += int((high == _constants.MAXREPEAT or high - low > _LARGE) and not greedy_end)
            found += _repeats(body, last and high == 1)
        else:
            for part in _parts(detail):
                found += _repeats(part, last)
    return found


def _ambiguous(body: Any) -> bool:
    """Whether a sub-pattern may match one text in several ways: by its length, or by an alternative."""
    least, most = body.getwidth()
    return bool(least != most or _branches(body))


def _branches(items: Iterable[Any]) -> bool:
    return any(kind is _constants.BRANCH or any(map(_branches, _parts(detail))) for kind, detail in items)


def _parts(detail: Any) -> Iterable[Any]:
    """The sub-patterns in one parsed item, whatever its kind."""
    if isinstance(detail, _parser.SubPattern):
        yield detail
    elif isinstance(detail, tuple | list):
        for each in detail:
            yield from _parts(each)
