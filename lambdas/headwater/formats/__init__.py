"""Text to plain data and back: one module a format. Only this file knows which content types there are.

A format that comes in is a module with two functions: `split` cuts a delivery into messages, `read` gives what the
templates of a message need. They are imported when the first message of their type comes.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from headwater.errors import Quarantine
from headwater.formats.reading import Feed, Format, Reading

# A format's module by content type. HL7 v2 goes by several names; a C-CDA document is often just called XML.
_MODULES = {
    "application/hl7-v2": "hl7v2.reading",
    "x-application/hl7-v2+er7": "hl7v2.reading",
    "text/hl7v2": "hl7v2.reading",
    "application/cda+xml": "ccda.reading",
    "application/xml": "ccda.reading",
    "text/xml": "ccda.reading",
    "application/fhir+json": "fhir.reading",
    "application/fhir+ndjson": "fhir.reading",
    "application/json": "json",
    "text/csv": "csv",
}


def media_type(content_type: str) -> str:
    """`Application/HL7-v2; charset=utf-8` is `application/hl7-v2` (RFC 9110 chapter 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def split(content_type: str, body: bytes, feed: Feed) -> list[bytes]:
    """The messages of one delivery, in order; each is whole and can be read alone. Of an unknown type it is one.

    Raises Quarantine for a batch that is not whole, or cannot be cut.
    """
    kind = media_type(content_type)
    return _format(kind).split(body, feed) if kind in _MODULES else [body]


def read(content_type: str, body: bytes, feed: Feed) -> Reading:
    """What one message says, for its template. Raises Quarantine('convert.format_unknown'), or what the format does."""
    kind = media_type(content_type)
    if kind not in _MODULES:
        raise Quarantine("convert.format_unknown", place="content-type", hint=f"known are {', '.join(_MODULES)}")
    return _format(kind).read(body, feed)


@cache
def _format(kind: str) -> Format:
    module: Format = import_module(f"headwater.formats.{_MODULES[kind]}")
    return module
