"""Filters on text: DotLiquid's, with its regular expressions, and Microsoft's encodings and JSON text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import zlib
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from headwater.templates.errors import FilterError, LimitReached
from headwater.templates.filters import registry
from headwater.templates.limits import Meter
from headwater.templates.microsoft import patterns
from headwater.templates.microsoft.values import double, integer, shown, string

_ESCAPED = re.compile(r'\\([\\"])')
_JSON_EXTRA = re.compile("[\u0085\u2028\u2029]")
_HTML_NUMBERED = re.compile("[\u00a0-\u00ff]|[\U00010000-\U0010ffff]")
_TAGS = re.compile(r"<script.*?</script>|<!--.*?-->|<style.*?</style>|<[^<>]*>", re.DOTALL | re.IGNORECASE)


def append(meter: Meter, value: Any, tail: Any) -> str | None:
    """nil stays nil, so that half a reference is never made."""
    text = string(value)
    if text is None:
        return None
    end = string(tail) or ""
    meter.charge(len(text) + len(end))
    return text + end


def prepend(meter: Meter, value: Any, head: Any) -> str | None:
    text = string(value)
    if text is None:
        return None
    start = string(head) or ""
    meter.charge(len(text) + len(start))
    return start + text


def replace(meter: Meter, value: Any, pattern: Any, new: Any = "", count: int = 0) -> str | None:
    """`pattern` is a regular expression."""
    text, wanted = string(value), string(pattern)
    if not text or not wanted:
        return text
    return patterns.replaced(meter, text, wanted, string(new) or "", count)


def replace_first(meter: Meter, value: Any, pattern: Any, new: Any = "") -> str | None:
    return replace(meter, value, pattern, new, 1)


def remove(value: Any, old: Any) -> str | None:
    text, gone = string(value), string(old)
    if not text or not text.strip():
        return text
    if not gone:
        raise FilterError("'remove' needs a text to remove")
    return text.replace(gone, "")


def slice_(value: Any, offset: Any, length: Any = 1) -> Any:
    start, count = integer(offset), integer(length)
    if not isinstance(value, str | list | tuple):
        return value
    if start > len(value):
        return None if isinstance(value, str) else []
    if start < 0:
        start += len(value)
        if start < 0:
            start, count = 0, max(0, count + start)
    if count < 0:
        raise FilterError("'slice' needs a length of at least 0")
    return value[start : start + count]


def split(meter: Meter, value: Any, separator: Any) -> list[Any]:
    text, mark = string(value), string(separator)
    if not text or not text.strip():
        return [text]
    parts = [each for each in text.split(mark) if each] if mark else list(text)
    if len(parts) > meter.limits.items:
        raise LimitReached(f"a list of more than {meter.limits.items} items")
    return parts


def default(value: Any, other: Any) -> str | None:
    text = string(value)
    return text if text and text.strip() else string(other)


def capitalize(value: Any) -> str | None:
    """The first letter of every word."""
    text = string(value)
    return text and re.sub(r"(^|[\s\-])(\w)", lambda match: match[1] + match[2].upper(), text)


def truncate(value: Any, length: Any = 50, end: Any = "...") -> str | None:
    text, room, tail = string(value), integer(length), string(end) or ""
    if not text or len(text) <= room:
        return text
    return tail if room < 0 else text[: max(room - len(tail), 0)] + tail


def truncate_words(value: Any, words: Any = 15, end: Any = "...") -> str | None:
    text, room, tail = string(value), integer(words), string(end) or ""
    if not text:
        return text
    if room <= 0:
        return tail
    parts = text.split(" ")
    return " ".join(parts[:room]) + tail if len(parts) > room else text


def escape(meter: Meter, value: Any) -> str | None:
    """WebUtility.HtmlEncode: the five marks, Latin-1 letters and astral characters become references."""
    text = string(value)
    if not text:
        return text
    meter.charge(6 * len(text))
    return _HTML_NUMBERED.sub(lambda match: f"&#{ord(match[0])};", html.escape(text).replace("&#x27;", "&#39;"))


def escape_once(meter: Meter, value: Any) -> str | None:
    text = string(value)
    return escape(meter, html.unescape(text)) if text else text


def newline_to_br(meter: Meter, value: Any) -> str | None:
    text = string(value)
    if not text:
        return text
    meter.charge(len(text) + 6 * text.count("\n"))
    return re.sub(r"(\r?\n)", r"<br />\1", text)


def url_encode(meter: Meter, value: Any) -> str | None:
    text = string(value)
    meter.charge(12 * len(text or ""))
    return None if text is None else quote_plus(text, safe="!()*-._")


def to_json_string(meter: Meter, value: Any) -> str | None:
    """Compact, as Newtonsoft writes it; nil stays nil."""
    if value is None:
        return None
    text = dumps(value)
    meter.charge(len(text))
    return text


def dumps(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return _JSON_EXTRA.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value) if value % 1 else int(value)
    return shown(value)


def match(meter: Meter, value: Any, pattern: Any) -> list[str]:
    text = string(value)
    found = patterns.first(meter, text, string(pattern) or "") if text else None
    return [] if found is None else [found]


def gzip_(meter: Meter, value: Any) -> str:
    """Base64 of the gzipped text, without a time in its header, so that equal text gives equal bytes."""
    text = string(value)
    if text is None:
        raise FilterError("'gzip' needs a text")
    packed = gzip.compress(text.encode(), compresslevel=6, mtime=0)
    meter.charge(2 * len(packed))
    return base64.b64encode(packed).decode()


def gunzip_base64_string(meter: Meter, value: Any) -> str:
    """The text again; a bomb is cut off at the limit for one string."""
    unpacker = zlib.decompressobj(wbits=31)
    room = meter.limits.string
    plain = unpacker.decompress(_decoded(value), room)
    if unpacker.unconsumed_tail:
        raise LimitReached(f"a string is longer than {room} characters")
    meter.charge(len(plain))
    return plain.decode(errors="replace")


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(string(value) or "", validate=True)
    except ValueError:
        raise FilterError("base64 text is needed") from None


def base64_encode(meter: Meter, value: Any) -> str:
    text = string(value)
    if text is None:
        raise FilterError("'base64_encode' needs a text")
    meter.charge(2 * len(text))
    return base64.b64encode(text.encode()).decode()


def escape_special_chars(meter: Meter, value: Any) -> str | None:
    text = string(value)
    meter.charge(2 * len(text or ""))
    return text and re.sub(r'[\\"]', r"\\\g<0>", text)


def char_at(value: Any, index: Any) -> str:
    text, number = string(value) or "", integer(index)
    if not 0 <= number < len(text):
        raise FilterError("'char_at' is outside of the text")
    return text[number]


def contains(value: Any, part: Any) -> bool:
    text, wanted = string(value), string(part)
    return text is not None and (wanted or "") in text


def _stripped(value: Any, method: str) -> str | None:
    text = string(value)
    return None if text is None else str(getattr(text, method)())


FILTERS = registry.of(
    {
        "append": append,
        "prepend": prepend,
        "replace": replace,
        "replace_first": replace_first,
        "remove": remove,
        "remove_first": lambda meter, value, old: replace(meter, value, old, "", 1),
        "slice": slice_,
        "split": split,
        "default": default,
        "capitalize": capitalize,
        "truncate": truncate,
        "truncate_words": truncate_words,
        "escape": escape,
        "h": escape,
        "escape_once": escape_once,
        "newline_to_br": newline_to_br,
        "url_encode": url_encode,
        "url_decode": lambda value: (text := string(value)) and unquote_plus(text),
        "upcase": lambda value: _stripped(value, "upper"),
        "downcase": lambda value: _stripped(value, "lower"),
        "strip": lambda value: _stripped(value, "strip"),
        "lstrip": lambda value: _stripped(value, "lstrip"),
        "rstrip": lambda value: _stripped(value, "rstrip"),
        "strip_html": lambda value: (text := string(value)) and _TAGS.sub("", text),
        "strip_newlines": lambda value: (text := string(value)) and re.sub(r"\r?\n", "", text),
        "to_json_string": to_json_string,
        "match": match,
        "gzip": gzip_,
        "gunzip_base64_string": gunzip_base64_string,
        "sha1_hash": lambda value: hashlib.sha1((string(value) or "").encode(), usedforsecurity=False).hexdigest(),
        "base64_encode": base64_encode,
        "base64_decode": lambda value: _decoded(value).decode(errors="replace"),
        "escape_special_chars": escape_special_chars,
        "unescape_special_chars": lambda value: (text := string(value)) and _ESCAPED.sub(r"\1", text),
        "char_at": char_at,
        "contains": contains,
        "to_double": double,
    },
    metered=(
        *("append", "prepend", "replace", "replace_first", "remove_first", "split", "escape", "h", "escape_once"),
        *("newline_to_br", "url_encode", "to_json_string", "match", "gzip", "gunzip_base64_string", "base64_encode"),
        "escape_special_chars",
    ),
)
