"""Rows that mirror a frozen dataclass: plain values to DynamoDB's typed attributes and back, and lists by state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Item = dict[str, dict[str, Any]]


def pack(values: Mapping[str, Any]) -> Item:
    """`{"attempts": 2}` becomes `{"attempts": {"N": "2"}}`.

    Takes str (and StrEnum), bytes, int, float and sequences of str. An empty str or bytes is kept: DynamoDB refuses
    those only in keys.
    """
    return {name: _attribute(value) for name, value in values.items()}


def unpack(item: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """The attributes called `names`, those that are there; numbers come back as int or float, sequences as tuples.

    Other attributes are passed over: while a new version is rolled out, its rows are read by the old one.
    """
    return {name: _value(item[name]) for name in names if name in item}


def in_state(client: Any, table: str, state: str, *, limit: int, newest_first: bool = False) -> Iterator[Item]:
    """The rows of a table in one state, by its index `by-state`, whose sort key is a time."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="by-state",
        KeyConditionExpression="#state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": str(state)}},
        ScanIndexForward=not newest_first,
        PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 1000)},
    )
    for page in pages:
        yield from page["Items"]


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"N": repr(value)}
    if isinstance(value, tuple | list):
        return {"L": [_attribute(member) for member in value]}
    raise TypeError(f"no DynamoDB attribute for {type(value).__name__}")


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "L":
        return tuple(_value(member) for member in value)
    return value
