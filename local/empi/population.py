"""Made-up people as four sources would know them, with the truth: hard on purpose, and the same for the same seed.

Families share name, address, telephone and insurance; twins also the birth date; there are Jr and Sr, strangers of one
name and birth date, nicknames, married and double names, moves, slips of every kind, placeholders, newborns without a
name, one patient with two MRNs. What is asked of a match is known for each record (`Known`).
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeVar

from headwater.model import Identifier, Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from local.empi import names
from local.empi.slips import one_digit, one_letter
from local.empi.truth import Known, Update

_Value = TypeVar("_Value")
_Hit = Callable[[str, float], bool]  # whether a slip of this kind and share happens, noted when it does
TODAY = date(2026, 6, 30)


@dataclass(frozen=True, slots=True)
class Source:
    """How often a source holds a person and sends each field, and how careless it is (1 = a usual desk)."""

    name: str
    holds: float
    twice: float  # a second MRN for the same patient
    slips: float
    nicknames: float
    sends: dict[str, float]


SOURCES = (
    Source("hospital", 0.75, 0.05, 1.0, 0.07,
           {"middle": 0.7, "suffix": 0.6, "ssn": 0.65, "phone": 0.95, "email": 0.4, "address": 0.98, "member": 0.35}),
    Source("clinic", 0.5, 0.04, 1.3, 0.15,
           {"middle": 0.35, "suffix": 0.35, "ssn": 0.2, "phone": 0.93, "email": 0.6, "address": 0.95, "member": 0.25}),
    Source("laboratory", 0.5, 0.04, 1.5, 0.08,
           {"middle": 0.25, "suffix": 0.2, "ssn": 0.06, "phone": 0.45, "email": 0.02, "address": 0.5, "member": 0.1}),
    Source("payer", 0.55, 0.02, 0.6, 0.03,
           {"middle": 0.6, "suffix": 0.5, "ssn": 0.75, "phone": 0.55, "email": 0.12, "address": 0.97, "member": 0.98}),
)  # fmt: skip
_NO_SSN = ("999999999", "123456789", "000000000", "078051120")
_NO_PHONE = ("5555555555", "0000000000", "9999999999")


@dataclass(slots=True)
class Human:
    """One person's truth. Lists hold what was true before, the present last."""

    id: str
    household: str
    sex: str
    born: date
    given: str
    middle: str
    families: list[str]
    homes: list[tuple[str, str]]  # street line, postal code
    phones: list[str]
    ssn: str
    email: str
    member: str
    suffix: str = ""
    group: str = ""
    parents_ssn: str = ""
    kinds: list[str] = field(default_factory=list)


def population(seed: int, people: int, policy: MatchingPolicy) -> tuple[list[Known], list[Update]]:
    """The records of so many people in the order of the people, and updates of hospital records, a fifth of them
    overlays."""
    made = Population(seed, people, policy)
    return list(made.records()), list(made.updates())


class Population:
    """So many people, and their records one after the other, for more than memory would hold."""

    def __init__(self, seed: int, people: int, policy: MatchingPolicy) -> None:
        self._chance = random.Random(f"headwater population {seed}")
        self._policy = policy
        self._humans = _Town(self._chance).people(people)
        self._hospital: list[tuple[Human, Traits]] = []

    def records(self, tell: Callable[[int], None] | None = None) -> Iterator[Known]:
        """To be asked for once; `tell` hears how many people are done."""
        chance, count = self._chance, 0
        for done, human in enumerate(self._humans, 1):
            held = [source for source in SOURCES if chance.random() < source.holds] or [SOURCES[0]]
            for source in held:
                for _ in range(2 if chance.random() < source.twice else 1):
                    traits, kinds = _as_known_to(source, human, f"{count:07d}", self._policy, chance)
                    if source is SOURCES[0]:
                        self._hospital.append((human, traits))
                    yield Known(
                        f"{source.name}-{count}", source.name, human.id, human.household, human.group,
                        frozenset(kinds), traits, profile_of(traits, self._policy),
                    )  # fmt: skip
                    count += 1
            if tell:
                tell(done)

    def updates(self) -> Iterator[Update]:
        """Of records that were made."""
        return _updates(self._humans, self._hospital, self._policy, self._chance)


