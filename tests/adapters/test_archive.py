"""The contract of `Archive`, on S3 (moto) and in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headwater.adapters.archive.s3 import S3Archive
from headwater.errors import Quarantine
from headwater.ports import Archive
from tests.adapters.conftest import ARCHIVE, FEEDS, Calls
from tests.fakes import FakeArchive

Leave = Callable[[str, bytes], str]


def s3_archive(client: Callable[[str], Any], **options: Any) -> tuple[S3Archive, Any]:
    s3 = client("s3")
    s3.create_bucket(Bucket=ARCHIVE)
    s3.create_bucket(Bucket=FEEDS)
    return S3Archive(s3, ARCHIVE, **options), s3


@pytest.fixture(params=["memory", "s3"])
def archive_and_leave(request: pytest.FixtureRequest) -> tuple[Archive, Leave]:
    """An archive, and the way a producer leaves bytes elsewhere."""
    if request.param == "memory":
        fake = FakeArchive()

        def leave_in_memory(key: str, body: bytes) -> str:
            fake.elsewhere[f"s3://{FEEDS}/{key}"] = body
            return f"s3://{FEEDS}/{key}"

        return fake, leave_in_memory
    archive, s3 = s3_archive(request.getfixturevalue("client"))

    def leave_in_s3(key: str, body: bytes) -> str:
        s3.put_object(Bucket=FEEDS, Key=key, Body=body)
        return f"s3://{FEEDS}/{key}"

    return archive, leave_in_s3


@pytest.fixture
def archive(archive_and_leave: tuple[Archive, Leave]) -> Archive:
    return archive_and_leave[0]


@pytest.mark.parametrize("body", [b"", b"MSH|^~\\&|\r\xff\x00", b"x" * 300_000])
def test_bytes_come_back_as_they_went_in(archive: Archive, body: bytes) -> None:
    archive.put("epic/ab", body, "x-application/hl7-v2+er7")
    assert archive.get("epic/ab") == body


def test_the_first_bytes_of_a_key_are_kept(archive: Archive) -> None:
    archive.put("epic/ab", b"first", "text/plain")
    archive.put("epic/ab", b"second", "text/plain")
    assert archive.get("epic/ab") == b"first"


def test_a_missing_key_is_for_a_person(archive: Archive) -> None:
    with pytest.raises(Quarantine) as raised:
        archive.get("epic/none")
    assert raised.value.code == "archive.missing"


def test_a_pointer_is_followed(archive_and_leave: tuple[Archive, Leave]) -> None:
    archive, leave = archive_and_leave
    assert archive.fetch(leave("in/one two+ü.hl7", b"MSH|")) == b"MSH|"


@pytest.mark.parametrize(
    "location",
    ["", "s3://", "s3://feeds", "s3://feeds/", "http://feeds/x", "s3://feeds/absent", "s3://nobody/x", "s3://A B/x"],
)
def test_a_pointer_to_nowhere_is_quarantined_without_repeating_it(archive: Archive, location: str) -> None:
    with pytest.raises(Quarantine) as raised:
        archive.fetch(location)
    assert raised.value.code == "accept.pointer_unreadable"
    assert len(location) < len("s3://x") or location not in str(raised.value)


def test_a_pointer_to_something_huge_is_not_followed(client: Callable[[str], Any]) -> None:
    archive, s3 = s3_archive(client, largest=10)
    s3.put_object(Bucket=FEEDS, Key="big", Body=b"x" * 11)
    s3.put_object(Bucket=FEEDS, Key="fits", Body=b"x" * 10)
    assert archive.fetch(f"s3://{FEEDS}/fits") == b"x" * 10
    with pytest.raises(Quarantine, match="larger than 10"):
        archive.fetch(f"s3://{FEEDS}/big")


def test_each_operation_is_one_call(client: Callable[[str], Any], calls: Calls) -> None:
    archive, _ = s3_archive(client)
    with calls.counted() as seen:
        archive.put("epic/ab", b"MSH|", "text/plain")
        archive.put("epic/ab", b"MSH|", "text/plain")
        archive.get("epic/ab")
    assert seen == ["s3.PutObject", "s3.PutObject", "s3.GetObject"]


def test_the_content_type_is_kept(client: Callable[[str], Any]) -> None:
    archive, s3 = s3_archive(client)
    archive.put("epic/ab", b"MSH|", "x-application/hl7-v2+er7")
    assert s3.head_object(Bucket=ARCHIVE, Key="epic/ab")["ContentType"] == "x-application/hl7-v2+er7"
