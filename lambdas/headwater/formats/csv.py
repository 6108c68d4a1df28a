"""CSV, one record a row or several rows of one: `row.mrn`, and `rows` where `group_by` names a column (RFC 4180).

How a sender writes it is said in `[feed.csv]`: delimiter, quote, encoding, and without a header the columns' names.
A file is cut into messages of one record each; with a header, every one of them has it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from headwater.errors import Quarantine
from headwater.formats.reading import Dialect, Feed, Reading, named
from headwater.formats.tree import Node, Nodes, unread

Row = list[str]

# Control characters that FHIR does not allow in a string (datatypes.html#string).
_NOT_IN_FHIR = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def split(body: bytes, feed: Feed) -> list[bytes]:
    """The file's records, in the order in which each begins. What cannot be read stays whole for `read` to refuse."""
    dialect = feed.csv
    try:
        columns, rows = _table(body, dialect)
        key = _key(columns, dialect)
    except Quarantine:
        return [body]
    records: dict[str | int, list[Row]] = {}
    for number, row in enumerate(rows):
        # A row without a key is a record of its own, not one of the same nobody.
        records.setdefault((row[key] if key is not None and key < len(row) else "") or number, []).append(row)
    header = [columns] if dialect.header else []
    return [_written([*header, *record], dialect) for record in records.values()] if len(records) > 1 else [body]


def read(body: bytes, feed: Feed) -> Reading:
    """Raises Quarantine('convert.template_missing' | '.charset' | '.not_csv' | '.csv_columns' | '.no_records')."""
    template = named(feed, "csv")
    columns, rows = _table(body, feed.csv)
    _key(columns, feed.csv)
    if not rows:
        raise Quarantine("convert.no_records", place="body", hint="there is no row beside the header")
    said = [dict(zip(columns, _fitting(row, columns, line), strict=True)) for line, row in enumerate(rows, 1)]
    nodes = [Node(row) for row in said]
    variables = {"row": nodes[0], "rows": Nodes(nodes)}
    return Reading(template.removeprefix("csv/"), template, variables, unread=lambda: _unread(nodes, said))


def _unread(nodes: Sequence[Node], rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Columns that no template read; of a row after the first, those alone that say something else than the first."""
    found: dict[str, None] = {}
    for node, row in zip(nodes, rows, strict=True):
        repeated = {column for column, value in row.items() if row is not rows[0] and value == rows[0].get(column)}
        found |= dict.fromkeys(column for column in unread(node) if column not in repeated)
    return tuple(found)


def _table(body: bytes, dialect: Dialect) -> tuple[Row, list[Row]]:
    """The columns' names and the rows that are not blank."""
    rows = list(_rows(_decoded(body, dialect.encoding), dialect))
    columns = list(dialect.columns)
    if dialect.header:
        said = [name.strip() for name in rows.pop(0)] if rows else []
        while said and not said[-1]:
            said.pop()  # a delimiter at the end of each line
        if columns and said != columns:
            hint = "the header differs from feed.csv.columns: columns were added, renamed or moved"
            raise Quarantine("convert.csv_columns", place="line 1", hint=hint)
        columns = said
    elif not columns:
        columns = [str(number) for number in range(1, max(map(len, rows), default=0) + 1)]
    if len(set(columns)) < len(columns):
        raise Quarantine("convert.csv_columns", place="line 1", hint="two columns have the same name")
    return columns, rows


def _rows(text: str, dialect: Dialect) -> Iterator[Row]:
    lines, quote = io.StringIO(text, newline=""), dialect.quote or None
    reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=quote, quoting=_quoting(dialect), strict=True)
    try:
        yield from (row for row in reader if any(value.strip() for value in row))
    except csv.Error:
        hint = "a quotation mark is not closed or stands inside of a value, or a value is too long"
        raise Quarantine("convert.not_csv", place=f"line {reader.line_num}", hint=hint) from None


def _fitting(row: Row, columns: Row, line: int) -> Row:
    """A row may stop early; a value beyond the last column means that the row was read wrongly."""
    if any(value.strip() for value in row[len(columns) :]):
        raise Quarantine("convert.csv_columns", place=f"record row {line}", hint="there are more values than columns")
    return [value.strip() for value in [*row, *[""] * (len(columns) - len(row))][: len(columns)]]


def _key(columns: Row, dialect: Dialect) -> int | None:
    if not dialect.group_by:
        return None
    if dialect.group_by not in columns:
        raise Quarantine("convert.csv_columns", place="feed.csv.group_by", hint="there is no column of this name")
    return columns.index(dialect.group_by)


def _quoting(dialect: Dialect) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE


def _decoded(body: bytes, encoding: str) -> str:
    try:
        text = body.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except (UnicodeError, LookupError):
        raise Quarantine("convert.charset", place="feed.csv.encoding", hint=f"the bytes are not {encoding}") from None
    return _NOT_IN_FHIR.sub("", text)


def _written(rows: Sequence[Row], dialect: Dialect) -> bytes:
    out = io.StringIO(newline="")
    quote = dialect.quote or None
    csv.writer(out, delimiter=dialect.delimiter, quotechar=quote, quoting=_quoting(dialect)).writerows(rows)
    return out.getvalue().encode(dialect.encoding)
