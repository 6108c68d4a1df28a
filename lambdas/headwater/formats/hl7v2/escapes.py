"""HL7 escape sequences (v2.5.1 chapter 2.7): delimiters, formatting, hexadecimal bytes.

What is not understood is kept as it was written: text about a patient is never thrown away because of its form.
"""

from __future__ import annotations

import re
from functools import lru_cache

_BREAKS = (".br", ".sp", ".ce")


@lru_cache(maxsize=16)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    # Only a known sequence is one. `C:\Temp\notes` has backslashes too, and no sequence. Nobody skips a
    # hundred lines, but a few characters that skip 500000000 would fill the memory.
    form = r"\.(?:sp[+-]?\d{0,2}|(?:br|ce|in|ti|sk|fi|nf)[+-]?\d*)"
    return re.compile(f"{mark}([FSTREHN]|X(?:[0-9A-Fa-f]{{2}})+|{form}){mark}", re.ASCII)


def unescape(
    text: str, field: str, component: str, subcomponent: str, repetition: str, escape: str, charset: str
) -> str:
    """`text` with its sequences resolved. `charset` is Python's name of what \\X..\\ bytes are written in.

    \\H\\ \\N\\ (highlighting) leave nothing; \\.br\\ \\.sp\\ \\.ce\\ are line breaks; \\.in\\ and the like leave
    nothing; \\Cxxyy\\ \\Mxxyyzz\\ (other character sets) and \\Z…\\ (local) stay as they are.
    """
    meanings = {"F": field, "S": component, "T": subcomponent, "R": repetition, "E": escape, "H": "", "N": ""}

    def resolve(found: re.Match[str]) -> str:
        sequence = found[1]
        if sequence in meanings:
            return meanings[sequence]
        if sequence[0] == "X":
            return _characters(sequence[1:], charset)
        if sequence.startswith(_BREAKS):
            return "\n" * max(1, int(re.sub(r"\D", "", sequence) or 1) if sequence.startswith(".sp") else 1)
        return " " if sequence.startswith(".sk") else ""

    return _pattern(escape).sub(resolve, text)


def _characters(digits: str, charset: str) -> str:
    r"""\X0D\ and \X0A\ are the two ways to write a line break; other control characters have no place in FHIR."""
    octets = bytes.fromhex(digits)
    text = (
        octets.decode(charset, errors="replace")
        if not charset.startswith(("utf-16", "utf-32"))
        else octets.decode("latin-1")
    )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")
