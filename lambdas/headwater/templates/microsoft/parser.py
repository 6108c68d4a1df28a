"""DotLiquid's tags and Microsoft's own (`evaluate`, `mergeDiff`, `validate`), onto the house dialect's tree."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headwater.templates.lexer import SourceError, Token
from headwater.templates.microsoft import markup
from headwater.templates.microsoft.lexer import tokens
from headwater.templates.nodes import (
    Assign,
    Break,
    Capture,
    Case,
    Continue,
    Evaluate,
    Expression,
    For,
    If,
    Include,
    Literal,
    MergeDiff,
    Output,
    Path,
    Statement,
    Validate,
)
from headwater.templates.parser import Body, Parser

_ASSIGN = re.compile(r"\s*((?:\(?[\w\-.\[\]]\)?)+)\s*=\s*(.*)\s*")
_CAPTURE = re.compile(r"\s*(\w+)")
_EVALUATE = re.compile(r"\s*((?:\(?[\w\-.\[\]]\)?)+)\s+using\s+((?:\"[^\"]*\"|'[^']*')+)")
_INCLUDE = re.compile(rf"\s*({markup.FRAGMENT}+)(\s+(?:with|for)\s+({markup.FRAGMENT}+))?")
_FOR = re.compile(rf"\s*(\w+)\s+in\s+({markup.FRAGMENT}+)\s*(reversed)?")
_CASE = re.compile(rf"\s*({markup.FRAGMENT})")
_WHEN = re.compile(rf"\s*({markup.FRAGMENT})(?:(?:\s+or\s+|\s*,\s*)({markup.FRAGMENT}.*))?")
_LONGEST = 10_000
_ELSE = ("elsif", "elseif", "else")


class MicrosoftParser(Parser):
    def scan(self, source: str) -> Iterable[Token]:
        return tokens(source)

    @staticmethod
    def _match(pattern: re.Pattern[str], token: Token) -> re.Match[str]:
        if len(token.text) > _LONGEST:
            raise SourceError("a tag is too long", token.at)
        match = pattern.match(token.text)
        if match is None:
            raise SourceError(f"'{token.name}' is not written as it should be", token.at)
        return match

    def output(self, token: Token) -> Statement:
        return Output(markup.variable(token.text, token.at), token.at)

    def tag_assign(self, token: Token) -> Statement:
        match = self._match(_ASSIGN, token)
        return Assign(match[1].lower(), markup.variable(match[2], token.at + match.start(2)), token.at)

    def tag_capture(self, token: Token) -> Statement:
        name = self._match(_CAPTURE, token)[1].lower()
        body, _ = self.until(token, "endcapture")
        return Capture(name, body, token.at)

    def tag_if(self, token: Token, closing: str = "endif") -> Statement:
        """`else if …` is `else`, and what follows an `else` is parsed and never reached."""
        condition: Expression | None = markup.condition(token.text, token.at)
        branches: list[tuple[Expression, Body]] = []
        otherwise: Body | None = None
        while True:
            body, end = self.until(token, *_ELSE, closing)
            if condition is not None and otherwise is None:
                branches.append((condition, body))
            elif otherwise is None:
                otherwise = body
            if end.name == closing:
                return If(tuple(branches), otherwise or (), token.at, negate_first=closing == "endunless")
            condition = None if end.name == "else" else markup.condition(end.text, end.at)

    def tag_unless(self, token: Token) -> Statement:
        return self.tag_if(token, "endunless")

    def tag_case(self, token: Token) -> Statement:
        """Every matching `when` counts, an `else` only if none before it matched."""
        subject = markup.resolve(self._match(_CASE, token)[1], token.at)
        _, end = self.until(token, "when", "else", "endcase")
        branches: list[tuple[tuple[Expression, ...], Body]] = []
        while end.name != "endcase":
            opening = end
            body, end = self.until(token, "when", "else", "endcase")
            values = () if opening.name == "else" else tuple(self._values(opening))
            branches.append((values, body))
        return Case(subject, tuple(branches), (), token.at)

    def _values(self, token: Token) -> Iterable[Expression]:
        rest: str | None = token.text
        while rest:
            match = _WHEN.match(rest)
            if match is None:
                raise SourceError("'when' needs a value", token.at)
            yield markup.resolve(match[1], token.at)
            rest = match[2]

    def tag_for(self, token: Token) -> Statement:
        match = self._match(_FOR, token)
        options = dict(markup.attributes(token.text, token.at))
        body, end = self.until(token, "else", "endfor")
        otherwise: Body = ()
        if end.name == "else":
            otherwise, _ = self.until(token, "endfor")
        source = markup.resolve(match[2], token.at)
        limit, offset = options.get("limit"), options.get("offset")
        if isinstance(offset, Path) and offset.root == "continue":
            raise SourceError("'offset: continue' is not supported", token.at)
        return For(match[1].lower(), source, body, otherwise, token.at, limit, offset, bool(match[3]))

    def tag_break(self, token: Token) -> Statement:
        return Break(token.at)

    def tag_continue(self, token: Token) -> Statement:
        return Continue(token.at)

    def _named(self, fragment: str, at: int) -> Expression:
        template = markup.resolve(fragment, at)
        if isinstance(template, Literal) and isinstance(template.value, str):
            self._includes[template.value] = None
        return template

    def tag_include(self, token: Token, isolated: bool = False) -> Statement:
        match = self._match(_INCLUDE, token)
        template = self._named(match[1], token.at + match.start(1))
        alias = match[1][1:-1]
        item = markup.resolve(match[3] or alias, token.at) if match[3] or alias.isidentifier() else None
        named = markup.attributes(token.text, token.at)
        return Include(template, named, token.at, isolated, item, bool(item), alias.lower())

    def tag_render(self, token: Token) -> Statement:
        self.unknown(token)

    def tag_evaluate(self, token: Token) -> Statement:
        match = self._match(_EVALUATE, token)
        template = self._named(match[2], token.at + match.start(2))
        return Evaluate(match[1].lower(), template, markup.attributes(token.text, token.at), token.at)

    def tag_mergeDiff(self, token: Token) -> Statement:
        value = markup.resolve(token.text.strip(), token.at)
        body, _ = self.until(token, "endmergeDiff")
        return MergeDiff(value, body, token.at)

    def tag_validate(self, token: Token) -> Statement:
        schema = markup.resolve(token.text.strip(), token.at)
        if not isinstance(schema, Literal) or not isinstance(schema.value, str):
            raise SourceError("'validate' needs the quoted name of a schema", token.at)
        body, _ = self.until(token, "endvalidate")
        return Validate(schema.value, body, token.at)
