"""HL7 v2 (ER7): bytes of one message to a `Message` whose parts are what templates read.

`split_batch` first where a delivery may hold several messages; then `parse` for each of them.
"""

from __future__ import annotations

from headwater.formats.hl7v2.framing import split_batch, unframe
from headwater.formats.hl7v2.message import Group, Message
from headwater.formats.hl7v2.parse import parse
from headwater.formats.hl7v2.parts import Component, Encoding, Field, Repetition, Segment, Value

__all__ = [
    "Component",
    "Encoding",
    "Field",
    "Group",
    "Message",
    "Repetition",
    "Segment",
    "Value",
    "parse",
    "split_batch",
    "unframe",
]
