"""What is wrapped around messages: MLLP blocks, batch and file segments, or nothing but the next MSH.

MLLP: HL7 v2 transport specification, release 1. Batches: HL7 v2.5.1 chapter 2.10.3 ([FHS] {[BHS] {MSH…} [BTS]} [FTS]).
It works on bytes, so that each message is archived exactly as it came and may have a character set of its own.
"""

from __future__ import annotations

import codecs
import re

from headwater.errors import Quarantine

_START = b"\x0b"
_END = b"\x1c"
_WRAPPERS = (b"FHS", b"BHS", b"BTS", b"FTS")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"M\0", b"\0M")

# A message starts where a line starts with MSH and something that can be a delimiter; a batch segment likewise.
_STARTS = re.compile(rb"(?:(?<=[\r\n])|\A)(?:MSH|FHS|BHS|BTS|FTS)(?=[^\w\s]|[\r\n]|\Z)")
_PATIENT_STARTS = re.compile(rb"(?<=[\r\n])PID(?=[^\w\s])")
# The types whose groups of a patient may repeat: in orders a second PID belongs to earlier results of the same patient.
OF_SEVERAL_PATIENTS = ("ADT", "ORU", "RSP")
_OF_TWO_RECORDS = ("A24", "A37")  # what they say is about both at once (chapter 3.3)


def unframe(body: bytes) -> bytes:
    """One message without its MLLP block and without blank lines around it.

    Raises Quarantine('convert.truncated') for a block that begins and never ends.
    """
    body = body.strip(b"\r\n \t") if not body.startswith(_WIDE) else body
    if body.startswith(_START):
        inside, end, _ = body[1:].partition(_END)
        if not end:
            raise Quarantine("convert.truncated", place="MLLP", hint="the block has no end (0x1C)")
        return inside.strip(b"\r\n \t")
    return body


def split_batch(body: bytes) -> list[bytes]:
    """The messages of a delivery, in order: of MLLP blocks, of a batch file, of messages one after the other. One about
    several patients (ADT^A17, ADT^A40, ORU^R01; chapters 3.3 and 7.3.1) is one about each of them.

    A single message comes back alone, and so does a text that holds none (so that the parser can say what is wrong).
    Raises Quarantine('convert.truncated') when BTS-1 counts another number of messages, or an MLLP block has no end.
    """
    if body.startswith(_WIDE):
        return [body]
    blocks = _blocks(body) if _START in body else [body]
    return [part for block in blocks for message in _messages(block) for part in _patients(message)]


def _blocks(body: bytes) -> list[bytes]:
    *blocks, rest = body.split(_END)
    if rest.strip(b"\r\n \t") or not blocks:
        raise Quarantine("convert.truncated", place="MLLP", hint="the last block has no end (0x1C)")
    return [block.partition(_START)[2] if _START in block else block for block in blocks]


def _messages(body: bytes) -> list[bytes]:
    body = body.removeprefix(codecs.BOM_UTF8)
    starts = [found.start() for found in _STARTS.finditer(body)]
    if not starts or body[: starts[0]].strip():
        return [body]
    messages: list[bytes] = []
    in_batch = 0
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        piece = body[start:end]
        if piece.startswith(b"BHS"):
            in_batch = len(messages)
        elif piece.startswith(b"BTS"):
            _check_count(piece, len(messages) - in_batch)
        elif not piece.startswith(_WRAPPERS):
            messages.append(piece)
    return messages or [body]


def _patients(message: bytes) -> list[bytes]:
    """What stands before the first PID, with each PID and what belongs to it."""
    starts = [found.start() for found in _PATIENT_STARTS.finditer(message)]
    if len(starts) < 2 or not of_several_patients(*_type(message), len(starts)):
        return [message]
    head = message[: starts[0]]
    return [head + message[start:end] for start, end in zip(starts, [*starts[1:], len(message)], strict=True)]


def of_several_patients(message_type: str, trigger: str, patients: int) -> bool:
    """Whether each PID begins what is told of another patient."""
    return message_type in OF_SEVERAL_PATIENTS and not (trigger in _OF_TWO_RECORDS and patients == 2)


def _type(message: bytes) -> tuple[str, str]:
    """MSH-9.1 and MSH-9.2, which are three characters each."""
    fields = re.split(rb"[\r\n]", message, maxsplit=1)[0].split(message[3:4])
    said = fields[8].strip().decode("ascii", "replace") if len(fields) > 8 else ""
    return said[:3], said[4:7]


def _check_count(trailer: bytes, found: int) -> None:
    fields = re.split(rb"[\r\n]", trailer, maxsplit=1)[0].split(trailer[3:4]) if len(trailer) > 4 else []
    declared = fields[1].strip() if len(fields) > 1 else b""
    if declared.isdigit() and int(declared) != found:
        raise Quarantine("convert.truncated", place="BTS-1", hint=f"the batch holds {found} messages, not as many")
