"""C-CDA as it comes in: its template, when it was written, and what of it counts as unread."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from headwater.errors import Quarantine
from headwater.formats.ccda.filters import sections
from headwater.formats.ccda.parse import parse
from headwater.formats.hl7v2 import times
from headwater.formats.reading import Feed, Reading, named
from headwater.formats.tree import Data, Node

_PLACES = {
    "template": "ClinicalDocument.code",
    "patient": "recordTarget",
    "identity": "recordTarget.patientRole.id",
    "time": "ClinicalDocument.effectiveTime",
}
_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)
# How a document is written, and nothing about a patient (CDA R2 chapter 4; RIM structural attributes).
_ABOUT_THE_DOCUMENT = frozenset(
    {"realmCode", "typeId", "templateId", "classCode", "moodCode", "typeCode", "determinerCode", "nullFlavor"}
    | {"contextControlCode", "contextConductionInd", "inversionInd", "codeSystemName", "codeSystemVersion", "ID"}
    | {"reference", "xsi_type", "xsi_schemaLocation", "representation", "mediaType", "operator", "from", "to", "div"}
    | {"institutionSpecified", "displayable", "inclusive", "sdtc_valueSet", "sdtc_valueSetVersion"}
)


def split(body: bytes, feed: Feed) -> list[bytes]:  # noqa: ARG001 - every format has the same two functions
    """A document is one message."""
    return [body]


def read(body: bytes, feed: Feed) -> Reading:
    """`feed.templates.ccda` names the template, `ccda/ClinicalDocument` if nothing does. Raises what `parse` does, and
    Quarantine('convert.patient_several') for a document of several record targets."""
    data = parse(body)
    template = named(feed, "ccda", "ccda/ClinicalDocument")
    if isinstance(data.get("recordTarget"), list):
        raise Quarantine("convert.patient_several", place="recordTarget", hint="a document is about one patient")
    document = Node(data)
    return Reading(
        kind=template.removeprefix("ccda/"),
        template=template,
        variables={"document": document},
        event_time=_written(data, ZoneInfo(feed.time_zone)),
        about_patient="recordTarget" in data,
        places=_PLACES,
        unread=lambda: _unread(document),
    )


def _unread(document: Node) -> tuple[str, ...]:
    """`recordTarget.patientRole.x` of the header, `section 11450-4.entry.x` of a section."""
    found: dict[str, None] = {}
    apart = {id(one): one for one in sections(document)}
    document.report("", _ABOUT_THE_DOCUMENT, found, apart.keys())
    for at, one in apart.items():
        code = one.peek("code")
        said = str(code.get("code", "")) if isinstance(code, dict) else ""
        name = f"section {said if _LOINC.fullmatch(said) else '*'}"
        one.report(name, _ABOUT_THE_DOCUMENT, found, apart.keys() - {at})
    return tuple(found)


def _written(data: Data, zone: ZoneInfo) -> datetime | None:
    said = data.get("effectiveTime")
    moment = times.read(str(said.get("value", ""))) if isinstance(said, dict) else None
    return moment.aware(zone) if moment else None
