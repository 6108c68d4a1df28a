"""Invented people, and how each EHR that knows them writes them down. Nobody here exists.

The same seed gives the same people. Two EHRs seldom write one human alike: a nickname, capitals, a missing second name,
a moved flat; that is what the EMPI is for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

_FAMILIES = [
    "Abernathy", "Achterberg", "Adeyemi", "Amankwah", "Bellweather", "Birkholz", "Castellanos", "Chaudhry",
    "Corrigan", "Dellacroce", "Drummond", "Eklund", "Escobedo", "Farquhar", "Fitzwater", "Galarza",
    "Goldfarb", "Halvorsen", "Hendrickson", "Ibarra", "Iwamoto", "Jankowski", "Kavanagh", "Kowalczyk",
    "Langenfeld", "Lindqvist", "Macallister", "Mendoza", "Mwangi", "Nakamura", "Novotny", "Obermeyer",
    "Okafor", "Pemberton", "Quintanilla", "Radcliffe", "Rosenthal", "Salazar", "Sandoval", "Thackeray",
    "Tran", "Underhill", "Valenzuela", "Vandermeer", "Whitlock", "Yamaguchi", "Zielinski"
]  # fmt: skip
# Given names with a short form that some registration desk would write instead.
_WOMEN = [
    ("Katherine", "Kate"), ("Elizabeth", "Liz"), ("Margaret", "Peggy"), ("Jennifer", "Jenny"), ("Susan", "Sue"),
    ("Deborah", "Debbie"), ("Patricia", "Pat"), ("Guadalupe", "Lupe"), ("Rebecca", "Becky"), ("Victoria", "Vicky"),
    ("Adaeze", "Adaeze"), ("Yuki", "Yuki"), ("Amina", "Amina"), ("Ingrid", "Ingrid"),
]  # fmt: skip
_MEN = [("Jonathan", "Jon"), ("William", "Bill"), ("Robert", "Bob"), ("Michael", "Mike"), ("Francisco", "Paco"),
        ("Christopher", "Chris"), ("Nicholas", "Nick"), ("Alexander", "Alex"), ("Joseph", "Joe"), ("Edward", "Ted"),
        ("Kwame", "Kwame"), ("Haruto", "Haruto"), ("Omar", "Omar"), ("Lars", "Lars")]  # fmt: skip
_MIDDLE = ["Anne", "Marie", "Lee", "James", "Ray", "Lynn", "Paul", "Rose", "", "", ""]
_STREETS = ["Larkmoor Ave", "Old Mill Rd", "Juniper Ct", "Harbor St", "Quarry Ln", "Cedar Bluff Dr", "Station Rd"]
_TOWNS = [("Columbus", "OH", "43215"), ("Dayton", "OH", "45402"), ("Lima", "OH", "45801"), ("Akron", "OH", "44308")]


@dataclass(frozen=True, slots=True)
class Human:
    """One invented person as a registration desk wrote them down. `ssn` is empty where nobody asked."""

    family: str
    given: str
    nickname: str
    middle: str
    gender: str
    birth_date: date
    ssn: str
    phone: str
    street: str
    city: str
    state: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What one EHR has of a person: its own number, and the person as it knows them."""

    ehr: str
    mrn: str
    human: Human


def humans(count: int, seed: int) -> list[Human]:
    """`count` different people; every fifth has no SSN on record."""
    chance = random.Random(f"humans {seed}")
    return [_human(chance, number) for number in range(count)]


def _human(chance: random.Random, number: int) -> Human:
    female = chance.random() < 0.5
    given, nickname = chance.choice(_WOMEN if female else _MEN)
    city, state, postal_code = chance.choice(_TOWNS)
    return Human(
        family=_FAMILIES[number % len(_FAMILIES)],
        given=given,
        nickname=nickname,
        middle=chance.choice(_MIDDLE),
        gender="F" if female else "M",
        birth_date=date(1932, 1, 1) + timedelta(days=chance.randrange(29_000)),
        # 9xx area numbers are never issued as SSNs, 987-65-4320..4329 are for print; these stay in a range that is
        # formally possible, as a matcher drops what cannot be an SSN, but belong to nobody that we know of.
        ssn="" if number % 5 == 4 else f"{chance.randrange(200, 600):03}-{chance.randrange(10, 99)}-{1000 + number:04}",
        phone=f"614-555-{number:04}",
        street=f"{chance.randrange(1, 99)}{number:02} {chance.choice(_STREETS)}",
        city=city,
        state=state,
        postal_code=postal_code,
    )


def charts(human: Human, number: int, ehrs: list[str], seed: int) -> list[Chart]:
    """The EHRs that know a person: two of them mostly, sometimes one or three; each with its own spelling."""
    chance = random.Random(f"charts {seed} {number}")
    known = chance.sample(ehrs, k=chance.choice([1, 2, 2, 2, 3][: len(ehrs) + 2]))
    return [Chart(ehr, f"{ehr[:1].upper()}{70_000 + number * 7}", _as_written(human, chance)) for ehr in known]


def _as_written(human: Human, chance: random.Random) -> Human:
    match chance.randrange(4):
        case 0:
            return replace(human, given=human.nickname, middle="")
        case 1:
            return replace(human, family=human.family.upper(), given=human.given.upper(), middle=human.middle.upper())
        case 2:
            return replace(human, middle=human.middle[:1])
        case _:
            return human
