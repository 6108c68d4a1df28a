"""Traits made comparable: every value normalised, placeholders gone, once per record and not once per pair."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from headwater.model import Identifier, Traits
from headwater.persons import normalise
from headwater.persons.policy import MatchingPolicy


@dataclass(frozen=True, slots=True)
class Profile:
    """One record, ready to be compared. `newborn` is a name given before there was one ("Baby Boy"); `unnamed` is no
    name at all ("Unknown", "Trauma"). `records` are (authority, MRN); `members` are ids that a family may share."""

    given: tuple[str, ...]
    middle: tuple[str, ...]
    family: tuple[str, ...]
    generation: int
    birth_date: date | None
    sex: str
    ssn: str
    ssn_last_four: str
    phones: frozenset[str]
    emails: frozenset[str]
    street: str
    unit: str
    postal_code: str
    records: frozenset[tuple[str, str]]
    members: frozenset[str]
    newborn: bool
    unnamed: bool


def profile_of(traits: Traits, policy: MatchingPolicy) -> Profile:
    """The profile of what one source states."""
    ignore = policy.ignore
    given = normalise.given_words(traits.given[0]) if traits.given else ()
    family = tuple(dict.fromkeys(word for name in traits.family for word in normalise.family_words(name)))
    newborn, unnamed = bool(ignore.newborn_names.intersection(given[:1])), _unnamed(given, family, policy)
    ssn, last_four = _ssn(traits, policy)
    street, unit = normalise.street(traits.address_lines)
    return Profile(
        given=() if newborn or unnamed else given,
        middle=() if newborn else tuple(w for name in traits.given[1:] for w in normalise.given_words(name)),
        family=() if unnamed else family,
        generation=normalise.generation(traits.suffix, traits.family[0] if traits.family else ""),
        birth_date=normalise.birth_date(traits.birth_date, ignore.birth_dates),
        sex=traits.gender if traits.gender in ("male", "female", "other") else "",
        ssn=ssn,
        ssn_last_four=last_four,
        phones=frozenset(filter(None, (normalise.phone(phone, ignore.phones) for phone in traits.phones))),
        emails=frozenset(filter(None, (normalise.email(email, ignore.emails) for email in traits.emails))),
        street=street,
        unit=unit,
        postal_code=normalise.postal_code(traits.postal_code),
        records=frozenset((i.system, value) for i, value in _ids(traits, policy.record_kinds, policy)),
        members=frozenset(f"{i.system}|{value}" for i, value in _ids(traits, policy.member_kinds, policy)),
        newborn=newborn,
        unnamed=unnamed,
    )


def _unnamed(given: tuple[str, ...], family: tuple[str, ...], policy: MatchingPolicy) -> bool:
    names = policy.ignore.names
    if any(word in names for word in (*given[:1], *family)):
        return True
    # John Doe is nobody; Doe alone is a family name.
    return bool(policy.ignore.unidentified.intersection(f"{g} {f}" for g in given[:1] for f in family))


def _ssn(traits: Traits, policy: MatchingPolicy) -> tuple[str, str]:
    for entry in traits.identifiers:
        if entry.kind == "SS":
            whole, last_four = normalise.ssn(entry.value, policy.ignore.ssns)
            if last_four:
                return whole, last_four
    return "", ""


def _ids(traits: Traits, kinds: Collection[str], policy: MatchingPolicy) -> list[tuple[Identifier, str]]:
    pairs = [
        (i, normalise.identifier(i.value, policy.ignore.identifiers)) for i in traits.identifiers if i.kind in kinds
    ]
    return [(identifier, value) for identifier, value in pairs if value]
