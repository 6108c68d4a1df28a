"""Source to tokens by DotLiquid 2.0's rules, which differ from Shopify's in whitespace control and in quoting.

`-%}` eats one line break or one run of blanks, not both; `{%-` eats blanks only. A tag or output ends at the first
closing mark outside quotes. Comments do not nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from headwater.templates.lexer import SourceError, Token

_OPEN = re.compile(r"\{%|\{\{")
_END = {
    "{%": re.compile(r"""(?:[^'"%]|'[^']*'|"[^"]*"|%(?!\}))*%\}"""),
    "{{": re.compile(r"""(?:[^'"}]|'[^']*'|"[^"]*"|\}(?!\}))*\}\}"""),
}
_EATEN = re.compile(r"\n|\r\n|[ \t]+")
_NAME = re.compile(r"\s*(\w+)")
_VERBATIM = {name: re.compile(r"\{%-?\s*end" + name + r"\s*-?%\}") for name in ("raw", "comment")}


def tokens(source: str) -> Iterator[Token]:
    position = 0
    while True:
        opening = _OPEN.search(source, position)
        text = source[position : opening.start() if opening else len(source)]
        if opening and source.startswith("-", opening.end()):
            text = text.rstrip(" \t")
        if text:
            yield Token("text", text, position)
        if opening is None:
            return
        token, position = _tag(source, opening)
        if token.name in _VERBATIM:
            stop = _VERBATIM[token.name].search(source, position)
            if stop is None:
                raise SourceError(f"'{token.name}' is never closed", opening.start())
            if token.name == "raw" and stop.start() > position:
                yield Token("text", source[position : stop.start()], position)
            position = _behind(source, stop.end())
        else:
            yield token


def _tag(source: str, opening: re.Match[str]) -> tuple[Token, int]:
    """The tag or output that begins here, and where the text behind it begins."""
    mark = opening.group()
    ending = _END[mark].match(source, opening.end())
    if ending is None:
        raise SourceError(f"'{mark}' is never closed", opening.start())
    start = opening.end() + source.startswith("-", opening.end())
    stop = max(ending.end() - 2, start)
    markup = source[start : stop - (stop > start and source[stop - 1] == "-")]
    behind = _behind(source, ending.end())
    if mark == "{{":
        return Token("output", markup, start), behind
    name = _NAME.match(markup)
    if name is None:
        raise SourceError("a tag has no name", opening.start())
    return Token("tag", markup[name.end() :], start + name.end(), name[1]), behind


def _behind(source: str, end: int) -> int:
    if source[end - 3] != "-":
        return end
    eaten = _EATEN.match(source, end)
    return eaten.end() if eaten else end
