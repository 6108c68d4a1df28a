"""Two profiles side by side: each comparison ends in one of a few named levels, which `grade` weighs.

What is not independent is compared together. Relatives share family name, address, telephone and insurance, so `home`
counts all of those once; twins share all but the given name, so given name and birth date are weighed as a pair.
A person of several records is compared with all of them: what agrees with one of them agrees with the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache
from typing import NamedTuple

from headwater.persons.normalise import without_particle
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile
from headwater.persons.slips import alike, edits, one_slip, slip, slip_of_any

_NONE: frozenset[str] = frozenset()


class Levels(NamedTuple):
    """The outcome of each comparison, as words that `mappings/matching-weights.json` gives weights to. A tuple, because
    one is made a pair, and what was graded once is looked up by it."""

    # equal nickname variant part close middle initial swapped near middle_initial different newborn missing
    given: str
    birth_date: str  # equal default swapped close year different missing
    family: str  # equal part close swapped different missing
    home: str  # several one area different missing
    phone: str  # equal different missing
    address: str  # equal close area different missing
    insurance: str  # equal different missing
    ssn: str  # equal close last_four different missing
    email: str  # equal different missing
    middle: str  # equal initial different missing
    sex: str  # equal different missing
    generation: str  # equal one_sided different missing
    record: str  # equal two_of_one missing
    others: str  # different part missing: what another record of the person says that this pair does not


# Which level stands for a person of several records: the first in this order that any of them has. Where one source
# may be wrong alone, agreement comes first; where two live values exclude each other (generation), difference does.
_BEST = {
    "given": "equal nickname variant part close middle initial swapped near middle_initial different newborn missing",
    "birth_date": "equal default swapped close year different missing",
    "family": "equal part close swapped different missing",
    "home": "several one area different missing",  # of no weight: it follows from the next three
    "phone": "equal different missing",
    "address": "equal close area different missing",
    "insurance": "equal different missing",
    "ssn": "equal last_four close different missing",
    "email": "equal different missing",
    "middle": "equal initial different missing",
    "sex": "equal different missing",
    "generation": "different equal one_sided missing",
    "record": "equal two_of_one missing",
}
_RANKS = [{level: rank for rank, level in enumerate(order.split())} for order in _BEST.values()]


def united(pairs: Sequence[Levels]) -> Levels:
    """One record against all records of a person, from its levels against each of them (at least one)."""
    first = pairs[0]
    if pairs.count(first) == len(pairs):
        return first
    best: Sequence[str] = first
    for pair in pairs[1:]:
        best = [
            one if one == other or rank[one] < rank[other] else other
            for one, other, rank in zip(best, pair, _RANKS, strict=False)
        ]
    given, birth_date, family, _, phone, address, insurance, *others = best
    renamed = given != "different" and "different" in [pair.given for pair in pairs]
    reborn = birth_date != "different" and "different" in [pair.birth_date for pair in pairs]
    home = _home(phone, address, insurance)
    apart = "different" if renamed else "part" if reborn else "missing"
    return Levels._make((given, birth_date, family, home, phone, address, insurance, *others, apart))


def compare(a: Profile, b: Profile, policy: MatchingPolicy) -> Levels:
    """The levels of a pair; the order of the two does not matter."""
    swapped = _swapped(a, b, policy)
    phone, address, insurance = _shared(a.phones, b.phones), _address(a, b), _shared(a.members, b.members)
    return Levels(
        "swapped" if swapped else _given(a, b, policy),
        _birth_date(a.birth_date, b.birth_date),
        "swapped" if swapped else _family(a.family, b.family),
        _home(phone, address, insurance),
        phone,
        address,
        insurance,
        _ssn(a, b),
        _shared(a.emails, b.emails),
        _middle(a.middle, b.middle),
        "missing" if not (a.sex and b.sex) else "equal" if a.sex == b.sex else "different",
        _generation(a.generation, b.generation),
        _record(a.records, b.records),
        "missing",
    )


def _swapped(a: Profile, b: Profile, policy: MatchingPolicy) -> bool:
    """Given and family name in each other's place."""
    if not (a.given and b.given) or a.given[0] == b.given[0]:
        return False
    if _stands_in(a.given[0], b.family, policy) and _stands_in(b.given[0], a.family, policy):
        return True
    if len(a.given + a.family) + len(b.given + b.family) <= 4:
        return False  # of names of one word each there is nothing more to join
    # "Xiao-Ming Wang", "Wang Xiaoming"
    return "".join(a.given) == "".join(b.family) and "".join(b.given) == "".join(a.family)


@lru_cache(maxsize=1 << 14)
def _stands_in(given: str, family: tuple[str, ...], policy: MatchingPolicy) -> bool:
    return _goes_by(given, family, policy) or slip_of_any(given, family)


def _given(a: Profile, b: Profile, policy: MatchingPolicy) -> str:
    if a.newborn or b.newborn:
        return "newborn"
    if not a.given or not b.given:
        return "missing"
    if a.given == b.given or (len(a.given) + len(b.given) > 2 and "".join(a.given) == "".join(b.given)):
        return "equal"
    one, other = a.given[0], b.given[0]
    if one == other:
        # "María" is part of "María Elena"; "María José" and "María Elena" may be sisters.
        return "part" if 1 in (len(a.given), len(b.given)) else "different"
    if other in policy.nicknames.get(one, _NONE):
        # Bill is hardly anybody's name from birth; Katie is, and may be Kathleen's twin.
        return "variant" if one in policy.given_names and other in policy.given_names else "nickname"
    if len(one) == 1 or len(other) == 1:
        return "initial" if one[0] == other[0] else "different"
    more, others = a.given[1:] + a.middle, b.given[1:] + b.middle
    if (others and _goes_by(one, others, policy)) or (more and _goes_by(other, more, policy)):
        return "middle"
    unlike = _unlike(one, other, policy)
    if unlike == "different" and (one[0] in b.middle[:1] or other[0] in a.middle[:1]):
        return "middle_initial"
    return unlike


