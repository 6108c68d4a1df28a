"""Traits made comparable: every value normalised, placeholders gone, once per record and not once per pair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from headwater.model import Traits
from headwater.persons import normalise
from headwater.persons.policy import MatchingPolicy


@dataclass(slots=True)
class Profile:
    """One record, ready to be compared. `newborn` is a name given before there was one ("Baby Boy"); `unnamed` is no
    name at all ("Unknown", "Trauma"). `records` are (authority, MRN); `members` are ids that a family may share.

    Nothing changes one, but it is not frozen: one is made for every record of every candidate, which would cost five
    times as much. Nor is it a tuple: to compare reads its fields three dozen times, by slots three times as fast."""

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
    family = _family(traits.family)
    newborn, unnamed = bool(given) and given[0] in ignore.newborn_names, _unnamed(given, family, policy)
    ssn, last_four, records, members = _identified(traits, policy)
    street, unit = normalise.street(traits.address_lines) if traits.address_lines else ("", "")
    return Profile(
        () if newborn or unnamed else given,
        () if newborn else _middle(traits.given),
        () if unnamed else family,
        normalise.generation(traits.suffix, traits.family[0] if traits.family else ""),
        normalise.birth_date(traits.birth_date, ignore.birth_dates),
        traits.gender if traits.gender in ("male", "female", "other") else "",
        ssn,
        last_four,
        frozenset([phone for text in traits.phones if (phone := normalise.phone(text, ignore.phones))]),
        frozenset([email for text in traits.emails if (email := normalise.email(text, ignore.emails))]),
        street,
        unit,
        normalise.postal_code(traits.postal_code) if traits.postal_code else "",
        records,
        members,
        newborn,
        unnamed,
    )


def _family(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) == 1:
        words = normalise.family_words(names[0])
        return words if len(words) < 2 else tuple(dict.fromkeys(words))
    return tuple(dict.fromkeys(word for name in names for word in normalise.family_words(name)))


def _middle(given: tuple[str, ...]) -> tuple[str, ...]:
    if len(given) > 2:
        return tuple(word for name in given[1:] for word in normalise.given_words(name))
    return normalise.given_words(given[1]) if len(given) == 2 else ()


def _unnamed(given: tuple[str, ...], family: tuple[str, ...], policy: MatchingPolicy) -> bool:
    names = policy.ignore.names
    if not names.isdisjoint(given[:1]) or not names.isdisjoint(family):
        return True
    # John Doe is nobody; Doe alone is a family name.
    return bool(given) and any(f"{given[0]} {name}" in policy.ignore.unidentified for name in family)


def _identified(traits: Traits, policy: MatchingPolicy) -> tuple[str, str, frozenset[tuple[str, str]], frozenset[str]]:
    """(Social Security number, its last four, records, members), each identifier looked at once."""
    ssn = last_four = ""
    records: list[tuple[str, str]] = []
    members: list[str] = []
    for one in traits.identifiers:
        if one.kind == "SS":
            if not last_four:
                ssn, last_four = normalise.ssn(one.value, policy.ignore.ssns)
        elif one.kind in policy.record_kinds or one.kind in policy.member_kinds:
            value = normalise.identifier(one.value, policy.ignore.identifiers)
            if value and one.kind in policy.record_kinds:
                records.append((one.system, value))
            if value and one.kind in policy.member_kinds:
                members.append(f"{one.system}|{value}")
    return ssn, last_four, frozenset(records), frozenset(members)
