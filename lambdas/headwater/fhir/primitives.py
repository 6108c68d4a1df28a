"""FHIR's primitive types as predicates on parsed JSON values (R4 datatypes.html#primitive and its regular expressions).

Each predicate is true for a valid value. JSON's own types count: `"true"` is no boolean, `5.0` no integer. They run for
every value of every resource, so each tries the common case first; a regular expression costs three times as much.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

Predicate = Callable[[Any], bool]

_MEGABYTE = 1024 * 1024  # "Strings SHALL NOT exceed 1MB"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # below 32 only tab, CR, LF; no half surrogates
_BLANK_IN_URI = re.compile(r"\s")

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CODE = re.compile(r"[^\s]+(?:\s[^\s]+)*")
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MIME_TYPE = re.compile(r"[\w!#$&^.+\-]+/[\w!#$&^.+\-]+\s*(?:;.*)?", re.ASCII | re.DOTALL)

_DAY = r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+\-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_PARTIAL = r"(?!0000)[0-9]{4}(?:-(?:0[1-9]|1[0-2]))?"
_DATE = re.compile(rf"{_PARTIAL}|{_DAY}", re.ASCII)
_DATE_TIME = re.compile(rf"{_PARTIAL}|{_DAY}(?:T{_CLOCK}{_ZONE})?", re.ASCII)
_INSTANT = re.compile(rf"{_DAY}T{_CLOCK}{_ZONE}", re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)


def is_boolean(value: Any) -> bool:
    return value is True or value is False


def is_string(value: Any) -> bool:
    if value.__class__ is not str or not value.strip() or len(value) > _MEGABYTE:
        return False
    return value.isprintable() or _CONTROLS.search(value) is None


def is_uri(value: Any) -> bool:
    if value.__class__ is not str or not value:
        return False
    if value.isprintable():  # then the only white space it can have is a space
        return " " not in value
    return _BLANK_IN_URI.search(value) is None and _CONTROLS.search(value) is None


def is_code(value: Any) -> bool:
    if value.__class__ is not str or not value:
        return False
    if " " not in value and value.isprintable():
        return True
    return _CODE.fullmatch(value) is not None and _CONTROLS.search(value) is None


def is_id(value: Any) -> bool:
    return value.__class__ is str and _ID.fullmatch(value) is not None


def is_oid(value: Any) -> bool:
    return value.__class__ is str and _OID.fullmatch(value) is not None


def is_uuid(value: Any) -> bool:
    return value.__class__ is str and _UUID.fullmatch(value) is not None


def is_base64(value: Any) -> bool:
    """Padded to whole groups of four; white space may stand between them (RFC 4648, folded as MIME does)."""
    if value.__class__ is not str or not value:
        return False
    if not (len(value) % 4 == 0 and _BASE64.fullmatch(value)):
        value = "".join(value.split())
        return value != "" and len(value) % 4 == 0 and _BASE64.fullmatch(value) is not None
    return True


def is_date(value: Any) -> bool:
    return value.__class__ is str and _DATE.fullmatch(value) is not None and _in_calendar(value)


def is_date_time(value: Any) -> bool:
    return value.__class__ is str and _DATE_TIME.fullmatch(value) is not None and _in_calendar(value)


def is_instant(value: Any) -> bool:
    return value.__class__ is str and _INSTANT.fullmatch(value) is not None and _in_calendar(value)


def is_time(value: Any) -> bool:
    return value.__class__ is str and _TIME.fullmatch(value) is not None


def _in_calendar(value: str) -> bool:
    """The regular expressions let 30 February pass."""
    if value[8:10] <= "28":
        return True
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def is_integer(value: Any) -> bool:
    return type(value) is int and -2147483648 <= value <= 2147483647


def is_unsigned(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 2147483647


def is_positive(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 2147483647


def is_decimal(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return True
    if kind is float:
        return math.isfinite(value)
    return isinstance(value, Decimal) and value.is_finite()


def is_mime_type(value: Any) -> bool:
    return is_code(value) and _MIME_TYPE.fullmatch(value) is not None


def is_currency(value: Any) -> bool:
    return value.__class__ is str and _CURRENCY.fullmatch(value) is not None


# What each type expects, in words for the error; the value itself may be PHI and is never shown.
PRIMITIVES: dict[str, tuple[Predicate, str]] = {
    "base64Binary": (is_base64, "expected base64 text"),
    "boolean": (is_boolean, "expected true or false, without quotes"),
    "canonical": (is_uri, "expected a canonical URL without spaces"),
    "code": (is_code, "expected a code: text without leading, trailing or double spaces"),
    "date": (is_date, "expected a date of the calendar as YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": (is_date_time, "expected YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone"),
    "decimal": (is_decimal, "expected a number, without quotes"),
    "id": (is_id, "expected an id: 1 to 64 letters, digits, '-' or '.'"),
    "instant": (is_instant, "expected YYYY-MM-DDThh:mm:ss with a time zone"),
    "integer": (is_integer, "expected a whole number of at most 32 bits, without quotes"),
    "markdown": (is_string, "expected text that is not blank"),
    "oid": (is_oid, "expected an OID as urn:oid:1.2.3"),
    "positiveInt": (is_positive, "expected a whole number from 1 to 2147483647, without quotes"),
    "string": (is_string, "expected text that is not blank"),
    "time": (is_time, "expected a time as hh:mm:ss"),
    "unsignedInt": (is_unsigned, "expected a whole number from 0 to 2147483647, without quotes"),
    "uri": (is_uri, "expected a URI without spaces"),
    "url": (is_uri, "expected a URL without spaces"),
    "uuid": (is_uuid, "expected a UUID as urn:uuid: and lower-case hex digits"),
}

# Values that are not elements in their own right: they never have an id or extensions (`_id`, `_url`).
ATTRIBUTES: dict[str, tuple[Predicate, str]] = {
    "System.String": (is_uri, "expected an id without spaces"),
    "System.Uri": (is_uri, "expected a URI without spaces"),
}

# Required bindings to code systems that cannot be listed: their syntax is checked instead.
SYNTAXES: dict[str, tuple[Predicate, str]] = {
    "mimetypes": (is_mime_type, "expected a MIME type as type/subtype"),
    "currencies": (is_currency, "expected an ISO 4217 currency of three capital letters"),
}
