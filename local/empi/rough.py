"""Records made sparser and worse than any of the sources would: what the weights are to hold for beside the usual desk.

Fields are left out at random, everything is mistyped more often, and what a usual source never does happens too: quite
another birth date, name, number or house on a record that is still the same person's. Weights that have seen none of
it take the first such record for a relative.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from headwater.model import Identifier, Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from local.empi import names
from local.empi.slips import one_digit, one_letter
from local.empi.truth import Known

# The share of records that lose a field, and of those that have it mistyped or exchanged. A record's own carelessness
# (from half as much to twice as much) multiplies the latter.
_LOST = {"gender": 0.5, "suffix": 0.5, "emails": 0.6, "phones": 0.5, "address": 0.1, "postal": 0.05, "born": 0.03,
         "given": 0.02, "family": 0.01, "middle": 0.5, "SS": 0.2, "MB": 0.7}  # fmt: skip
_LETTER, _DIGIT, _SWAPPED = 0.1, 0.05, 0.02


def roughened(records: Sequence[Known], seed: int, policy: MatchingPolicy, *, other: float = 0.015) -> list[Known]:
    """The same people in the same order, each record made rough; the same for the same seed. `other` is the share of
    names, birth dates and Social Security numbers that are quite another's."""
    chance = random.Random(f"headwater rough {seed}")
    return [_rough(record, chance, policy, other) for record in records]


def _rough(record: Known, chance: random.Random, policy: MatchingPolicy, other: float) -> Known:
    careless = chance.uniform(0.5, 2)
    other *= careless
    old = record.traits
    given, family = _names(old, chance, careless, other)
    street, code = _address(old, chance, careless)
    traits = Traits(
        family=family,
        given=given,
        suffix="" if _lost("suffix", chance) else old.suffix,
        birth_date=None if _lost("born", chance) else _born(old.birth_date, chance, careless, other),
        gender="" if _lost("gender", chance) else old.gender,
        phones=() if _lost("phones", chance) else tuple(_digits(one, chance, careless) for one in old.phones),
        emails=() if _lost("emails", chance) else old.emails,
        address_lines=street,
        city=old.city,
        state=old.state,
        postal_code=code,
        identifiers=tuple(
            _identifier(one, chance, careless, other) for one in old.identifiers if not _lost(one.kind, chance)
        ),
    )
    return replace(record, traits=traits, profile=profile_of(traits, policy))


def _lost(field: str, chance: random.Random) -> bool:
    return chance.random() < _LOST.get(field, 0)


def _names(
    old: Traits, chance: random.Random, careless: float, other: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(given, family) names as typed."""
    first, middle = old.given[:1], () if _lost("middle", chance) else old.given[1:]
    given = () if _lost("given", chance) else tuple(_letters(name, chance, careless) for name in first)
    family = () if _lost("family", chance) else tuple(_letters(name, chance, careless) for name in old.family)
    if given and chance.random() < other:
        given = (names.given(chance, old.gender if old.gender in ("male", "female") else "female", spanish=False),)
    if family and chance.random() < other:
        family = (names.family(chance, spanish=False),)
    if given and family and chance.random() < _SWAPPED * careless:
        given, family = family[:1], given
    return (*given, *middle) if given else (), family


def _address(old: Traits, chance: random.Random, careless: float) -> tuple[tuple[str, ...], str]:
    """(lines, postal code)."""
    street = () if _lost("address", chance) else old.address_lines
    code = "" if _lost("postal", chance) or not old.postal_code else _digits(old.postal_code, chance, careless)
    if street:
        number, _, name = street[0].partition(" ")
        street = (f"{_digits(number, chance, careless)} {_letters(name, chance, careless)}", *street[1:])
    return street, code


def _born(born: date | None, chance: random.Random, careless: float, other: float) -> date | None:
    if born is None:
        return None
    if chance.random() < other:
        return date(1920, 1, 1) + timedelta(days=chance.randrange(105 * 365))
    if chance.random() < _DIGIT * careless:
        try:
            return date.fromisoformat(one_digit(chance, born.isoformat()))
        except ValueError:
            return born
    return born


def _identifier(old: Identifier, chance: random.Random, careless: float, other: float) -> Identifier:
    if old.kind != "SS" or sum(map(str.isdigit, old.value)) < 9:
        return old
    if chance.random() < other:
        return replace(old, value=f"{chance.randrange(100, 660)}{chance.randrange(101000, 999999)}")
    return replace(old, value=_digits(old.value, chance, careless))


def _letters(text: str, chance: random.Random, careless: float) -> str:
    while chance.random() < _LETTER * careless:
        text = one_letter(chance, text)
    return text


def _digits(text: str, chance: random.Random, careless: float) -> str:
    mistyped = sum(map(str.isdigit, text)) > 1 and chance.random() < _DIGIT * careless
    return one_digit(chance, text) if mistyped else text
