"""Filters on text, as Shopify Liquid names them."""

from __future__ import annotations

import base64
import html
import re
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from headwater.templates.filters import registry
from headwater.templates.limits import Meter
from headwater.templates.runtime import Json, dumps, integer, plain, sequence, text

_TAGS = re.compile(r"<script.*?</script>|<!--.*?-->|<style.*?</style>|<[^<>]*>", re.DOTALL | re.IGNORECASE)


def append(meter: Meter, value: Any, tail: Any) -> str:
    before, after = text(value), text(tail)
    meter.charge(len(before) + len(after))
    return before + after


def prepend(meter: Meter, value: Any, head: Any) -> str:
    return append(meter, head, value)


def replace(meter: Meter, value: Any, old: Any, new: Any = "") -> str:
    whole, before, after = text(value), text(old), text(new)
    growth = len(after) - len(before)
    meter.charge(len(whole) + max(growth, 0) * (whole.count(before) if growth > 0 else 0))
    return whole.replace(before, after)


def replace_first(meter: Meter, value: Any, old: Any, new: Any = "") -> str:
    whole, after = text(value), text(new)
    meter.charge(len(whole) + len(after))
    return whole.replace(text(old), after, 1)


def slice_(value: Any, start: Any, length: Any = 1) -> Any:
    whole = plain(value) if isinstance(plain(value), list | tuple) else text(value)
    first, count = integer(start), integer(length)
    first += len(whole) if first < 0 else 0
    return whole[first : first + max(count, 0)] if first >= 0 else whole[:0]


def split(meter: Meter, value: Any, separator: Any) -> list[str]:
    whole, mark = text(value), text(separator)
    parts = list(whole) if not mark else whole.split(None if mark == " " else mark)
    while parts and not parts[-1]:
        parts.pop()
    return list(sequence(meter, parts))


def truncate(value: Any, length: Any = 50, end: Any = "...") -> str:
    whole, ending, room = text(value), text(end), integer(length)
    return whole if len(whole) <= room else whole[: max(room - len(ending), 0)] + ending


def truncatewords(value: Any, count: Any = 15, end: Any = "...") -> str:
    words, room = text(value).split(), max(integer(count), 1)
    return " ".join(words) if len(words) <= room else " ".join(words[:room]) + text(end)


def escape(meter: Meter, value: Any) -> str:
    whole = text(value)
    meter.charge(len(whole) * 6)
    return html.escape(whole).replace("&#x27;", "&#39;")


def escape_once(meter: Meter, value: Any) -> str:
    return escape(meter, html.unescape(text(value)))


def newline_to_br(meter: Meter, value: Any) -> str:
    return replace(meter, text(value).replace("\r\n", "\n"), "\n", "<br />\n")


def url_encode(meter: Meter, value: Any) -> str:
    whole = text(value)
    meter.charge(len(whole) * 12)
    return quote_plus(whole)


def json_(meter: Meter, value: Any) -> Json:
    """The value as JSON text: strings in quotes, lists and objects as they are, nil as null."""
    made = Json(dumps(value))
    meter.charge(len(made))
    return made


def strip_html(value: Any) -> str:
    return _TAGS.sub("", text(value))


def default(value: Any, other: Any = "", *, allow_false: Any = False) -> Any:
    """`other` when the value is nil, empty, or false (unless false is allowed)."""
    shown = plain(value)
    if shown is False:
        return shown if allow_false is True else other
    return other if shown is None or shown == "" or shown == [] or shown == {} else value


FILTERS = registry.of(
    {
        "append": append,
        "prepend": prepend,
        "replace": replace,
        "replace_first": replace_first,
        "remove": lambda value, old: text(value).replace(text(old), ""),
        "remove_first": lambda value, old: text(value).replace(text(old), "", 1),
        "slice": slice_,
        "split": split,
        "truncate": truncate,
        "truncatewords": truncatewords,
        "escape": escape,
        "escape_once": escape_once,
        "newline_to_br": newline_to_br,
        "url_encode": url_encode,
        "json": json_,
        "default": default,
        "strip_html": strip_html,
        "upcase": lambda value: text(value).upper(),
        "downcase": lambda value: text(value).lower(),
        "capitalize": lambda value: text(value).capitalize(),
        "strip": lambda value: text(value).strip(),
        "lstrip": lambda value: text(value).lstrip(),
        "rstrip": lambda value: text(value).rstrip(),
        "strip_newlines": lambda value: re.sub(r"\r?\n", "", text(value)),
        "url_decode": lambda value: unquote_plus(text(value)),
        "base64_encode": lambda value: base64.b64encode(text(value).encode()).decode(),
        "base64_decode": lambda value: base64.b64decode(text(value)).decode(),
    },
    metered=(
        *("append", "prepend", "replace", "replace_first", "split", "escape", "escape_once"),
        *("newline_to_br", "url_encode", "json"),
    ),
)
