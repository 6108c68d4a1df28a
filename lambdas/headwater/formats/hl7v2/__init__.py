"""HL7 v2 (ER7): bytes of one message to a `Message` whose parts are what templates read.

`split_batch` first where a delivery may hold several messages; then `parse` for each of them.
"""

from __future__ import annotations

from headwater.formats.hl7v2.framing import split_batch, unframe
from headwater.formats.hl7v2.message import Group, Message
from headwater.formats.hl7v2.parse import parse
from headwater.formats.hl7v2.parts import Encoding, Part, Parts, Segment

__all__ = [
    "Encoding",
    "Group",
    "Message",
    "Part",
    "Parts",
    "Segment",
    "parse",
    "split_batch",
    "unframe",
]
