"""formats/tree: what templates see of plain data, and the report of what they never looked at."""

from __future__ import annotations

from typing import Any

from headwater.formats.tree import Node, Nodes, plain, unread
from headwater.templates.runtime import is_drop, member, sequence, text

DATA: dict[str, Any] = {
    "name": {"family": {"_": "Rivera"}, "given": [{"_": "Ana"}, {"_": "Maria"}]},
    "empty": {},
    "nothing": "",
    "flag": False,
    "count": 0,
    "tags": ["a", {"deep": {"er": 1}}],
}


def walk(node: Any, path: str) -> Any:
    for part in path.split("."):
        node = member(node, int(part) if part.isdigit() else part)
    return node


def test_the_engine_takes_nodes_for_drops() -> None:
    root = Node(DATA)
    assert is_drop(root)
    assert text(walk(root, "name.family")) == "Rivera"
    assert text(walk(root, "name.given.1")) == "Maria"
    assert walk(root, "name.given.size") == 2


def test_a_list_answers_for_its_first_item_so_that_one_and_several_read_alike() -> None:
    several, one = Node({"x": [{"v": "1"}, {"v": "2"}]}), Node({"x": {"v": "1"}})
    assert walk(several, "x.v") == walk(one, "x.v") == "1"
    state: Any = type("S", (), {"limits": type("L", (), {"items": 10})()})()
    assert [str(item) for item in sequence(state, several.lookup("x"))] == ["1", "2"]
    assert [str(item) for item in sequence(state, one.lookup("x"))] == ["1"]


def test_empty_is_none_and_false_and_zero_are_not() -> None:
    root = Node(DATA)
    assert [root.lookup(name) for name in ("empty", "nothing", "missing", "flag", "count")] == [
        None,
        None,
        None,
        False,
        0,
    ]


def test_what_is_there_never_prints_as_nothing() -> None:
    assert str(Node({"code": {"code": "718-7"}})) == "718-7"
    assert str(Node({"a": [], "b": {}})) == ""


def test_unread_names_what_nobody_looked_at_and_stops_at_what_nobody_opened() -> None:
    root = Node(DATA)
    walk(root, "name.given.0._")
    assert unread(root) == ("name.family", "name.given", "flag", "count", "tags")


def test_each_item_of_a_list_counts_and_its_place_does_not() -> None:
    root = Node({"x": [{"a": 1, "b": 1}, {"a": 1, "c": 1}]})
    for item in root.lookup("x"):
        item.lookup("a")
    assert unread(root) == ("x.b", "x.c")


def test_plain_data_counts_as_read() -> None:
    root = Node(DATA)
    assert plain(root.lookup("tags")) == DATA["tags"]
    assert "tags" not in unread(root)
    assert isinstance(root.lookup("tags"), Nodes)


def test_a_name_that_may_be_data_is_not_repeated() -> None:
    root = Node({"patients": {"MRN8842017": {"x": 1}, "Ana Rivera, 1984": {"x": 1}}, "ok_name": 1})
    root.lookup("patients").lookup("none")
    assert unread(root) == ("patients.*", "ok_name")
