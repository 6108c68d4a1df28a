"""Which persons are worth comparing with a record: those that share one of its keys. Around ten kinds of keys, so that
no single slip hides anybody; each is exact, so that an index can look it up.

A key is its kind and a keyed hash (BLAKE2b, RFC 7693 §2.9) of the value: the index's keys, which show in metrics and
traces, hold no PHI. Placeholders and default dates make no keys. Recall and candidates measured: docs/empi.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from headwater.model import Traits
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of


def blocking_keys(traits: Traits, policy: MatchingPolicy) -> tuple[str, ...]:
    """The keys of a record, sorted, without repetition; none when it states nothing that can be looked up."""
    return profile_keys(profile_of(traits, policy), policy)


def profile_keys(profile: Profile, policy: MatchingPolicy) -> tuple[str, ...]:
    """The keys of a profile that was made already: those under which it is filed."""
    return _keys(_values(profile), policy)


def lookup_keys(profile: Profile, policy: MatchingPolicy) -> tuple[str, ...]:
    """The keys under which those are filed who may be this one: its own, and that of its names without a birth date.
    Records without a date are few; filing everybody by name alone would make buckets of hundreds."""
    return _keys((*_values(profile), *_without_birth_date(profile)), policy)


def _keys(values: Iterable[tuple[str, str]], policy: MatchingPolicy) -> tuple[str, ...]:
    return tuple(sorted({f"{kind}:{_hashed(kind, value, policy.salt)}" for kind, value in values}))


def _values(p: Profile) -> Iterator[tuple[str, str]]:
    for authority, mrn in p.records:
        yield "mrn", f"{authority}|{mrn}"
    if p.ssn:
        yield "ssn", p.ssn
    for phone in p.phones:
        yield "phone", phone
    for email in p.emails:
        yield "email", email
    if p.street and p.postal_code:
        yield "address", f"{p.street}|{p.postal_code}"
    for name in p.family if p.given else ():
        # For those whose birth date is wrong in more than one place.
        if p.postal_code:
            yield "names+postal", f"{'|'.join(sorted((p.given[0], name)))}|{p.postal_code}"
    house, _, street = p.street.partition(" ")
    for name in p.family if street else ():
        yield "family+street", f"{name[:3]}|{house}|{street[:3]}"
    yield from _with_birth_date(p) if p.birth_date else _without_birth_date(p)


def _without_birth_date(p: Profile) -> Iterator[tuple[str, str]]:
    for name in p.family if p.given else ():
        yield "names", "|".join(sorted((p.given[0], name)))


def _with_birth_date(p: Profile) -> Iterator[tuple[str, str]]:
    if p.birth_date is None:
        return
    day, year = p.birth_date.isoformat(), str(p.birth_date.year)
    for name in p.family:
        yield "birth+family", f"{day}|{name[:3]}"
        if p.given:
            # In any order, so that given and family name in each other's place are found.
            names = "|".join(sorted((p.given[0], name)))
            yield "names+year", f"{names}|{year}"
            yield "names+day", f"{names}|{day[5:]}"  # a slip in the year
    if p.given:
        yield "birth+initial", f"{day}|{p.given[0][0]}"
    if p.street:
        yield "birth+house", f"{day}|{p.street.partition(' ')[0]}"
    if p.postal_code:
        yield "birth+postal", f"{day}|{p.postal_code}"
    if p.ssn_last_four:
        yield "year+last4", f"{year}|{p.ssn_last_four}"
    for member in p.members:
        yield "birth+member", f"{day}|{member}"


def _hashed(kind: str, value: str, salt: bytes) -> str:
    return hashlib.blake2b(f"{kind}\x1f{value}".encode(), digest_size=12, key=salt[:64]).hexdigest()
