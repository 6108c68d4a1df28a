"""Before anything is compared: each value of a Patient in the one form in which two sources can agree.

Every function takes text as a source sent it and gives a canonical form, or nothing when the text says nothing
(empty, impossible, or a known placeholder that the caller hands over from `mappings/matching.toml`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import date
from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Letters that Unicode does not decompose, so NFKD alone would lose them.
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})
# Written together with the name that follows, because sources disagree on the space: "de la Cruz", "Delacruz".
_PARTICLES = _set(
    "al bin da das de dei del della den der des di do dos du el ibn la las le los mac mc o san santa st ter van von"
)
# What one source writes before a family name and another leaves out, as `family_words` has drawn it in; longest first.
_DRAWN_IN = ("vander", "vanden", "delos", "delas", "dela", "del", "van", "von", "de", "di", "da", "al", "el")
_TITLES = _set("mr mrs ms miss mx dr prof rev fr sir md phd rn esq")
_GENERATIONS = {
    "sr": 1, "senior": 1, "i": 1, "1st": 1, "jr": 2, "junior": 2, "ii": 2, "2nd": 2,
    "iii": 3, "3rd": 3, "iv": 4, "4th": 4, "v": 5, "5th": 5,
}  # fmt: skip

# USPS Publication 28, appendices B (directions), C1 (street suffixes) and C2 (units): the frequent ones.
_STREET_WORDS = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "drive": "dr", "road": "rd", "lane": "ln", "court": "ct",
    "boulevard": "blvd", "circle": "cir", "place": "pl", "trail": "trl", "terrace": "ter", "highway": "hwy",
    "parkway": "pkwy", "square": "sq", "way": "way", "north": "n", "south": "s", "east": "e", "west": "w",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip
_STREET_KINDS = _set("st ave dr rd ln ct blvd cir pl trl ter hwy pkwy sq way")
_DIRECTIONS = _set("n s e w ne nw se sw")
_UNITS = _set("apt apartment unit ste suite rm room fl floor bldg building lot trlr #")

_WORD = re.compile(r"[a-z0-9]+")
_APOSTROPHE = re.compile(r"['’ʼ`.]")
_NO_DIGIT = re.compile(r"\D")
# What people put between the digits of a number; `str.translate` drops it several times faster than an expression.
_BETWEEN_DIGITS = str.maketrans("", "", " -().+/")
_NO_CODE = re.compile(r"[^A-Z0-9]")
_ADDRESS_WORD = re.compile(r"#|[a-z0-9]+")
_LAST_FOUR = re.compile(r"[x*#\s-]*(\d{4})", re.IGNORECASE)
_EXTENSION = re.compile(r"(?:ext\.?|x|#).*$", re.IGNORECASE)

# What comes again with the next record or the next relative: names are few, and a person's records share an address.
_remembered = lru_cache(maxsize=1 << 13)


def folded(text: str) -> str:
    """Lower case without accents: "José" and "JOSE" are one."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(character for character in plain if not unicodedata.combining(character))


def name_words(text: str) -> tuple[str, ...]:
    """The words of a name, folded; apostrophes join ("O'Brien"), hyphens part, titles are left out."""
    if text.isascii() and text.isalpha():  # most names are one word
        word = text.lower()
        return () if word in _TITLES else (word,)
    joined = _APOSTROPHE.sub("", folded(text))
    return tuple(word for word in _WORD.findall(joined) if word not in _TITLES)


@_remembered
def given_words(text: str) -> tuple[str, ...]:
    """Like `name_words`, without a generation that was typed behind the name; a lone letter is an initial."""
    words = name_words(text)
    if len(words) < 2:
        return words
    return words[:1] + tuple(word for word in words[1:] if word not in _GENERATIONS or len(word) == 1)


@_remembered
def family_words(text: str) -> tuple[str, ...]:
    """The parts of a family name with particles drawn in: "Van der Berg-López" gives ("vanderberg", "lopez")."""
    words = name_words(text)
    if len(words) == 1:
        return words
    parts: list[str] = []
    pending = ""
    for word in words:
        if word in _PARTICLES:
            pending += word
        elif not (parts and word in _GENERATIONS):
            parts.append(pending + word)
            pending = ""
    return (*parts, pending) if pending else tuple(parts)