class _Town:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._codes = [f"77{number:03d}" for number in range(2, 99)]
        self._humans: list[Human] = []

    def people(self, number: int) -> list[Human]:
        while len(self._humans) < number:
            self._household(f"H{len(self._humans)}")
        del self._humans[number:]
        self._namesakes()
        for human in self._humans:
            self._live(human)
        return self._humans

    def _household(self, household: str) -> None:
        chance = self._chance
        spanish = chance.random() < 0.25
        family = names.family(chance, spanish=spanish)
        if spanish and chance.random() < 0.35:
            family = f"{family} {names.family(chance, spanish=True)}"
        home, phone, member = self._home(), self._phone(), f"W{chance.randrange(10**8, 10**9)}"
        head = self._human(household, "male", chance.uniform(20, 85), family, home, phone, member, spanish)
        if chance.random() < 0.4:
            head.sex = chance.choice(("male", "female"))
            head.given = names.given(chance, head.sex, spanish=spanish)
            return
        maiden = names.family(chance, spanish=spanish)
        hers = chance.choices((family, f"{maiden}-{family}", maiden), (7, 1, 2))[0]
        age = (TODAY - head.born).days / 365.25
        wife = self._human(household, "female", max(18, age - 2), hers, home, phone, member, spanish)
        wife.group = "couple"
        if hers != maiden:
            wife.families.insert(0, maiden)
        for _ in range(chance.choice((0, 0, 1, 1, 2, 2, 3)) if age > 22 else 0):
            self._child(household, head, home, phone, member, spanish)

    def _child(
        self, household: str, head: Human, home: tuple[str, str], phone: str, member: str, spanish: bool
    ) -> None:
        chance = self._chance
        age = max(0.05, (TODAY - head.born).days / 365.25 - chance.uniform(20, 40))
        if age > 22 and chance.random() < 0.5:
            home, phone = self._home(), self._phone()
        sex = chance.choice(("male", "female"))
        child = self._human(household, sex, age, head.families[-1], home, phone, member, spanish)
        child.parents_ssn = head.ssn
        if chance.random() < 0.055:
            twin = self._human(household, chance.choice((sex, sex, "male", "female")), age, head.families[-1], home,
                               phone, member, spanish)  # fmt: skip
            twin.born, twin.parents_ssn = child.born, head.ssn
            while twin.given == child.given or (chance.random() < 0.3 and twin.given[0] != child.given[0]):
                twin.given = names.given(chance, twin.sex, spanish=spanish)
            child.group = twin.group = "twin"
        elif sex == "male" and head.sex == "male" and not head.suffix and chance.random() < 0.1:
            child.given, child.middle, child.suffix, head.suffix = head.given, head.middle, "Jr", "Sr"
            child.group = head.group = "jr_sr"

    def _human(
        self, household: str, sex: str, age: float, family: str, home: tuple[str, str], phone: str, member: str,
        spanish: bool,
    ) -> Human:  # fmt: skip
        chance = self._chance
        born = TODAY - timedelta(days=int(age * 365.25) + chance.randrange(365))
        given = names.given(chance, sex, spanish=spanish)
        middle = names.given(chance, sex, spanish=spanish) if chance.random() < 0.8 else ""
        own = age >= 14 and chance.random() < 0.88
        address = _plain(f"{given}.{family}{chance.randrange(1000)}").replace(" ", "").lower()
        human = Human(
            f"P{len(self._humans):06d}", household, sex, born, given, middle, [family], [home],
            [self._phone() if own else phone], f"{chance.randrange(100, 660)}{chance.randrange(101000, 999999)}",
            f"{address}@example.org" if age >= 14 and chance.random() < 0.7 else "", member,
        )  # fmt: skip
        self._humans.append(human)
        return human

    def _namesakes(self) -> None:
        """Strangers of one name and birth date, 0.7 % of the people, and twice as many of one birth year."""
        adults = [one for one in self._humans if one.born < date(2008, 1, 1) and not one.group]
        self._chance.shuffle(adults)
        exact = int(0.0035 * len(self._humans))
        for place in range(min(3 * exact, len(adults) // 2)):
            one, other = adults[2 * place : 2 * place + 2]
            other.given, other.families, other.sex = one.given, list(one.families), one.sex
            other.born = one.born if place < exact else one.born.replace(month=self._chance.randint(1, 12), day=15)
            other.email = ""
            one.group = other.group = "same_name_dob" if place < exact else "same_name_year"

    def _live(self, human: Human) -> None:
        chance = self._chance
        if chance.random() < 0.36:
            human.homes.insert(0, self._home())
        if chance.random() < 0.28:
            human.phones.insert(0, self._phone())

    def _home(self) -> tuple[str, str]:
        chance = self._chance
        kind = chance.choice(("Street", "St", "Avenue", "Ave", "Drive", "Road", "Lane", "Ct"))
        code = self._codes[min(len(self._codes) - 1, int(chance.expovariate(1 / 25)))]
        return f"{chance.randrange(1, 15999)} {names.street(chance)} {kind}", code

    def _phone(self) -> str:
        return f"{self._chance.choice(('713', '281', '832'))}{self._chance.randrange(2000000, 9999999)}"


def _as_known_to(
    source: Source, human: Human, mrn: str, policy: MatchingPolicy, chance: random.Random
) -> tuple[Traits, list[str]]:
    """The person as this source writes them down, and what it did to them."""
    kinds: list[str] = []

    def hit(kind: str, share: float) -> bool:
        happened = chance.random() < share * source.slips
        if happened:
            kinds.append(kind)
        return happened

    def sends(what: str) -> bool:
        return chance.random() < source.sends[what]

    given, middle, family = human.given, human.middle if sends("middle") else "", _now(chance, human.families)
    given, middle, family = _named(source, human, (given, middle, family), policy, chance, kinds, hit)
    born: date | None = _born(human.born, chance, hit)
    sex = "unknown" if hit("sex_missing", 0.015) else human.sex
    if hit("sex_error", 0.005):
        sex = "female" if human.sex == "male" else "male"
    ids = [Identifier(f"urn:{source.name}", mrn, "MR")]
    if sends("ssn"):
        ids.append(Identifier("http://hl7.org/fhir/sid/us-ssn", _ssn(human, chance, hit), "SS"))
    if sends("member"):
        ids.append(Identifier("urn:insurer", human.member, "MB"))
    phone = _now(chance, human.phones) if sends("phone") else ""
    if phone and hit("phone_placeholder", 0.007):
        phone = chance.choice(_NO_PHONE)
    elif phone and hit("phone_typo", 0.008):
        phone = one_digit(chance, phone)
    street, code = _now(chance, human.homes) if sends("address") else ("", "")
    if street and hit("address_typo", 0.02):
        street = one_letter(chance, street)
    suffix = human.suffix if sends("suffix") else ""
    return Traits(
        family=(family,), given=tuple(filter(None, (given, middle))), suffix=suffix, birth_date=born, gender=sex,
        phones=(phone,) if phone else (), emails=(human.email,) if human.email and sends("email") else (),
        address_lines=(street,) if street else (), postal_code=code, identifiers=tuple(ids),
    ), kinds  # fmt: skip


def _named(
    source: Source, human: Human, name: tuple[str, str, str], policy: MatchingPolicy, chance: random.Random,
    kinds: list[str], hit: _Hit,
) -> tuple[str, str, str]:  # fmt: skip
    """(given, middle, family) as typed."""
    given, middle, family = name
    if (TODAY - human.born).days < 400 and source is SOURCES[0] and chance.random() < 0.8:
        kinds.append("newborn")
        return "Baby Boy" if human.sex == "male" else "Baby Girl", "", family
    short = sorted(policy.nicknames.get(_plain(given).lower(), ()))
    if short and chance.random() < source.nicknames:
        kinds.append("nickname")
        given = chance.choice(short).title()
    elif middle and hit("middle_as_first", 0.007):
        given, middle = middle, ""
    if hit("typo_given", 0.025):
        given = one_letter(chance, given)
    parts = family.replace("-", " ").split()
    if len(parts) == 2 and chance.random() < 0.4:
        kinds.append("double_surname")
        family = chance.choice((parts[0], parts[0], parts[1], f"{parts[0]}-{parts[1]}"))
    if hit("typo_family", 0.025):
        family = one_letter(chance, family)
    if hit("name_swap", 0.005):
        given, family = family, given
    if middle and chance.random() < 0.4:
        middle = middle[0]
    if source.name != "clinic":
        given, middle, family = _plain(given), _plain(middle), _plain(family)
    return given, middle, family


def _born(born: date, chance: random.Random, hit: _Hit) -> date | None:
    if born.day <= 12 and born.day != born.month and hit("dob_swap", 0.006):
        return born.replace(month=born.day, day=born.month)
    if hit("dob_typo", 0.01):
        try:
            return date.fromisoformat(one_digit(chance, born.isoformat()))
        except ValueError:
            return born
    if hit("dob_jan1", 0.006):
        return born.replace(month=1, day=1)
    if hit("dob_1900", 0.005):
        return date(1900, 1, 1)
    return None if hit("dob_missing", 0.006) else born


def _ssn(human: Human, chance: random.Random, hit: _Hit) -> str:
    if hit("ssn_placeholder", 0.02):
        return chance.choice(_NO_SSN)
    if human.parents_ssn and hit("ssn_of_parent", 0.03):
        return human.parents_ssn
    if hit("ssn_last4", 0.03):
        return "***-**-" + human.ssn[5:]
    return one_digit(chance, human.ssn) if hit("ssn_typo", 0.015) else human.ssn


def _updates(
    humans: list[Human], hospital: list[tuple[Human, Traits]], policy: MatchingPolicy, chance: random.Random
) -> Iterator[Update]:
    homes: dict[str, list[Human]] = {}
    for human in humans:
        homes.setdefault(human.household, []).append(human)
    for human, old in chance.sample(hospital, min(3000, len(hospital))):
        who, kind = human, ""
        if chance.random() < 0.2:
            relatives = [one for one in homes[human.household] if one is not human]
            near = bool(relatives) and chance.random() < 0.45
            who = chance.choice(relatives if near else humans)
            twins = who.group == human.group == "twin" and who.born == human.born
            kind = "" if who is human else "twin" if near and twins else "household" if near else "stranger"
        mrn = old.identifiers[0].value
        new, _ = _as_known_to(SOURCES[0], who, mrn, policy, chance)
        yield Update(old, replace(new, identifiers=(old.identifiers[0], *new.identifiers[1:])), kind)


def _now(chance: random.Random, history: list[_Value]) -> _Value:
    """Mostly what is true now, sometimes what was before."""
    return history[-1] if len(history) == 1 or chance.random() < 0.7 else chance.choice(history[:-1])


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
