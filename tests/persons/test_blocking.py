"""blocking: who may be one person shares a key, whatever single slip there is; keys hold no PHI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwater.model import Traits
from headwater.persons.blocking import blocking_keys, lookup_keys
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from tests.persons.conftest import person

EVERYTHING: dict[str, Any] = {
    "ids": "MR:77 SS:219345678 MB:W1", "phone": "7132345678", "emails": ("jq@example.org",),
    "address_lines": ("120 Oak St",), "postal_code": "77002",
}  # fmt: skip


def kinds(keys: tuple[str, ...]) -> set[str]:
    return {key.partition(":")[0] for key in keys}


def test_a_full_record_has_every_kind_of_key(policy: MatchingPolicy) -> None:
    assert kinds(blocking_keys(person(**EVERYTHING), policy)) == {
        "mrn", "ssn", "phone", "email", "address", "birth+family", "birth+initial", "birth+house", "names+postal",
        "family+street", "birth+postal", "birth+member",
        "names+year", "names+day", "year+last4",
    }  # fmt: skip


def test_keys_are_sorted_hashes_without_values(policy: MatchingPolicy) -> None:
    keys = blocking_keys(person(**EVERYTHING), policy)
    assert list(keys) == sorted(set(keys))
    for key in keys:
        kind, _, hashed = key.partition(":")
        assert len(hashed) == 24
        assert int(hashed, 16) >= 0
        assert not any(value in key for value in ("quin", "jonathan", "1971", "77002", "7132345678"))
        assert kind


def test_another_salt_gives_other_keys(policy: MatchingPolicy) -> None:
    one = blocking_keys(person(**EVERYTHING), policy)
    other = blocking_keys(person(**EVERYTHING), replace(policy, salt=b"another"))
    assert not set(one) & set(other)
    assert kinds(one) == kinds(other)


@pytest.mark.parametrize(
    "other",
    [
        person("Jon Quintero"),
        person("JONATHAN QUINTERRO"),
        person("Quintero Jonathan"),
        person(born="1971-05-23"),
        person("Jonathan Brandt"),
        person("Jonathan Quintero-Vega"),
        person("Baby Quintero"),
        person("Walter Brandt", "", ids="SS:219-34-5678"),
        person("Walter Brandt", "", phone="+1-713-234-5678"),
        person("Walter Brandt", "1971-09-09", ids="SS:***-**-5678"),
    ],
)
def test_no_single_slip_hides_anybody(other: Traits, policy: MatchingPolicy) -> None:
    assert set(blocking_keys(person(**EVERYTHING), policy)) & set(blocking_keys(other, policy))


@pytest.mark.parametrize(
    "nobody",
    [
        Traits(),
        person("Unknown -", "1900-01-01", phone="999-999-9999", ids="SS:078-05-1120", emails=("none@x.org",)),
        Traits(postal_code="77002", family=("Ruiz",)),
    ],
)
def test_placeholders_and_half_values_make_no_keys(nobody: Traits, policy: MatchingPolicy) -> None:
    assert blocking_keys(nobody, policy) == ()


def test_who_is_filed_without_a_birth_date_is_found_by_the_names(policy: MatchingPolicy) -> None:
    filed = blocking_keys(person("Ana Ruiz", ""), policy)
    assert kinds(filed) == {"names"}
    assert set(filed) <= set(lookup_keys(profile_of(person("Ana Ruiz"), policy), policy))
    assert not set(filed) & set(blocking_keys(person("Ana Ruiz"), policy))