def _goes_by(name: str, others: tuple[str, ...], policy: MatchingPolicy) -> bool:
    """Whether the name is one of another's names, or short for it."""
    return name in others or not policy.nicknames.get(name, _NONE).isdisjoint(others)


@lru_cache(maxsize=1 << 14)
def _unlike(one: str, other: str, policy: MatchingPolicy) -> str:
    """close, near or different, of two names that neither agree nor stand for each other."""
    if slip(one, other):
        return "close"
    return "near" if _near(one, other, policy) else "different"


def _near(one: str, other: str, policy: MatchingPolicy) -> bool:
    """Whether two names may have become of one, though nothing says so: a beginning, a nickname with a slip, two slips.
    Twins are named so too, so it weighs little; but it is not another name for certain."""
    shorter = min(len(one), len(other))
    if shorter > 1 and (one.startswith(other) or other.startswith(one)):
        return True
    if shorter > 4 and edits(one, other, 2):
        return True
    nicknames = policy.nicknames
    return slip_of_any(other, nicknames.get(one, _NONE)) or slip_of_any(one, nicknames.get(other, _NONE))


def _family(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    if not a or not b:
        return "missing"
    if a == b:
        return "equal"
    if len(a) == len(b) == 1:
        return _family_word(a[0], b[0])
    if not set(a).isdisjoint(b):
        return "part"
    if "".join(a) == "".join(b):
        return "equal"
    return "close" if any(_family_word(one, other) == "close" for one in a for other in b) else "different"


@lru_cache(maxsize=1 << 14)
def _family_word(one: str, other: str) -> str:
    if slip(one, other) or alike(one, other):
        return "close"
    # Cruz and de la Cruz, Hassan and Al-Hassan
    return "close" if one[-4:] == other[-4:] and without_particle(one) == without_particle(other) else "different"


def _birth_date(a: date | None, b: date | None) -> str:
    if a is None or b is None:
        return "missing"
    if a == b:
        # Who does not know the day types the first of January, so two of them agree by custom.
        return "default" if a.month == a.day == 1 else "equal"
    if a.year == b.year:
        if a.month == b.day and a.day == b.month:
            return "swapped"
        if a.month == a.day == 1 or b.month == b.day == 1:
            return "year"
    if a.year != b.year and a.month != b.month and a.day != b.day:
        return "different"  # no one slip does that
    return "close" if one_slip(a.isoformat().replace("-", ""), b.isoformat().replace("-", "")) else "different"


def _address(a: Profile, b: Profile) -> str:
    both = bool(a.postal_code and b.postal_code)
    same_area = both and a.postal_code == b.postal_code
    if a.street and b.street and (same_area or not both or one_slip(a.postal_code, b.postal_code)):
        found = _streets(a.street, b.street, same_area=same_area)
        if found:
            return found
    if same_area:
        return "area"
    return "different" if (a.street and b.street) or both else "missing"


def _streets(one: str, other: str, *, same_area: bool) -> str:
    """equal, close or empty. A slip in the number is close at most, for it may be the neighbour's; so is one in the
    street's name, or its kind grown onto it, where the postal code differs too."""
    if one == other:
        return "equal"
    (number, _, name), (other_number, _, other_name) = one.partition(" "), other.partition(" ")
    if number != other_number:
        return "close" if name == other_name and one_slip(number, other_number) else ""
    grown = min(len(name), len(other_name)) > 4 and (name.startswith(other_name) or other_name.startswith(name))
    if not (grown or slip(name, other_name)):
        return ""
    return "equal" if same_area else "close"


@cache
def _home(phone: str, address: str, insurance: str) -> str:
    """What a household shares, counted once: address, telephone, insurance."""
    agreeing = (phone == "equal") + (address == "equal") + (insurance == "equal")
    if agreeing:
        return "several" if agreeing > 1 else "one"
    if address in ("area", "close"):
        return "area"
    return "different" if "different" in (phone, address) else "missing"


def _ssn(a: Profile, b: Profile) -> str:
    if a.ssn and b.ssn:
        return "equal" if a.ssn == b.ssn else "close" if edits(a.ssn, b.ssn, 2) else "different"
    if a.ssn_last_four and b.ssn_last_four:
        return "last_four" if a.ssn_last_four == b.ssn_last_four else "different"
    return "missing"


def _shared(a: frozenset[str], b: frozenset[str]) -> str:
    if not (a and b):
        return "missing"
    return "different" if a.isdisjoint(b) else "equal"


def _middle(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    if not a or not b:
        return "missing"
    if any(len(word) > 1 for word in set(a) & set(b)):
        return "equal"
    one, other = a[0], b[0]
    same = one[0] == other[0] if 1 in (len(one), len(other)) else slip(one, other)
    return "initial" if same else "different"


def _generation(a: int, b: int) -> str:
    if a and b:
        return "equal" if a == b else "different"
    return "one_sided" if a or b else "missing"


def _record(a: frozenset[tuple[str, str]], b: frozenset[tuple[str, str]]) -> str:
    """Whether one authority gave both the same MRN, or two."""
    found = "missing"
    for authority, mrn in a:
        for other, number in b:
            if authority == other:
                if mrn == number:
                    return "equal"
                found = "two_of_one"
    return found
