from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from headwater.fhir.ids import NAMESPACE, content_id, content_ids

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


def test_it_is_the_uuid_that_the_standard_library_makes() -> None:
    assert content_id("ab", "c") == str(uuid.uuid5(uuid.UUID(bytes=NAMESPACE), "2:ab1:c"))


def test_ids_never_change_between_releases() -> None:
    assert content_id("general-hospital", "Encounter", "4711") == "d463a98a-9b0c-5288-af9c-fc036c53606c"


def test_parts_do_not_run_into_each_other() -> None:
    assert (
        len({content_id("ab", "c"), content_id("a", "bc"), content_id("abc"), content_id("abc", ""), content_id()}) == 5
    )


@given(PARTS, PARTS)
def test_what_begins_the_same_is_hashed_once_for_the_same_ids(first: list[str], others: list[str]) -> None:
    assert content_ids(*first)(*(part or None for part in others)) == content_id(*first, *others)


@given(PARTS, PARTS)
def test_same_parts_same_id_and_other_parts_another(one: list[str], other: list[str]) -> None:
    assert (content_id(*one) == content_id(*other)) is (one == other)


@given(PARTS)
def test_every_id_is_a_version_5_uuid_and_a_fhir_id(parts: list[str]) -> None:
    made = content_id(*parts)
    assert uuid.UUID(made).version == 5
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert str(uuid.UUID(made)) == made
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", made)
