"""The contract of `AuditLog`, on S3 with Object Lock (moto) and in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.audit.chain import encode, hash_of, seal
from headwater.adapters.audit.s3 import S3AuditLog
from headwater.errors import Retry
from headwater.ports import AuditLog
from tests.adapters.conftest import AUDIT, Calls
from tests.fakes import FakeAuditLog

Overwrite = Callable[[str, int, dict[str, object]], None]


def s3_audit_log(client: Callable[[str], Any]) -> tuple[S3AuditLog, Any]:
    s3 = client("s3")
    s3.create_bucket(Bucket=AUDIT, ObjectLockEnabledForBucket=True)
    return S3AuditLog(s3, AUDIT), s3


@pytest.fixture(params=["memory", "s3"])
def audit_and_overwrite(request: pytest.FixtureRequest) -> tuple[AuditLog, Overwrite]:
    """A log, and a way to tamper with it."""
    if request.param == "memory":
        fake = FakeAuditLog()

        def overwrite_in_memory(chain: str, seq: int, entry: dict[str, object]) -> None:
            fake.chains[chain][seq - 1] = entry

        return fake, overwrite_in_memory
    audit, s3 = s3_audit_log(request.getfixturevalue("client"))

    def overwrite_in_s3(chain: str, seq: int, entry: dict[str, object]) -> None:
        s3.put_object(Bucket=AUDIT, Key=f"audit/{chain}/{seq:06d}.json", Body=encode(entry))
        audit._heads.clear()  # as a process that starts after the tampering sees it

    return audit, overwrite_in_s3


@pytest.fixture
def audit(audit_and_overwrite: tuple[AuditLog, Overwrite]) -> AuditLog:
    return audit_and_overwrite[0]


def test_a_chain_that_was_never_written_is_empty(audit: AuditLog) -> None:
    assert audit.read("none") == []


def test_entries_come_back_in_order_and_linked(audit: AuditLog) -> None:
    for number in range(3):
        audit.append("i1", {"event": "sending", "attempt": number, "who": "dr-ü", "paths": ["a", "b"], "none": None})
    entries = audit.read("i1")
    assert [(entry["seq"], entry["attempt"]) for entry in entries] == [(1, 0), (2, 1), (3, 2)]
    assert [entry["previous"] for entry in entries] == ["", entries[0]["hash"], entries[1]["hash"]]
    assert entries[0]["paths"] == ["a", "b"]


def test_chains_do_not_know_each_other(audit: AuditLog) -> None:
    for chain in ("i", "i1", "i/1"):
        audit.append(chain, {"event": chain})
    assert [[entry["event"] for entry in audit.read(chain)] for chain in ("i", "i1", "i/1")] == [["i"], ["i1"], ["i/1"]]


@pytest.mark.parametrize("name", ["seq", "previous", "hash"])
def test_the_names_of_the_chain_are_taken(audit: AuditLog, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        audit.append("i1", {name: "x"})
    assert audit.read("i1") == []


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_changed_entry_breaks_the_chain_at_its_place(
    audit_and_overwrite: tuple[AuditLog, Overwrite], seq: int
) -> None:
    audit, overwrite = audit_and_overwrite
    for event in ("proposed", "approved", "filed"):
        audit.append("i1", {"event": event})
    changed = {**audit.read("i1")[seq - 1], "event": "other"}
    overwrite("i1", seq, changed)
    with pytest.raises(ValueError, match=f"i1 is broken at seq {seq}"):
        audit.read("i1")
    # Even with its own hash made good again, the entry behind it gives it away; only the last has none behind it.
    overwrite("i1", seq, {**changed, "hash": hash_of(changed)})
    if seq < 3:
        with pytest.raises(ValueError, match=f"i1 is broken at seq {seq + 1}"):
            audit.read("i1")


def test_nothing_is_added_to_an_entry_that_was_changed(audit_and_overwrite: tuple[AuditLog, Overwrite]) -> None:
    audit, overwrite = audit_and_overwrite
    audit.append("i1", {"event": "proposed"})
    overwrite("i1", 1, {**audit.read("i1")[0], "event": "other"})
    with pytest.raises(ValueError, match="entry 1 is not what was written"):
        audit.append("i1", {"event": "approved"})


def test_a_missing_entry_breaks_the_chain(client: Callable[[str], Any]) -> None:
    audit, s3 = s3_audit_log(client)
    for event in ("proposed", "approved", "filed"):
        audit.append("i1", {"event": event})
    s3.delete_object(Bucket=AUDIT, Key="audit/i1/000002.json")
    with pytest.raises(ValueError, match="i1 is broken at seq 2"):
        audit.read("i1")


class Crowded:
    """S3, but somebody else is always a little faster: before each of our first `times` PUTs one of theirs arrives."""

    def __init__(self, s3: Any, times: int) -> None:
        self._s3, self._times = s3, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **request: Any) -> Any:
        if self._times > 0:
            self._times -= 1
            S3AuditLog(self._s3, AUDIT).append("i1", {"event": "theirs", "n": self._times})
        return self._s3.put_object(**request)


def test_a_second_writer_makes_no_fork(client: Callable[[str], Any]) -> None:
    _, s3 = s3_audit_log(client)
    S3AuditLog(Crowded(s3, 3), AUDIT).append("i1", {"event": "ours"})
    assert [entry["event"] for entry in S3AuditLog(s3, AUDIT).read("i1")] == ["theirs", "theirs", "theirs", "ours"]


def test_a_chain_that_stays_crowded_is_tried_again_later(client: Callable[[str], Any]) -> None:
    _, s3 = s3_audit_log(client)
    with pytest.raises(Retry) as raised:
        S3AuditLog(Crowded(s3, 99), AUDIT).append("i1", {"event": "ours"})
    assert raised.value.code == "audit.unavailable"


class Forgetful:
    """S3, but the answer to a PUT is lost and botocore sends it again, to be refused because of itself."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **request: Any) -> Any:
        self._s3.put_object(**request)
        return self._s3.put_object(**request)