def without_particle(family: str) -> str:
    """A family name without what was drawn in before it: "cruz" for "delacruz"; short names stay whole."""
    if not family.startswith(_DRAWN_IN):
        return family
    for particle in _DRAWN_IN:
        if family.startswith(particle) and len(family) - len(particle) >= 4:
            return family[len(particle) :]
    return family


@_remembered
def generation(suffix: str, family: str = "") -> int:
    """1 for Sr, 2 for Jr or II, 3 for III …; 0 when neither the suffix nor the end of the family name says."""
    if not suffix and family.isalpha():
        return 0
    for text in (suffix, *name_words(family)[1:][-1:]):
        for word in name_words(text):
            if word in _GENERATIONS:
                return _GENERATIONS[word]
    return 0


def phone(text: str, ignored: Collection[str] = ()) -> str:
    """Ten digits for a North American number, `+` and digits for another; empty for none or a placeholder."""
    digits = text.translate(_BETWEEN_DIGITS)
    if not (digits.isascii() and digits.isdigit()):
        digits = _NO_DIGIT.sub("", _EXTENSION.sub("", text))
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if len(digits) < 7 or _one_character(digits) or digits in ignored or digits[-7:] in ignored:
        return ""
    if len(digits) == 10:
        return digits
    return f"+{digits}" if text.strip().startswith(("+", "00")) else digits


def email(text: str, ignored: Collection[str] = ()) -> str:
    """Lower case; empty when it is no address, or its name part or whole is a placeholder ("none@…")."""
    address = text.strip().lower()
    name, at, _ = address.partition("@")
    return address if at and name and name not in ignored and address not in ignored else ""


def ssn(text: str, ignored: Collection[str] = ()) -> tuple[str, str]:
    """(nine digits, last four); the first is empty when only the last four were sent, both when there is nothing.

    Numbers that the Social Security Administration never issues (area 000, 666 or 9xx, group 00, serial 0000) are none.
    """
    digits = text.replace("-", "")
    if not (digits.isascii() and digits.isdigit()):
        digits = _NO_DIGIT.sub("", text)
    if len(digits) == 9:
        never = digits[:3] in ("000", "666") or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000"
        return ("", "") if never or _one_character(digits) or digits in ignored else (digits, digits[5:])
    masked = _LAST_FOUR.fullmatch(text.strip())
    return ("", masked[1]) if masked and masked[1] != "0000" else ("", "")


def identifier(text: str, ignored: Collection[str] = ()) -> str:
    """Upper case without spaces; empty for placeholders, and for one character repeated ("0000000")."""
    value = (text if text.isalnum() else "".join(text.split())).upper()
    said = value.strip("0") and value not in ignored and not (len(value) > 2 and _one_character(value))
    return value if said else ""


def birth_date(value: date | None, ignored: Collection[str] = ()) -> date | None:
    """The date, unless it is one that registration desks type when they do not know it."""
    return None if value is None or value.isoformat() in ignored else value


def postal_code(text: str) -> str:
    """The first five digits of a ZIP or ZIP+4; other countries' codes in upper case without spaces."""
    code = text if text.isascii() and text.isdigit() else _NO_CODE.sub("", text.upper())
    code = code[:5] if code.isdigit() else code
    return "" if _one_character(code) else code


@_remembered
def street(lines: tuple[str, ...]) -> tuple[str, str]:
    """(house number and street, unit): ("120 oak", "4b") for "120 N. Oak Street, Apt 4B"; a box is ("pobox 7", "")."""
    words = _ADDRESS_WORD.findall(folded(" ".join(lines).replace(".", "")))
    if words[:2] in (["po", "box"], ["p", "o"]) or words[:1] == ["pobox"]:
        number = next((word for word in words if word.isdigit()), "")
        return (f"pobox {number}", "") if number else ("", "")
    unit_at = next((place for place, word in enumerate(words) if place and word in _UNITS), len(words))
    unit = "".join(word for word in words[unit_at:] if word not in _UNITS)
    kept = [_STREET_WORDS.get(word, word) for word in words[:unit_at]]
    # Direction and kind are what sources leave out or differ in; they stay when nothing else is the street's name.
    named = [w for w in kept[1:] if w not in _STREET_KINDS and w not in _DIRECTIONS] or kept[1:]
    return (" ".join([*kept[:1], *named]), unit) if len(kept) > 1 else ("", unit)


def _one_character(text: str) -> bool:
    """Whether it is one character again and again, or empty."""
    return text == text[:1] * len(text)
