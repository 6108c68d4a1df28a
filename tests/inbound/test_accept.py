"""accept: archived before anything is asked, noted once, and faults named without losing the bytes."""

from __future__ import annotations

import base64
import hashlib

import pytest

from headwater.errors import Retry
from headwater.inbound.accept import LARGEST_MESSAGE, UNKNOWN_SENDER, Accepted, accept
from headwater.model import Delivery, MessageState
from tests.fakes import FakeArchive, FakeClock, FakeInbox

EHRS = {"north", "south"}
MESSAGE = "MSH|^~\\&|LAB|NORTH\rPID|1||7^^^N"


class Gate:
    def __init__(self) -> None:
        self.archive, self.inbox, self.clock = FakeArchive(), FakeInbox(), FakeClock()

    def __call__(self, body: str = MESSAGE, **attributes: str) -> Accepted:
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        delivery = Delivery(body, {"ehr": "north", **named})
        return accept(delivery, known_ehrs=EHRS, archive=self.archive, inbox=self.inbox, clock=self.clock)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_the_exact_bytes_are_archived_and_noted(gate: Gate) -> None:
    accepted = gate()
    digest = hashlib.sha256(MESSAGE.encode()).hexdigest()
    assert gate.archive.objects == {f"raw/north/{digest}": MESSAGE.encode()}
    assert accepted.record == gate.inbox.records[f"north/{digest}"]
    assert accepted.record.state is MessageState.ACCEPTED
    assert accepted.fault is None
    assert not accepted.seen_before


def test_the_same_bytes_are_one_message_until_they_are_done(gate: Gate) -> None:
    first = gate()
    assert not gate().seen_before  # died on the way: taken again
    gate.inbox.close(first.envelope.key, MessageState.STORED, at=gate.clock().isoformat())
    assert gate(message_id="another").seen_before
    assert len(gate.inbox.records) == 1


def test_the_same_bytes_of_another_sender_are_another_message(gate: Gate) -> None:
    assert gate().envelope.key != gate(ehr="south").envelope.key


def test_base64_gives_any_bytes(gate: Gate) -> None:
    raw = bytes(range(256))
    accepted = gate(base64.b64encode(raw).decode(), content_transfer_encoding="base64")
    assert accepted.envelope.body == raw


def test_a_pointer_is_followed(gate: Gate) -> None:
    gate.archive.elsewhere["s3://drop/large.hl7"] = b"MSH|large"
    assert gate("-", content_location="s3://drop/large.hl7").envelope.body == b"MSH|large"


@pytest.mark.parametrize(
    ("body", "attributes", "code", "place"),
    [
        ("x", {"ehr": ""}, "accept.ehr_unknown", "attribute ehr"),
        ("x", {"ehr": "../../etc"}, "accept.ehr_unknown", "attribute ehr"),
        ("§", {"content_transfer_encoding": "base64"}, "accept.not_base64", "body"),
        ("x", {"content_transfer_encoding": "gzip"}, "accept.encoding_unknown", "attribute content-transfer-encoding"),
        ("-", {"content_location": "s3://nobody/nothing"}, "accept.pointer_unreadable", "body"),
        ("x" * (LARGEST_MESSAGE + 1), {}, "accept.too_large", "body"),
    ],
)
def test_a_fault_names_its_place_and_the_bytes_are_kept(
    gate: Gate, body: str, attributes: dict[str, str], code: str, place: str
) -> None:
    accepted = gate(body, **attributes)
    assert accepted.fault is not None
    assert (accepted.fault.code, accepted.fault.place) == (code, place)
    assert gate.archive.objects[accepted.envelope.archive_key]
    assert accepted.envelope.key in gate.inbox.records


def test_an_unknown_sender_never_becomes_a_path(gate: Gate) -> None:
    accepted = gate(ehr="../../etc")
    assert accepted.envelope.archive_key.startswith(f"raw/{UNKNOWN_SENDER}/")


def test_nothing_is_noted_that_is_not_archived(gate: Gate) -> None:
    gate.archive.down = Retry("archive.unavailable")
    with pytest.raises(Retry):
        gate()
    assert not gate.inbox.records


def test_any_text_that_a_queue_can_carry_is_taken(gate: Gate) -> None:
    assert gate("\ud800 lone surrogate").envelope.body