def test_a_put_whose_answer_was_lost_is_one_entry(client: Callable[[str], Any]) -> None:
    _, s3 = s3_audit_log(client)
    log = S3AuditLog(Forgetful(s3), AUDIT)
    log.append("i1", {"event": "sending"})
    log.append("i1", {"event": "filed"})
    assert [entry["event"] for entry in log.read("i1")] == ["sending", "filed"]


def test_an_entry_costs_one_call_where_the_one_before_was_ours_and_else_three(
    client: Callable[[str], Any], calls: Calls
) -> None:
    audit, s3 = s3_audit_log(client)
    with calls.counted() as first:
        audit.append("i1", {"event": "proposed"})
    with calls.counted() as ours:
        audit.append("i1", {"event": "viewed"})
    with calls.counted() as another:
        S3AuditLog(s3, AUDIT).append("i1", {"event": "approved"})
    assert first == ["s3.ListObjectsV2", "s3.PutObject"]
    assert ours == ["s3.PutObject"]
    assert another == ["s3.ListObjectsV2", "s3.GetObject", "s3.PutObject"]


def test_a_remembered_head_that_is_old_makes_no_fork(client: Callable[[str], Any]) -> None:
    audit, s3 = s3_audit_log(client)
    audit.append("i1", {"event": "proposed"})
    S3AuditLog(s3, AUDIT).append("i1", {"event": "approved"})
    audit.append("i1", {"event": "sending"})
    assert [entry["event"] for entry in audit.read("i1")] == ["proposed", "approved", "sending"]


def test_an_absent_bucket_is_an_error_and_no_silence(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError):
        S3AuditLog(client("s3"), "absent").append("i1", {"event": "proposed"})


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text().filter(lambda name: name not in {"seq", "previous", "hash"}), _values, max_size=5))
def test_a_hash_survives_the_way_through_json(entry: dict[str, object]) -> None:
    try:
        body = encode(seal(entry, None))
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    sealed = json.loads(body)
    assert sealed["hash"] == hash_of(sealed)
