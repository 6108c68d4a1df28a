"""HL7 v2 as it comes in: which template a message's type asks for, and when it happened."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from headwater.errors import Quarantine
from headwater.formats.hl7v2.events import structure_of
from headwater.formats.hl7v2.framing import of_several_patients, split_batch
from headwater.formats.hl7v2.parse import parse
from headwater.formats.reading import Feed, Reading

_PLACES = {"template": "MSH-9", "patient": "PID", "identity": "PID-3", "time": "MSH-7"}


def split(body: bytes, feed: Feed) -> list[bytes]:  # noqa: ARG001 - every format has the same two functions
    return split_batch(body)


def read(body: bytes, feed: Feed) -> Reading:
    """Raises Quarantine('convert.not_hl7' | '.truncated' | '.charset' | '.patient_several')."""
    message = parse(body, ZoneInfo(feed.time_zone))
    message_type, patients = message.type, message.all("PID")
    if len(patients) > 1 and of_several_patients(message_type, message.trigger, len(patients)):
        hint = "a message about several patients is split first, or what is one's would become another's"
        raise Quarantine("convert.patient_several", place="PID", hint=hint)
    kind = structure_of(message_type, message.trigger)
    kind = feed.message_types.get(kind, kind)
    return Reading(
        kind=kind,
        template=f"hl7v2/{kind}",
        variables={"message": message},
        event_time=message.event_time,
        about_patient=bool(patients or message.all("MSA")),  # an answer may be about nobody
        places=_PLACES,
        unread=message.unread,
        message_id=message.control_id,
        sent_at=message.sent_at,
        speaks_of=message.speaks_of,
        deletes=message.deletes,
    )
