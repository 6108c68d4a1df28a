"""Bytes to text, before anything else can be read: byte order marks, MSH-18, and what senders really do.

HL7 v2.5.1 chapter 2.15.9.18 (MSH-18, table 0211). Senders often declare nothing, or declare ASCII and send something
else; a text that had to be guessed says so (`guessed`), because a guessed name may be a wrong name.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from headwater.errors import Quarantine

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16 LE, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# HL7 table 0211, and the spellings that are not in it but on the wire.
_NAMES = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "US-ASCII": "ascii",
    "CP1252": "cp1252",
    "WINDOWS-1252": "cp1252",
} | {
    f"{prefix}8859{joint}{part}": f"iso8859_{part}"
    for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)
    for prefix, joint in (("", "/"), ("ISO-", "-"), ("ISO ", "/"))
}

_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_NOT_IN_FHIR = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufeff]")


class Text(NamedTuple):
    """The decoded message, Python's name of its character set, and whether that had to be guessed."""

    value: str
    charset: str
    guessed: bool


def decode(body: bytes) -> Text:
    """The message as text; raises Quarantine('convert.charset') when no reading of the bytes is defensible.

    Control characters that neither HL7 nor FHIR allows in a string (FHIR R4, datatypes.html#string) are left out.
    """
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return _read(body[len(mark) :], charset)
    if body.startswith(b"M\0S\0H\0"):
        return _read(body, "utf-16-le")
    if body.startswith(b"\0M\0S\0H"):
        return _read(body, "utf-16-be")
    declared = _declared(body)
    if body.isascii() and declared not in ("ISO IR14", "ISO IR87", "ISO IR159"):
        return Text(body.translate(None, _CONTROLS).decode("ascii"), "ascii", guessed=False)
    if not declared or _NAMES.get(declared) == "ascii":
        return _guess(body)
    if declared not in _NAMES:
        raise Quarantine("convert.charset", place="MSH-18", hint="unknown character set, and the text is not ASCII")
    try:
        return _read(body, _NAMES[declared])
    except Quarantine:
        return _guess(body)


def _declared(body: bytes) -> str:
    """MSH-18, first repetition, as declared; every character set that needs no mark has the header in ASCII."""
    header = body.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    fields = header.split(header[3], 18) if len(header) > 3 else []
    if len(fields) < 18:
        return ""
    repetition = header[5] if len(header) > 5 else "~"
    return fields[17].split(repetition)[0].strip().upper()


def _guess(body: bytes) -> Text:
    """UTF-8 if it is that (other text hardly ever is by accident), else Windows-1252."""
    try:
        return Text(_clean(body.decode("utf-8")), "utf-8", guessed=False)
    except UnicodeDecodeError:
        text = _read(body, "cp1252")
        return text._replace(guessed=True)


def _read(body: bytes, charset: str) -> Text:
    try:
        return Text(_clean(body.decode(charset)), charset, guessed=False)
    except UnicodeDecodeError:
        raise Quarantine("convert.charset", place="MSH-18", hint=f"the bytes are not {charset}") from None


def _clean(text: str) -> str:
    return _NOT_IN_FHIR.sub("", text)
