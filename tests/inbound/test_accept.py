"""accept: archived before anything is asked, noted once, and faults named without losing the bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import replace

import pytest

from headwater.ehrs import Ehr
from headwater.ehrs.profile import PatientIdentity
from headwater.errors import Quarantine, Retry
from headwater.inbound.accept import LARGEST_MESSAGE, UNKNOWN_SENDER, Accepted, accept
from headwater.model import Delivery, MessageState
from tests.fakes import FakeArchive, FakeClock, FakeInbox

PLAIN = Ehr(title="North", family="plain", patient=PatientIdentity(identifier_system=""), name="north")
EHRS = {
    "north": PLAIN,
    "south": replace(PLAIN, name="south", feed=replace(PLAIN.feed, content_type="application/json")),
}
MESSAGE = "MSH|^~\\&|LAB|NORTH\rPID|1||7^^^N"


class Gate:
    def __init__(self) -> None:
        self.archive, self.inbox, self.clock = FakeArchive(), FakeInbox(), FakeClock()

    def __call__(self, body: str = MESSAGE, **attributes: str) -> Accepted:
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        delivery = Delivery(body, {"ehr": "north", **named})
        return accept(delivery, ehrs=EHRS, archive=self.archive, inbox=self.inbox, clock=self.clock)

    def backfill(self, location: str, run: str) -> Accepted:
        delivery = Delivery("-", {"ehr": "north", "content-location": location}, backfill=run)
        return accept(delivery, ehrs=EHRS, archive=self.archive, inbox=self.inbox, clock=self.clock)


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


def test_what_says_no_content_type_is_what_its_ehr_declares(gate: Gate) -> None:
    assert gate("{}", ehr="south").envelope.content_type == "application/json"
    assert gate().envelope.content_type == "application/hl7-v2"


def test_a_content_type_that_is_said_goes_before_the_declared_one(gate: Gate) -> None:
    accepted = gate(ehr="south", content_type=" Application/HL7-v2 ")
    assert accepted.envelope.content_type == accepted.record.content_type == "application/hl7-v2"


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


def test_a_packed_file_is_the_same_message_as_the_plain_one(gate: Gate) -> None:
    plain = gate()
    half = len(MESSAGE) // 2
    # Two members, one behind the other, and a tape's padding (RFC 1952 chapter 2.2).
    packed = gzip.compress(MESSAGE[:half].encode()) + gzip.compress(MESSAGE[half:].encode()) + bytes(512)
    gate.archive.elsewhere["s3://drop/a.hl7.gz"] = packed
    accepted = gate("-", content_location="s3://drop/a.hl7.gz", content_encoding="GZIP")
    assert accepted.fault is None
    assert accepted.envelope.key == plain.envelope.key


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (MESSAGE.encode(), "gzip", "accept.not_gzip"),
        (gzip.compress(MESSAGE.encode(), mtime=0)[:-9], "gzip", "accept.not_gzip"),
        (gzip.compress(bytes(LARGEST_MESSAGE + 1), mtime=0), "gzip", "accept.too_large"),
        (MESSAGE.encode(), "br", "accept.encoding_unknown"),
    ],
)
def test_what_cannot_be_unpacked_is_kept_as_it_came(gate: Gate, body: bytes, encoding: str, code: str) -> None:
    gate.archive.elsewhere["s3://drop/a"] = body
    accepted = gate("-", content_location="s3://drop/a", content_encoding=encoding)
    assert accepted.fault is not None
    assert accepted.fault.code == code
    assert gate.archive.objects[accepted.envelope.archive_key] == body


def test_what_a_backfill_brought_first_stays_history(gate: Gate) -> None:
    gate.archive.elsewhere["s3://drop/a"] = MESSAGE.encode()
    first = gate.backfill("s3://drop/a", "epic-1")
    assert first.record.backfill == first.envelope.backfill == "epic-1"
    assert gate().envelope.backfill == "epic-1"


def test_what_the_feed_has_begun_is_left_to_the_feed(gate: Gate) -> None:
    gate.archive.elsewhere["s3://drop/a"] = MESSAGE.encode()
    begun = gate()
    assert gate.backfill("s3://drop/a", "epic-1").seen_before
    assert gate.inbox.records[begun.envelope.key].backfill == ""
    assert not gate().seen_before


def test_a_file_of_a_backfill_that_cannot_be_read_is_no_message_yet(gate: Gate) -> None:
    with pytest.raises(Quarantine, match=r"accept\.pointer_unreadable"):
        gate.backfill("s3://drop/gone", "epic-1")
    assert gate.inbox.records == {}
