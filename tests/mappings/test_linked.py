"""ADT^A24 and A37 are about two records at once: what the EHR says of them is kept, neither is told of as the other."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.errors import Quarantine
from headwater.formats.hl7v2.framing import split_batch
from headwater.inbound.convert import convert
from tests.mappings.examples import PLAIN, engine, envelope

ONE, OTHER = "PID|1||4471902^^^MERCY^MR||Ravenscroft^Imogen", "PID|1||3300871^^^MERCY^MR||Ravenscroft^Emogen"


def sent(trigger: str, *segments: str) -> bytes:
    return "\r".join((f"MSH|^~\\&|ADT1|MERCY|HUB|EAST|20250714091500||ADT^{trigger}|1|P|2.5.1", *segments, "")).encode()


def made(body: bytes) -> dict[str, dict[str, Any]]:
    return {one["resourceType"]: one for one in convert(envelope(PLAIN, body), PLAIN, engine(PLAIN.name)).resources}


@pytest.mark.parametrize("trigger", ["A24", "A37"])
def test_a_message_about_two_records_is_one(trigger: str) -> None:
    assert split_batch(sent(trigger, ONE, OTHER)) == [sent(trigger, ONE, OTHER)]


def test_messages_about_several_patients_are_still_cut() -> None:
    assert len(split_batch(sent("A17", ONE, OTHER))) == 2
    assert len(split_batch(sent("A24", ONE, OTHER, OTHER))) == 3


def test_an_unlink_ends_the_link_whichever_record_comes_first() -> None:
    linked, parted = made(sent("A24", ONE, OTHER))["Linkage"], made(sent("A37", OTHER, ONE))["Linkage"]
    assert (linked["id"], linked["active"], parted["active"]) == (parted["id"], True, False)
    assert [one["resource"]["identifier"]["value"] for one in linked["item"]] == ["4471902", "3300871"]


def test_what_is_told_of_the_second_record_is_not_the_firsts() -> None:
    told = made(sent("A24", ONE, OTHER, "PV1|1|I|4W||||||||||||||||V77"))
    assert "Encounter" not in told
    assert told["Patient"]["name"][0]["given"] == ["Imogen"]
    assert "link" not in told["Patient"]  # nobody is merged by it


def test_a_record_linked_with_itself_says_nothing() -> None:
    assert "Linkage" not in made(sent("A24", ONE, ONE))


def test_two_records_in_a_message_of_one_are_refused() -> None:
    with pytest.raises(Quarantine, match=r"convert\.patient_several"):
        made(sent("A08", ONE, OTHER))
