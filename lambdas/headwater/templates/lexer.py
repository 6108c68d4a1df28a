"""The first step of a template: source text to a flat list of text, outputs and tags, whitespace control applied.

`raw` and `comment` are settled here, because what stands in them is not Liquid. Places are offsets into the source.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN = re.compile(r"\{%|\{\{")
_CLOSE = {"{%": "%}", "{{": "}}"}
_NAME = re.compile(r"\s*(#|\w+)")
_END = {name: re.compile(r"\{%-?\s*" + name + r"\b[^%]*%\}") for name in ("raw", "endraw", "comment", "endcomment")}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is text, output or tag. For a tag `name` is its first word and `text` the markup behind it, at `at`."""

    kind: str
    text: str
    at: int
    name: str = ""


class SourceError(Exception):
    """The source cannot be read; the parser adds the template's name."""

    def __init__(self, hint: str, at: int) -> None:
        super().__init__(hint)
        self.hint = hint
        self.at = at


class Lines:
    """Offsets to line and column, both from 1."""

    def __init__(self, source: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer(r"\n", source))]

    def at(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def tokens(source: str) -> Iterator[Token]:
    """The tokens of Shopify Liquid: `{%-` and `-%}` strip all whitespace on their side."""
    position, strip = 0, False
    while True:
        opening = _OPEN.search(source, position)
        text = source[position : opening.start() if opening else len(source)]
        if opening and source.startswith("-", opening.end()):
            text = text.rstrip()
        if strip:
            text = text.lstrip()
        if text:
            yield Token("text", text, position)
        if opening is None:
            return
        start, end = opening.end(), source.find(_CLOSE[opening.group()], opening.end())
        if end < 0:
            raise SourceError(f"'{opening.group()}' is never closed", opening.start())
        position = end + 2
        strip = end > start and source[end - 1] == "-"
        start += source.startswith("-", start)
        markup = source[start : end - strip]
        if opening.group() == "{{":
            yield Token("output", markup, start)
            continue
        name = _NAME.match(markup)
        if name is None:
            raise SourceError("a tag has no name", opening.start())
        if name[1] in ("raw", "comment"):
            body, stop = _verbatim(source, name[1], position)
            if name[1] == "raw" and body:
                yield Token("text", body, position)
            strip, position = stop.group().endswith("-%}"), stop.end()
        elif name[1] != "#":
            yield Token("tag", markup[name.end() :], start + name.end(), name[1])


def _verbatim(source: str, name: str, start: int) -> tuple[str, re.Match[str]]:
    """The body of a raw or comment block, and its end tag. Comments nest."""
    depth, position = 1, start
    while True:
        stop = _END["end" + name].search(source, position)
        if stop is None:
            raise SourceError(f"'{name}' is never closed", start)
        if name == "comment":
            depth += len(_END["comment"].findall(source, position, stop.start()))
        depth -= 1
        if depth == 0:
            return source[start : stop.start()], stop
        position = stop.end()
