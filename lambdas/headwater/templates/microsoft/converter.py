"""A Microsoft template collection, run in place: one message in, FHIR (or HL7 v2 text) out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headwater.errors import Quarantine
from headwater.templates.engine import Engine
from headwater.templates.errors import MISSING, TemplateError
from headwater.templates.limits import Limits
from headwater.templates.microsoft import bundle, ccda, hl7text, hl7v2

HL7V2, CCDA, JSON, STU3, HL7V2_OUT = "Hl7v2", "Ccda", "Json", "Stu3ToR4", "FhirToHl7v2"
_CODES = {HL7V2: "CodeSystem/CodeSystem.json", CCDA: "ValueSet/ValueSet.json"}


class Converter:
    """Runs the templates of `folders` on one format: Hl7v2, Ccda, Json, Stu3ToR4 or FhirToHl7v2.

    A folder is laid out as Microsoft does it: root templates on top, partials `<folder>/_<name>.liquid`, code maps in
    `CodeSystem/CodeSystem.json` (Hl7v2) or `ValueSet/ValueSet.json` (Ccda); the first folder that has them counts.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        format: str,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        cache: Path | None = None,
    ) -> None:
        self.format = format
        self.engine = Engine(folders, limits=limits, dialect="microsoft", cache=cache)
        codes = self.engine.folders.resource(_CODES[format]) if format in _CODES else None
        if codes is not None:
            self.engine.codes = _code_maps(codes, _CODES[format])

    def convert(self, text: str, root: str) -> Any:
        """The Bundle (or resource) that root template `root` makes of `text`; for FhirToHl7v2 a message's text.

        Raises Quarantine: `convert.input` for data that cannot be read, `convert.template_*` and `convert.json` for
        the templates, all with their place."""
        variables = self._data(text)
        value = bundle.merged(self.engine.build(root, variables))
        return hl7text.written(value, root) if self.format == HL7V2_OUT else value

    def convert_and_report(self, text: str, root: str) -> tuple[Any, tuple[str, ...]]:
        """The same, and what of an HL7 v2 message no template read (`OBX-17.1`)."""
        message = hl7v2.parse(text)
        value = bundle.merged(self.engine.build(root, {"hl7v2data": message}))
        return value, message.unread()

    def _data(self, text: str) -> dict[str, Any]:
        if self.format == HL7V2:
            return {"hl7v2data": hl7v2.parse(text)}
        if self.format == CCDA:
            return {"msg": ccda.parse(text)}
        try:
            return {"msg": json.loads(text)}
        except (ValueError, RecursionError):
            raise Quarantine("convert.input", hint="the input is not JSON (Microsoft 1201)") from None


def _code_maps(text: str, name: str) -> dict[str, dict[str, dict[str, str]]]:
    try:
        maps = json.loads(text)["Mapping"]
    except (ValueError, KeyError, TypeError):
        maps = None
    if not isinstance(maps, dict):
        raise TemplateError(MISSING, place=name, hint="the code maps cannot be read (Microsoft 1103)")
    return maps
