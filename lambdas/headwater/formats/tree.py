"""Plain data (dicts, lists, text, numbers) as templates see it, remembering what they looked at.

C-CDA, JSON and CSV are all such trees. Parsers build plain dicts; a `Node` wraps a dict when a template first reaches
it, so that a message costs what its templates read, and what was never reached is the report of unread input.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

from headwater.model import Named

Data = dict[str, Any]

# A key that is a name in somebody's schema; anything else may be data (an object keyed by record numbers).
_NAME = re.compile(r"[A-Za-z_](?!.*\d{5})[\w .:-]{0,63}", re.ASCII)


class Node(Named):
    """One object: `.name` is its member, None if that is missing or empty.

    Printed it is its text (the member `_`, the text of an XML element), or else the first text in it, so that nothing
    that is there looks empty.
    """

    __slots__ = ("_data", "_members")

    def __init__(self, data: Data) -> None:
        self._data = data
        self._members: dict[str, Any] = {}

    def lookup(self, name: str | int) -> Any:
        """A member, and note that it was looked at."""
        key = name if isinstance(name, str) else str(name)
        members = self._members
        if key in members:
            return members[key]
        found = members[key] = seen(self._data.get(key))
        return found

    def peek(self, name: str) -> Any:
        """The plain data of a member, without noting it: for choosing among nodes."""
        return self._data.get(name)

    def names(self) -> Collection[str]:
        """Of its members."""
        return self._data.keys()

    def data(self) -> Data:
        """All of it as plain data; it counts as read."""
        for key in self._data:
            member = self.lookup(key)
            if isinstance(member, Node | Nodes):
                member.data()
        return self._data

    def report(
        self, path: str, ignored: Collection[str], found: dict[str, None], apart: Collection[int] = frozenset()
    ) -> None:
        """Put the path of each member that nobody looked at into `found`; of a node that nobody opened, its own. Nodes
        whose id() is in `apart` are left out, to be reported under a path of their own."""
        if id(self) in apart:
            return
        members = self._members
        if not members and path:
            if any(_says(value) and key not in ignored for key, value in self._data.items()):
                found[path] = None
            return
        for key, value in self._data.items():
            if key in members:
                member = members[key]
                if member.__class__ is Node or member.__class__ is Nodes:
                    member.report(_join(path, key), ignored, found, apart)
            elif _says(value) and key not in ignored:
                found[_join(path, key)] = None

    def __str__(self) -> str:
        return first_text(self._data)


class Nodes(Named):
    """A list of nodes or plain values. `.0`, `.first`, `.last`, `.size`; any other name is asked of the first one, so
    that a template reads an element that is repeated now and then like one that never is."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def lookup(self, name: str | int) -> Any:
        items = self.items
        if name.__class__ is int or (isinstance(name, str) and name.isascii() and name.isdigit()):
            at = int(name)
            return items[at] if -len(items) <= at < len(items) else None
        if name == "size":
            return len(items)
        if name in ("first", "last"):
            return (items[0] if name == "first" else items[-1]) if items else None
        first = items[0] if items else None
        return first.lookup(name) if isinstance(first, Node | Nodes) else None

    def data(self) -> list[Any]:
        """All of it as plain data; it counts as read."""
        return [item.data() if isinstance(item, Node | Nodes) else item for item in self.items]

    def report(
        self, path: str, ignored: Collection[str], found: dict[str, None], apart: Collection[int] = frozenset()
    ) -> None:
        """The same for each of them; their places in the list are no part of a path."""
        for item in self.items:
            if isinstance(item, Node | Nodes):
                item.report(path, ignored, found, apart)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return next(filter(None, map(str, self.items)), "")


def seen(value: Any) -> Any:
    """Plain data as a template gets it: objects and lists wrapped, empty ones None."""
    kind = value.__class__
    if kind is str:
        return value or None
    if kind is dict:
        return Node(value) if value else None
    if kind is list:
        items = [item for item in map(seen, value) if item is not None]
        return Nodes(items) if items else None
    return value


def plain(value: Any) -> Any:
    """What `seen` wrapped, as it was; it counts as read."""
    return value.data() if isinstance(value, Node | Nodes) else value


def each(value: Any) -> Sequence[Any]:
    """A value that may be absent, alone or several."""
    if value is None:
        return ()
    return value.items if isinstance(value, Nodes) else (value,)


def unread(root: Node, ignored: Collection[str] = ()) -> tuple[str, ...]:
    """Every path that no template read, each once, in order. Paths hold names, never values."""
    found: dict[str, None] = {}
    root.report("", ignored, found)
    return tuple(found)


@lru_cache(4096)
def _masked(key: str) -> str:
    return key if _NAME.fullmatch(key) else "*"


def _join(path: str, key: str) -> str:
    """A path one step longer, `*` standing for a key that may be data."""
    return f"{path}.{_masked(key)}" if path else _masked(key)


def _says(value: Any) -> bool:
    """Whether there is anything: no empty text, object or list, and no null."""
    return bool(value) or value.__class__ in (int, float, bool)


def first_text(value: Any) -> str:
    """The text of an element, else the first text anywhere in it, in order. No recursion: data may be deep."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if found.get("_"):
                return str(found["_"])
            waiting.extend(reversed(found.values()))
        elif isinstance(found, list):
            waiting.extend(reversed(found))
        elif isinstance(found, bool):
            return "true" if found else "false"
        elif found is not None and found != "":
            return str(found)
    return ""
