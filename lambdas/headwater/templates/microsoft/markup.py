"""What stands inside tags, read as DotLiquid reads it: by patterns that take what they can use and skip the rest.

That leniency is part of the dialect: `{{x}}` inside a tag, doubled or missing commas, `PV1..16` and members that begin
with digits all mean something in templates people have. A fragment of markup becomes a node by `resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from headwater.templates.lexer import SourceError
from headwater.templates.nodes import Call, Compare, Expression, Literal, Logic, Path, Pipe, Range, Special

_QUOTED = r"""(?:"[^"]*"|'[^']*')"""
FRAGMENT = rf"""(?:{_QUOTED}|(?:[^\s,|'"]|{_QUOTED})+)"""
_ATTRIBUTE = re.compile(rf"(\w+)\s*:\s*({FRAGMENT})")
_VARIABLE = re.compile(rf"""\s*({_QUOTED}|(?:[^\s|'"]|{_QUOTED})+)(.*)""")
_FILTERS = re.compile(r"\|\s*(.*)")
_FILTER = re.compile(rf"(?:\s+|{FRAGMENT}|,)+")
_FILTER_NAME = re.compile(r"\s*(\w+)")
_ARGUMENT = re.compile(rf"(?::|,)\s*({FRAGMENT})")
_PART = re.compile(r"\[[^\]]+\]|[\w\-]+\??")
_TERM = re.compile(rf"(?:\b(?:\s?and\s?|\s?or\s?)\b|(?:\s*(?!\b(?:\s?and\s?|\s?or\s?)\b)(?:{FRAGMENT}|\S+)\s*)+)")
_CONDITION = re.compile(rf"({FRAGMENT})\s*([=!<>a-zA-Z_]+)?\s*({FRAGMENT})?")
_INTEGER = re.compile(r"[+-]?\d{1,18}\Z")
_NUMBER = re.compile(r"[+-]?\d[\d.,]+\Z")
_RANGE = re.compile(r"\((\S+)\.\.(\S+)\)\Z")
_OPERATORS = {
    **{each: each for each in ("==", "!=", "<", "<=", ">", ">=", "contains")},
    "<>": "!=",
    **dict.fromkeys(("startsWith", "startswith", "starts_with"), "startswith"),
    **dict.fromkeys(("endsWith", "endswith", "ends_with"), "endswith"),
    **dict.fromkeys(("hasKey", "haskey", "has_key"), "haskey"),
    **dict.fromkeys(("hasValue", "hasvalue", "has_value"), "hasvalue"),
}
_WORDS: dict[str, Expression] = {
    "": Literal(None),
    "nil": Literal(None),
    "null": Literal(None),
    "true": Literal(True),
    "false": Literal(False),
    "empty": Special("empty"),
    "blank": Special("empty"),
}
_CONDITIONS = 500
_DEPTH = 20


def resolve(fragment: str, at: int, depth: int = 0) -> Expression:
    """One fragment: a literal, a range or a variable with members."""
    if fragment in _WORDS:
        return _WORDS[fragment]
    if depth > _DEPTH:
        raise SourceError("nested too deeply", at)
    first, last = fragment[0], fragment[-1]
    if first in "'\"" and last == first and len(fragment) > 1 and "\n" not in fragment:
        return Literal(fragment[1:-1])
    if first == "(":
        span = _RANGE.match(fragment)
        if span:
            return Range(resolve(span[1], at, depth + 1), resolve(span[2], at, depth + 1))
    if _INTEGER.match(fragment):
        return Literal(int(fragment))
    if _NUMBER.match(fragment):
        try:
            return Literal(Decimal(fragment.replace(",", "")))
        except InvalidOperation:
            pass
    return _path(fragment, at, depth)


def _path(fragment: str, at: int, depth: int) -> Expression:
    parts = _PART.findall(fragment)
    if not parts or parts[0].startswith("["):
        return Literal(None)
    members: list[str | int | Expression] = []
    for part in parts[1:]:
        if part.startswith("["):
            index = resolve(part[1:-1], at, depth + 1)
            literal = index.value if isinstance(index, Literal) else None
            members.append(literal if type(literal) in (int, str) else index)  # type: ignore[arg-type]
        else:
            members.append(part)
    return Path(parts[0].lower(), tuple(members))


def attributes(markup: str, at: int) -> tuple[tuple[str, Expression], ...]:
    """`a: 1, b: x`, wherever it stands in the markup; of the same name (in any case) the last one counts."""
    found: dict[str, Expression] = {}
    for match in _ATTRIBUTE.finditer(markup):
        found[match[1].lower()] = resolve(match[2], at + match.start(2))
    return tuple(found.items())


def variable(markup: str, at: int) -> Expression:
    """A value and its filters, as in an output or behind `assign x =`."""
    match = _VARIABLE.match(markup)
    if match is None:
        return Literal(None)
    value = resolve(match[1], at + match.start(1))
    calls = tuple(_calls(match[2], at + match.start(2)))
    return Pipe(value, calls) if calls else value


def _calls(markup: str, at: int) -> Iterator[Call]:
    filters = _FILTERS.search(markup)
    if filters is None:
        return
    start = at + filters.start()
    for match in _FILTER.finditer(filters.group()):
        name = _FILTER_NAME.search(match.group())
        if name:
            here = start + match.start()
            arguments = (resolve(each[1], here + each.start(1)) for each in _ARGUMENT.finditer(match.group()))
            yield Call(name[1], tuple(arguments), (), here + name.start(1))


def condition(markup: str, at: int) -> Expression:
    """`a == b and c or d`, grouped to the right whatever the words are."""
    terms = [match.group() for match in _TERM.finditer(markup)]
    if not terms:
        raise SourceError("a condition is expected", at)
    if len(terms) > 2 * _CONDITIONS:
        raise SourceError("too many conditions", at)
    whole = _compare(terms[-1], at)
    for number in range(len(terms) - 2, 0, -2):
        operator = terms[number].strip()
        left = _compare(terms[number - 1], at)
        whole = Logic(operator, left, whole) if operator in ("and", "or") else left
    return whole


def _compare(term: str, at: int) -> Expression:
    match = _CONDITION.search(term)
    if match is None:
        raise SourceError("a condition is expected", at)
    left = resolve(match[1].lstrip("("), at)
    if not match[2]:
        return left
    if match[2] not in _OPERATORS:
        raise SourceError(f"unknown operator '{match[2]}'", at)
    return Compare(_OPERATORS[match[2]], left, resolve((match[3] or "").rstrip(")"), at))
