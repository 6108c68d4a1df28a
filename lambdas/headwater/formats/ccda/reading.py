"""C-CDA as it comes in: its template, when it was written, and what of it counts as unread."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from headwater.errors import Quarantine
from headwater.formats.ccda.parse import parse
from headwater.formats.hl7v2 import times
from headwater.formats.reading import Feed, Reading, named
from headwater.formats.tree import Data, Node, unread

_PLACES = {
    "template": "ClinicalDocument.code",
    "patient": "recordTarget",
    "identity": "recordTarget.patientRole.id",
    "time": "ClinicalDocument.effectiveTime",
}
# How a document is written, and nothing about a patient (CDA R2 chapter 4; RIM structural attributes).
_ABOUT_THE_DOCUMENT = frozenset(
    {"realmCode", "typeId", "templateId", "classCode", "moodCode", "typeCode", "determinerCode", "nullFlavor"}
    | {"contextControlCode", "contextConductionInd", "inversionInd", "codeSystemName", "codeSystemVersion", "ID"}
    | {"reference", "xsi_type", "xsi_schemaLocation", "representation", "mediaType", "operator", "from", "to"}
)


def split(body: bytes, feed: Feed) -> list[bytes]:  # noqa: ARG001 - every format has the same two functions
    """A document is one message."""
    return [body]


def read(body: bytes, feed: Feed) -> Reading:
    """`feed.templates.ccda` names the template, `ccda/CCD` if nothing does. Raises what `parse` does, and
    Quarantine('convert.patient_several') for a document of several record targets."""
    data = parse(body)
    template = named(feed, "ccda", "ccda/CCD")
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
        unread=lambda: unread(document, _ABOUT_THE_DOCUMENT),
    )


def _written(data: Data, zone: ZoneInfo) -> datetime | None:
    said = data.get("effectiveTime")
    moment = times.read(str(said.get("value", ""))) if isinstance(said, dict) else None
    return moment.aware(zone) if moment else None
