"""Any JSON, for senders that speak neither HL7 nor FHIR: one value a message, or an array or lines of them.

A template reads it as `message`; `feed.templates.json` names the template.
"""

from __future__ import annotations

import orjson

from headwater.errors import Quarantine
from headwater.formats.fhir.bundle import load
from headwater.formats.reading import Feed, Reading, named
from headwater.formats.tree import Node, unread


def split(body: bytes, feed: Feed) -> list[bytes]:  # noqa: ARG001 - every format has the same two functions
    """The objects of an array, or of JSON lines, are a message each."""
    try:
        found = load(body)
    except Quarantine:
        return [body]
    values = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    return [orjson.dumps(value) for value in values] if len(values) > 1 else [body]


def read(body: bytes, feed: Feed) -> Reading:
    """Raises Quarantine('convert.not_json' | 'convert.not_an_object' | 'convert.template_missing')."""
    template = named(feed, "json")
    value = load(body)[0]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise Quarantine("convert.not_an_object", place="body", hint="expected a JSON object")
    message = Node(value)
    return Reading(template.removeprefix("json/"), template, {"message": message}, unread=lambda: unread(message))
