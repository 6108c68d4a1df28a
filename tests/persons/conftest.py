"""The shipped policy and a way to write a person in one line."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from headwater.model import Identifier, Traits
from headwater.persons.policy import MatchingPolicy, load_policy

MAPPINGS = Path(__file__).parents[2] / "mappings"


@pytest.fixture(scope="session")
def policy() -> MatchingPolicy:
    return load_policy(MAPPINGS)


def person(name: str = "Jonathan Quintero", born: str = "1971-04-23", **rest: Any) -> Traits:
    """`person("Ana Ruiz", ids="MR:77 SS:219345678", phone="713…")`; the last word is the family name."""
    *given, family = name.split()
    ids = tuple(
        Identifier("urn:" + kind.lower(), value, kind)
        for kind, value in (one.split(":") for one in rest.pop("ids", "").split())
    )
    phones = tuple(rest.pop("phone", "").split())
    birth_date = date.fromisoformat(born) if born else None
    return Traits(
        family=(family,) if family != "-" else (), given=tuple(given), birth_date=birth_date, phones=phones,
        identifiers=ids, **{"gender": "male"} | rest,
    )  # fmt: skip
