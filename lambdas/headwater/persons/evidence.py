"""Levels in words for a steward and the audit: what agrees and what does not, never the values themselves."""

from __future__ import annotations

from operator import attrgetter

from headwater.persons.compare import Levels

_COMPARED = {
    "given": "given name",
    "birth_date": "birth date",
    "family": "family name",
    "home": "address, phone or insurance",
    "ssn": "Social Security number",
    "email": "e-mail",
    "middle": "middle name",
    "sex": "sex",
    "generation": "generation (Sr, Jr, III)",
    "record": "MRN",
    "others": "another record of the person",
}
_LEVELS_OF = attrgetter(*_COMPARED)
_OUTCOME = {
    "equal": "equal",
    "nickname": "is a known nickname",
    "variant": "is a known nickname, and a name of its own",
    "part": "equal in part",
    "close": "differs by a slip",
    "middle": "is the other's middle name",
    "initial": "has the same initial",
    "middle_initial": "differs, but has the initial of the other's middle name",
    "swapped": "exchanged",
    "near": "differs, but may have become of the same name",
    "different": "different",
    "newborn": "is a newborn's placeholder",
    "default": "equal, but a customary default",
    "year": "equal in the year only",
    "several": "equal in more than one",
    "one": "equal in one",
    "area": "in one postal area",
    "last_four": "equal in the last four digits",
    "one_sided": "stated by one only",
    "two_of_one": "differs within one authority",
}


def words(levels: Levels) -> tuple[str, ...]:
    """One phrase per comparison that could be made, for example "birth date equal"."""
    outcomes = zip(_COMPARED.values(), _LEVELS_OF(levels), strict=True)
    return tuple(f"{compared} {_OUTCOME[level]}" for compared, level in outcomes if level != "missing")
