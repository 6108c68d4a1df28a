"""What is known of variables that templates share, from all that any of them ever assigns to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from headwater.model import LARGE, LISTED
from headwater.templates import nodes
from headwater.templates.building.source import ANY, SOLID, WORD
from headwater.templates.filters import Filter

_WEAKEST_FIRST = (ANY, SOLID, WORD)
Assigned = tuple[str, nodes.Expression | None]


def kinds_of(assigned: Collection[Assigned], names: Collection[str], filters: Mapping[str, Filter]) -> dict[str, str]:
    """WORD, SOLID or ANY for each of `names`, which nothing but what is `assigned` gives a value to: the strongest that
    all of it keeps to, where one variable is another's value."""
    kinds, before = dict.fromkeys(names, WORD), dict[str, str]()
    while kinds != before:
        before, kinds = kinds, dict.fromkeys(names, WORD)
        for name, value in assigned:
            if name in kinds:
                kinds[name] = _weaker(kinds[name], _kind(value, before, filters))
    return kinds


def _weaker(one: str, other: str) -> str:
    return min(one, other, key=_WEAKEST_FIRST.index)


def _kind(node: nodes.Expression | None, kinds: Mapping[str, str], filters: Mapping[str, Filter]) -> str:
    if isinstance(node, nodes.Literal):
        short = isinstance(node.value, str) and 0 < len(node.value) < LARGE
        return WORD if short or node.value is None else ANY
    if isinstance(node, nodes.Path):
        numbered = all(isinstance(part, int) and 0 < part < LISTED for part in node.parts)
        return (SOLID if node.parts else kinds.get(node.root, ANY)) if numbered else ANY
    if not isinstance(node, nodes.Pipe):
        return ANY
    kind, appended = _kind(node.value, kinds, filters), isinstance(node.value, nodes.Literal)
    for call in node.calls:
        given = [_kind(argument, kinds, filters) for argument in call.arguments]
        if call.name == "default" and len(given) == 1 and not call.named:
            kind = _weaker(kind, given[0])
        elif call.name == "append" and appended and kind == WORD:
            kind = given[0]
        else:
            known = filters.get(call.name)
            kind = WORD if known and known.word else ANY
        appended = False
    return kind
