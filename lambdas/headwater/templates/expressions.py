"""Reads what stands inside tags and outputs: paths, literals, filters, conditions, arguments.

A recursive descent over the markup itself, without a token list: expressions are short and each kind starts with a
telling character. Offsets are into the template's source, so that errors name the very column.
"""

from __future__ import annotations

import re
from typing import NoReturn

from headwater.templates.lexer import SourceError
from headwater.templates.nodes import Call, Compare, Expression, Literal, Logic, Path, Pipe, Range, Special

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_MEMBER = re.compile(r"\w[\w-]*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.])|-?\d+(?=\.\.)")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_OPERATOR = re.compile(r"==|!=|<>|<=|>=|<|>|contains\b")
_LOGIC = re.compile(r"(and|or)\b")
_WORDS: dict[str, Expression] = {
    "true": Literal(True),
    "false": Literal(False),
    "nil": Literal(None),
    "null": Literal(None),
    "empty": Special("empty"),
    "blank": Special("blank"),
}
NESTING = 80


class Reader:
    """A cursor over one piece of markup that starts at `base` in the source."""

    def __init__(self, text: str, base: int) -> None:
        self.text = text
        self.base = base
        self.position = 0
        self._depth = 0

    @property
    def at(self) -> int:
        return self.base + self.position

    def fail(self, hint: str) -> NoReturn:
        raise SourceError(hint, self.at)

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """The text of `pattern` if it stands here, behind optional whitespace; the cursor moves behind it."""
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def take(self, symbol: str) -> bool:
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        if not self.text.startswith(symbol, self.position):
            return False
        self.position += len(symbol)
        return True

    def word(self, *words: str) -> str | None:
        """One of `words` as a whole word, if it stands here."""
        before = self.position
        found = self.match(_NAME)
        if found in words:
            return found
        self.position = before
        return None

    def name(self, what: str) -> str:
        return self.match(_NAME) or self.fail(f"{what} expected")

    @property
    def done(self) -> bool:
        return not self.text[self.position :].strip()

    def end(self) -> None:
        if not self.done:
            self.match(_SPACE)
            self.fail("end of the tag expected")

    # ------------------------------------------------------------------------------------------------- expressions

    def value(self) -> Expression:
        """A literal, a range or a path."""
        self._depth += 1
        if self._depth > NESTING:
            self.fail("nested too deeply")
        try:
            return self._value()
        finally:
            self._depth -= 1

    def _value(self) -> Expression:
        string = self.match(_STRING)
        if string is not None:
            return Literal(string[1:-1])
        number = self.match(_NUMBER)
        if number is not None:
            return Literal(float(number) if "." in number else _integer(number, self))
        if self.take("("):
            first = self.value()
            if not self.take(".."):
                self.fail("'..' expected in a range")
            last = self.value()
            if not self.take(")"):
                self.fail("')' expected")
            return Range(first, last)
        root = self.name("a value")
        parts = self._parts()
        return _WORDS[root] if root in _WORDS and not parts else Path(root, parts)

    def _parts(self) -> tuple[str | int | Expression, ...]:
        parts: list[str | int | Expression] = []
        while True:
            if self.text.startswith("[", self.position):
                self.position += 1
                index = self.value()
                if not self.take("]"):
                    self.fail("']' expected")
                literal = index.value if isinstance(index, Literal) else None
                parts.append(literal if isinstance(literal, str | int) and literal is not True else index)
            elif self.text.startswith(".", self.position) and not self.text.startswith("..", self.position):
                self.position += 1
                member = self.match(_MEMBER) or self.fail("a member's name expected")
                parts.append(_integer(member, self) if member.isdecimal() else member)
            else:
                return tuple(parts)

    def pipe(self) -> Expression:
        """A value and its filters: `x | append: 'y', 1 | join`."""
        value = self.value()
        calls: list[Call] = []
        while self.take("|"):
            self.match(_SPACE)
            at = self.at
            name = self.name("a filter's name")
            arguments, named = self.arguments() if self.take(":") else ((), ())
            calls.append(Call(name, arguments, named, at))
        return Pipe(value, tuple(calls)) if calls else value

    def arguments(self) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
        """`1, 'two', three: 3`: first the nameless, then the named."""
        plain: list[Expression] = []
        named: list[tuple[str, Expression]] = []
        while True:
            before = self.position
            name = self.match(_NAME)
            if name and self.take(":"):
                named.append((name, self.value()))
            else:
                self.position = before
                plain.append(self.value())
            if not self.take(","):
                return tuple(plain), tuple(named)

    def named(self) -> tuple[tuple[str, Expression], ...]:
        """`, a: 1, b: 2`, the arguments of include and render; commas may be left out."""
        found: list[tuple[str, Expression]] = []
        self.take(",")
        while not self.done:
            name = self.name("an argument's name")
            if not self.take(":"):
                self.fail("':' expected")
            found.append((name, self.value()))
            self.take(",")
        return tuple(found)

    def condition(self) -> Expression:
        self._depth += 1
        if self._depth > NESTING:
            self.fail("nested too deeply")
        left: Expression = self.value()
        operator = self.match(_OPERATOR)
        if operator:
            left = Compare("!=" if operator == "<>" else operator, left, self.value())
        logic = self.match(_LOGIC)
        return Logic(logic, left, self.condition()) if logic else left


def _integer(digits: str, reader: Reader) -> int:
    if len(digits) > 18:
        reader.fail("a number is too long")
    return int(digits)
