"""What a row holds comes back as it was put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.dynamodb_items import pack, unpack
from headwater.model import MessageState

_VALUES = (
    st.text()
    | st.binary()
    | st.integers(min_value=-(10**37), max_value=10**37)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.text(), max_size=3).map(tuple)
)


@given(st.dictionaries(st.text(min_size=1), _VALUES))
def test_a_row_comes_back_as_it_was(values: dict[str, object]) -> None:
    assert unpack(pack(values), values) == values


def test_what_another_version_wrote_is_passed_over() -> None:
    assert unpack(pack({"known": "a", "later": "b"}), ("known", "absent")) == {"known": "a"}


def test_a_state_is_its_word() -> None:
    assert pack({"state": MessageState.HELD}) == {"state": {"S": "held"}}


@pytest.mark.parametrize("value", [None, True, {"a": 1}, object()])
def test_what_has_no_attribute_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        pack({"x": value})
