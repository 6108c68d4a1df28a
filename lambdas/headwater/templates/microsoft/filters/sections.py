"""Filters that find sections in a C-CDA document, by template id or by title."""

from __future__ import annotations

import re
from typing import Any

from headwater.templates.filters import registry
from headwater.templates.microsoft.filters.strings import dumps
from headwater.templates.microsoft.values import string

_OTHER = re.compile("[^A-Za-z0-9]")


def _sections(document: Any) -> list[dict[str, Any]]:
    body = document
    for name in ("ClinicalDocument", "component", "structuredBody", "component"):
        body = body.get(name) if isinstance(body, dict) else None
    components = body if isinstance(body, list) else [body]
    sections = (each.get("section") for each in components if isinstance(each, dict))
    return [section for section in sections if isinstance(section, dict)]


def _names(value: Any) -> list[str]:
    return [name for name in (string(value) or "").split("|") if name]


def _title(section: dict[str, Any]) -> str:
    title = section.get("title")
    text = title.get("_") if isinstance(title, dict) else None
    return text.lower() if isinstance(text, str) else ""


def get_ccda_section_lists(document: Any, titles: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    sections = [(_title(section), section) for section in _sections(document)]
    for name in _names(titles):
        for title, section in sections:
            if title and name.lower() in title:
                found.setdefault(_OTHER.sub("_", name), []).append(section)
    return found


def get_first_ccda_sections(document: Any, titles: Any) -> dict[str, Any]:
    return {name: sections[0] for name, sections in get_ccda_section_lists(document, titles).items()}


def get_first_ccda_sections_by_template_id(document: Any, ids: Any) -> dict[str, Any]:
    """By a template id found anywhere in the section's ids; the key is the id with `_` for its dots."""
    found: dict[str, Any] = {}
    sections = [
        (dumps(section["templateId"]).lower(), section)
        for section in _sections(document)
        if section.get("templateId") is not None
    ]
    for name in _names(ids):
        for told, section in sections:
            if name.lower() in told:
                found[_OTHER.sub("_", name)] = section
                break
    return found


FILTERS = registry.of(
    {
        "get_ccda_section_lists": get_ccda_section_lists,
        "get_first_ccda_sections": get_first_ccda_sections,
        "get_first_ccda_sections_by_template_id": get_first_ccda_sections_by_template_id,
    }
)
