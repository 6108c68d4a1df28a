"""The way back, FHIR to HL7 v2: a template's `messageDefinition` laid out as segments.

`{"messageDefinition": [{"MSH": {"7": "…"}}, {"PID": {"3": "…"}}]}`: fields go to their numbers, gaps stay blank, and
every segment ends with a separator.
"""

from __future__ import annotations

from typing import Any

from headwater.templates.errors import RENDER, TemplateError

_HEADERS = ("MSH", "BHS", "FHS")
_FIELDS = 1000


def written(definition: dict[str, Any], template: str) -> str:
    """The message's text, one segment a line; Quarantine if the definition is not laid out as it must be."""
    segments = definition.get("messageDefinition")
    if not isinstance(segments, list):
        raise _wrong(template, "the template gives no messageDefinition (Microsoft 1302)")
    return "".join(f"{_segment(number, each, template)}\n" for number, each in enumerate(segments))


def _segment(number: int, segment: Any, template: str) -> str:
    if not isinstance(segment, dict) or not segment:
        raise _wrong(template, f"messageDefinition[{number}] is not an object (Microsoft 1104)")
    name, fields = next(iter(segment.items()))
    name = name.upper()
    if len(name) != 3 or not isinstance(fields, dict):
        raise _wrong(template, f"messageDefinition[{number}] names no segment (Microsoft 1104)")
    numbered: dict[int, str] = {}
    for key, value in fields.items():
        if not key.isdecimal() or not 0 < int(key) <= _FIELDS:
            raise _wrong(template, f"messageDefinition[{number}] has a field that is no number (Microsoft 1104)")
        numbered[int(key)] = "" if value is None else str(value)
    first = 2 if name in _HEADERS else 1  # MSH-1 is the separator itself
    laid_out = [numbered.get(each, "") for each in range(first, max(numbered, default=0) + 1)]
    return "|".join([name, *laid_out, ""])


def _wrong(template: str, hint: str) -> TemplateError:
    return TemplateError(RENDER, place=f"{template}.liquid", hint=hint)
