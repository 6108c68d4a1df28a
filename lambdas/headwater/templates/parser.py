"""Tokens to a syntax tree. Each tag is one small function; a block tag reads on until its end tag.

This is the house dialect: Shopify Liquid's tags, with every misspelling an error that names its place. What Microsoft's
templates add is in `microsoft/parser.py`, over the same tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from headwater.templates.errors import SYNTAX, TemplateError, place_of
from headwater.templates.expressions import NESTING, Reader
from headwater.templates.lexer import Lines, SourceError, Token, tokens
from headwater.templates.nodes import (
    Assign,
    Break,
    Capture,
    Case,
    Continue,
    Expression,
    For,
    If,
    Include,
    Literal,
    Output,
    Statement,
    Template,
    Text,
)

Body = tuple[Statement, ...]


class Parser:
    """Parses one template. A dialect derives from it and overrides `scan`, `reader` or adds `tag_<name>` methods."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self._depth = 0
        self._includes: dict[str, None] = {}

    def parse(self) -> Template:
        try:
            self._tokens = iter(self.scan(self.source))
            body, end = self.block()
            if end is not None:
                self.unknown(end)
        except SourceError as error:
            place = place_of(self.name, *Lines(self.source).at(error.at))
            raise TemplateError(SYNTAX, place=place, hint=error.hint) from None
        return Template(self.name, self.source, body, tuple(self._includes))

    def scan(self, source: str) -> Iterable[Token]:
        return tokens(source)

    def reader(self, token: Token) -> Reader:
        return Reader(token.text, token.at)

    def unknown(self, token: Token) -> NoReturn:
        raise SourceError(f"unknown tag '{token.name}'", token.at - len(token.name))

    def block(self, *ends: str) -> tuple[Body, Token | None]:
        """Statements up to one of the tags `ends` (given back too), or up to the end of the source."""
        self._depth += 1
        body: list[Statement] = []
        for token in self._tokens:
            if token.kind == "text":
                body.append(Text(token.text, token.at))
            elif token.kind == "output":
                statement = self.output(token)
                if statement:
                    body.append(statement)
            elif token.name in ends:
                self._depth -= 1
                return tuple(body), token
            else:
                if self._depth > NESTING:
                    raise SourceError(f"blocks are nested deeper than {NESTING}", token.at)
                method = getattr(self, "tag_" + token.name, None)
                if method is None:
                    self.unknown(token)
                statement = method(token)
                if statement:
                    body.append(statement)
        self._depth -= 1
        return tuple(body), None

    def until(self, opening: Token, *ends: str) -> tuple[Body, Token]:
        body, end = self.block(*ends)
        if end is None:
            raise SourceError(f"'{opening.name}' is never closed", opening.at - len(opening.name))
        return body, end

    # -------------------------------------------------------------------------------------------------------- tags

    def output(self, token: Token) -> Statement | None:
        reader = self.reader(token)
        value = reader.pipe()
        reader.end()
        return Output(value, token.at)

    def tag_assign(self, token: Token) -> Statement:
        reader = self.reader(token)
        name = reader.name("a variable's name")
        if not reader.take("="):
            reader.fail("'=' expected")
        value = reader.pipe()
        reader.end()
        return Assign(name, value, token.at)

    def tag_capture(self, token: Token) -> Statement:
        reader = self.reader(token)
        name = reader.name("a variable's name")
        reader.end()
        body, _ = self.until(token, "endcapture")
        return Capture(name, body, token.at)

    def condition(self, token: Token) -> Expression:
        reader = self.reader(token)
        condition = reader.condition()
        reader.end()
        return condition

    def tag_if(self, token: Token, closing: str = "endif") -> Statement:
        branches: list[tuple[Expression, Body]] = []
        condition: Expression | None = self.condition(token)
        otherwise: Body = ()
        while True:
            body, end = self.until(token, "elsif", "else", closing)
            if condition is None:
                otherwise = body
            else:
                branches.append((condition, body))
            if end.name == closing:
                return If(tuple(branches), otherwise, token.at, negate_first=closing == "endunless")
            if condition is None:
                raise SourceError(f"'{end.name}' behind 'else'", end.at)
            condition = self.condition(end) if end.name == "elsif" else None

    def tag_unless(self, token: Token) -> Statement:
        return self.tag_if(token, "endunless")

    def tag_case(self, token: Token) -> Statement:
        reader = self.reader(token)
        subject = reader.value()
        reader.end()
        _, end = self.until(token, "when", "else", "endcase")
        branches: list[tuple[tuple[Expression, ...], Body]] = []
        otherwise: Body = ()
        while end.name != "endcase":
            opening = end
            body, end = self.until(token, "when", "else", "endcase")
            if opening.name == "else":
                otherwise = body
            else:
                branches.append((self._when(opening), body))
        return Case(subject, tuple(branches), otherwise, token.at)

    def _when(self, token: Token) -> tuple[Expression, ...]:
        reader = self.reader(token)
        values = [reader.value()]
        while reader.take(",") or reader.word("or"):
            values.append(reader.value())
        reader.end()
        return tuple(values)

    def tag_for(self, token: Token) -> Statement:
        reader = self.reader(token)
        name = reader.name("a variable's name")
        if not reader.word("in"):
            reader.fail("'in' expected")
        source = reader.value()
        reverse, options = False, {}
        while not reader.done:
            option = reader.word("reversed", "limit", "offset") or reader.fail("limit, offset or reversed expected")
            if option == "reversed":
                reverse = True
            elif reader.take(":"):
                options[option] = reader.value()
            else:
                reader.fail("':' expected")
            reader.take(",")
        body, end = self.until(token, "else", "endfor")
        otherwise: Body = ()
        if end.name == "else":
            otherwise, _ = self.until(token, "endfor")
        return For(name, source, body, otherwise, token.at, options.get("limit"), options.get("offset"), reverse)

    def tag_break(self, token: Token) -> Statement:
        self.reader(token).end()
        return Break(token.at)

    def tag_continue(self, token: Token) -> Statement:
        self.reader(token).end()
        return Continue(token.at)

    def partial(self, reader: Reader) -> Expression:
        """The name of another template; noted when it is a constant."""
        template = reader.value()
        if isinstance(template, Literal) and isinstance(template.value, str):
            self._includes[template.value] = None
        return template

    def tag_include(self, token: Token, isolated: bool = False) -> Statement:
        """`include 'x' for items as item, a: 1` and `with one as item`; the variable is called like the template."""
        reader = self.reader(token)
        template = self.partial(reader)
        if isolated and not isinstance(template, Literal):
            reader.fail("render needs a constant name")
        word = reader.word("with", "for")
        item = reader.value() if word else None
        alias = reader.name("a variable's name") if reader.word("as") else ""
        if item and not alias and isinstance(template, Literal):
            alias = str(template.value).rpartition("/")[2]
        if item and not alias:
            reader.fail("'as' and a variable's name expected")
        arguments = reader.named()
        return Include(template, arguments, token.at, isolated, item, word == "for", alias)

    def tag_render(self, token: Token) -> Statement:
        return self.tag_include(token, isolated=True)
