"""How a template fails: always a Quarantine with one of five codes, and a place a person can go to.

A place reads `hl7v2/PID.liquid:12:5` (template, line, column; both from 1). Hints name tags, filters and types, never a
value: values come out of messages and may be PHI.
"""

from __future__ import annotations

from headwater.errors import Quarantine

MISSING = "convert.template_missing"
SYNTAX = "convert.template_syntax"
LIMIT = "convert.template_limit"
RENDER = "convert.template_render"
JSON = "convert.json"


class TemplateError(Quarantine):
    """A template, or the data it was given, cannot be turned into output. Mend the template or the feed."""


class FilterError(Exception):
    """Raised by filters and tags while rendering; the engine adds the place. The message must hold no data."""


class LimitReached(Exception):
    """Raised while rendering when a limit is used up; the engine adds the place. Not catchable by a template."""


def place_of(template: str, line: int, column: int) -> str:
    return f"{template}.liquid:{line}:{column}"
