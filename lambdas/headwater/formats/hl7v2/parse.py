"""The parser: bytes to a `Message`, tolerant of what is harmless, and clear about what is not HL7.

Tolerated: CR, LF and CRLF; blank lines; MLLP blocks; other delimiters; lines that are the rest of a broken text field;
segments that nobody knows. Refused: no MSH, delimiters that are not, no message type, a last line cut in its name.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache

from headwater.errors import Quarantine
from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.charset import decode
from headwater.formats.hl7v2.framing import unframe
from headwater.formats.hl7v2.message import Message
from headwater.formats.hl7v2.parts import Encoding, Segment

_HEADERS = ("MSH", "BHS", "FHS")
_is_segment = lru_cache(maxsize=512)(re.compile(r"[A-Z][A-Z0-9]{2}").fullmatch)


def parse(body: bytes, zone: tzinfo) -> Message:
    """One message. `zone` is the EHR's, for times without one; a zone in MSH-7 is the message's own (chapter 2A.22).

    Raises Quarantine: `convert.not_hl7`, `convert.truncated` or `convert.charset`, with the place.
    """
    decoded = decode(unframe(body))
    lines = _lines(decoded.value.lstrip("\ufeff\r\n \t"))
    header = lines[0]
    encoding = _encoding(header, decoded.charset, zone)
    rows = _rows(lines, encoding)
    message = Message([Segment(row, encoding) for row in rows], encoding, charset_guessed=decoded.guessed)
    _check_type(message)
    return message


def _lines(text: str) -> list[str]:
    if not text:
        raise Quarantine("convert.not_hl7", place="MSH", hint="the message is empty")
    if not text.startswith("MSH"):
        raise Quarantine("convert.not_hl7", place="MSH", hint="a message begins with MSH")
    lines = (text.replace("\r\n", "\r").replace("\n", "\r") if "\n" in text else text).split("\r")
    last = lines[-1].strip()
    if 0 < len(last) < 3 and last.isalpha() and last.isupper():
        raise Quarantine("convert.truncated", place=f"line {len(lines)}", hint="the message ends in a segment's name")
    return lines


def _encoding(header: str, charset: str, zone: tzinfo) -> Encoding:
    """What the header says of the message: its delimiters, and its zone if MSH-7 has one."""
    if len(header) < 5:
        raise Quarantine("convert.truncated", place="MSH-2", hint="the header ends before its delimiters")
    fields = header.split(header[3], 7)
    encoding = _declared(header[3], fields[1][:4], charset, zone)
    said = fields[6].partition(encoding.component)[0] if len(fields) > 6 else ""
    sent = None if said.isdigit() else times.read(said)  # digits alone name no zone
    return _declared(header[3], fields[1][:4], charset, sent.zone) if sent and sent.zone else encoding


@lru_cache(maxsize=64)  # nearly all senders declare the same
def _declared(field: str, marks: str, charset: str, zone: tzinfo) -> Encoding:
    """The delimiters that MSH-1 and MSH-2 declare; the later ones of MSH-2 may be missing (chapter 2.5.4)."""
    used = [field, *marks]
    if not marks or len(set(used)) != len(used) or any(mark.isalnum() or mark.isspace() for mark in used):
        raise Quarantine("convert.not_hl7", place="MSH-2", hint="the delimiters are not five different marks")
    component, repetition, escape, subcomponent = [*marks, "", "", "", ""][:4]
    return Encoding(field, component, repetition, escape, subcomponent, charset, zone)


def _rows(lines: list[str], encoding: Encoding) -> list[list[str]]:
    """The fields of each segment, as they were sent."""
    field = encoding.field
    rows: list[list[str]] = []
    for line in lines:
        raws = line.split(field)
        name = raws[0]
        if len(name) == 3 and _is_segment(name):  # what is longer may be anybody's text, and is not to be kept
            if name in _HEADERS:
                raws.insert(1, field)
                if name == "MSH" and rows:
                    raise Quarantine("convert.not_hl7", place="MSH", hint="several messages in one: split them first")
            rows.append(raws)
        elif line.strip():
            # A line break inside a text field: senders forget to escape it. The rest belongs to the field before it.
            rows[-1][-1] += f"\n{name}"
            rows[-1].extend(raws[1:])
    return rows


def _check_type(message: Message) -> None:
    if message.type:
        return
    if len(message.header.raws) <= 9 and len(message.segments) == 1:
        raise Quarantine("convert.truncated", place="MSH-9", hint="the message ends in its header")
    raise Quarantine("convert.not_hl7", place="MSH-9", hint="the header names no message type")
