"""A foreign collection of templates, Microsoft's FHIR-Converter layout and dialect, run where it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError
from headwater.templates.microsoft.bundle import merged
from headwater.templates.microsoft.converter import CCDA, HL7V2, HL7V2_OUT, JSON, STU3, Converter

FORMATS = {each.casefold(): each for each in (HL7V2, CCDA, JSON, STU3, HL7V2_OUT)} | {
    "ccda": CCDA,
    "fhir": STU3,
    "stu3": STU3,
}


def format_named(name: str, folder: Path) -> str:
    """The collection's input format: as said, else as its folder is called (`Hl7v2`, `Ccda`, `Stu3ToR4` …).

    Raises HeadwaterError('analyst.format').
    """
    found = FORMATS.get((name or folder.resolve().name).casefold())
    if found is None:
        hint = f"say --format: {', '.join(sorted(set(FORMATS.values())))}"
        raise HeadwaterError("analyst.format", place=str(folder), hint=hint)
    return found


class Collection:
    """`folder` holds the root templates, partials `<folder>/_<name>.liquid` and code maps."""

    def __init__(self, folder: Path, format: str = "", cache: Path | None = None) -> None:
        if not folder.is_dir():
            raise HeadwaterError("analyst.folder", place=str(folder), hint="there is no such folder")
        self.format = format_named(format, folder)
        self.converter = Converter([folder], self.format, cache=cache)

    @property
    def roots(self) -> list[str]:
        """The templates on top of the folder: those that a message may begin with."""
        return [name for name in self.converter.engine.folders.names() if "/" not in name]

    def convert(self, body: bytes, root: str) -> Any:
        """A Bundle, a resource, or HL7 v2 text. Raises Quarantine."""
        return self.converter.convert(text_of(body), root)

    def convert_and_report(self, body: bytes, root: str) -> tuple[Any, tuple[str, ...]]:
        """The same, and what of an HL7 v2 message no template read; of other formats nothing is known."""
        if self.format == HL7V2:
            return self.converter.convert_and_report(text_of(body), root)
        return self.convert(body, root), ()

    def traced(self, body: bytes, root: str) -> Any:
        """The same as `convert` gives, its members' names knowing where they were written (`source_map`).

        Raises Quarantine('convert.json') also for text that only Microsoft's lenient parser can mend: what is mended
        has no place.
        """
        from local.analyst.source_map import TracingEngine

        tracing = TracingEngine(self.converter.engine)
        return merged(tracing.build(root, self.converter._data(text_of(body))))


def text_of(body: bytes) -> str:
    """The text of an input as Microsoft's converter is handed it: UTF-8, a byte order mark left out."""
    return body.decode("utf-8-sig", "replace")


def resources_of(value: Any) -> list[Any]:
    """The resources of what a collection made, for validation."""
    if not isinstance(value, dict):
        return []
    if value.get("resourceType") != "Bundle":
        return [value]
    entries = value.get("entry", [])
    return [entry["resource"] for entry in entries if isinstance(entry, dict) and "resource" in entry]


def printed(value: Any, *, indent: int | None = 2) -> str:
    """What was made, as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
