"""headwater audit: a log that is whole, one that was tampered with, and what it says of a patient."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from headwater.adapters.audit.s3 import S3AuditLog
from headwater.model import ProposalState
from local.cli import audit
from tests.adapters.test_audit_fhir import PROPOSAL, STEPS
from tests.fakes import FakeProposals

OTHER = replace(
    PROPOSAL, intent="ef" * 32, patient_ref="Patient/p2", person_id="person-2", state=ProposalState.PROPOSED
)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="audit", ObjectLockEnabledForBucket=True)
        log, proposals = S3AuditLog(s3, "audit"), FakeProposals()
        for row, steps in ((PROPOSAL, STEPS), (OTHER, STEPS[:1])):
            proposals.add(row)
            for event, who, facts in steps:
                log.append(row.intent, {"event": event, "who": who, "at": "2026-11-21T10:00:00+00:00", **facts})
        found = SimpleNamespace(audit=log, proposals=proposals, s3=s3)
        monkeypatch.setattr(audit, "target_of", lambda _: SimpleNamespace(app=found))
        yield found


def verified(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = audit.verify(argparse.Namespace())
    return code, capsys.readouterr().out


def test_a_whole_log_is_whole(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(capsys) == (0, "2 of 2 chains are whole, 9 entries\n")


def test_an_entry_that_was_changed_or_deleted_or_cut_off_is_found(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    key = f"audit/{PROPOSAL.intent}/000004.json"
    app.s3.put_object(Bucket="audit", Key=key, Body=b'{"event":"approved"}')
    code, said = verified(capsys)
    assert (code, "is broken at seq 4" in said, "1 of 2 chains are whole" in said) == (1, True, True)
    last = f"audit/{OTHER.intent}/000001.json"
    app.s3.delete_object(Bucket="audit", Key=last)
    app.proposals.move(replace(OTHER, state=ProposalState.REJECTED, version=2), expected_version=1)
    assert verified(capsys)[0] == 1


def test_an_end_that_is_missing_shows_in_the_ledger(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    app.proposals.move(replace(OTHER, state=ProposalState.REJECTED, version=2), expected_version=1)
    code, said = verified(capsys)
    assert code == 1
    assert "the ledger says REJECTED" in said


def test_the_same_bytes_written_again_are_a_disturbance_too(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    key = f"audit/{OTHER.intent}/000001.json"
    body = app.s3.get_object(Bucket="audit", Key=key)["Body"].read()
    app.s3.put_object(Bucket="audit", Key=key, Body=body)
    code, said = verified(capsys)
    assert (code, "written over or deleted" in said) == (1, True)


@pytest.mark.parametrize(
    ("asked", "events"),
    [
        ({"intent": PROPOSAL.intent}, len(STEPS)),
        ({"intent": "abab"}, len(STEPS)),
        ({"patient": "person-2"}, 1),
        ({"patient": "north:Patient/p1"}, len(STEPS)),
        ({"patient": "nobody"}, 0),
    ],
)
def test_it_is_shown_by_write_back_and_by_patient(
    app: Any, capsys: pytest.CaptureFixture[str], asked: dict[str, str], events: int
) -> None:
    options = argparse.Namespace(**{"intent": None, "patient": None, "fhir": True, **asked})
    assert audit.show(options) == (0 if events else 2)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["resourceType"] for one in told].count("AuditEvent") == events
    if events:
        assert audit.show(argparse.Namespace(**{**vars(options), "fhir": False})) == 0
        assert "proposed" in capsys.readouterr().out
