"""headwater ehrs keys: the new key is published, the secret holds both, the next rotation has to wait."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from headwater.ehrs import load
from local.cli import ehr_keys
from local.cli.options import MAPPINGS

SECRET = {"base_url": "https://a.example.org/fhir", "token_url": "https://a.example.org/token", "client_id": "c"}
Run = Callable[..., int]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        settings = SimpleNamespace(ehr_secret_prefix="headwater/ehrs/", keys_prefix="/headwater/keys/")
        target = SimpleNamespace(client=boto3.client, app=SimpleNamespace(settings=settings, ehrs=load(MAPPINGS)))
        monkeypatch.setattr(ehr_keys, "target_of", lambda _: target)
        for ehr in ("epic", "athenahealth"):
            boto3.client("secretsmanager").create_secret(Name=f"headwater/ehrs/{ehr}", SecretString=json.dumps(SECRET))
        yield target


def options(ehr: str) -> argparse.Namespace:
    return argparse.Namespace(ehr=ehr, lead=24.0)


def secret() -> dict[str, str]:
    found: dict[str, str] = json.loads(
        boto3.client("secretsmanager").get_secret_value(SecretId="headwater/ehrs/epic")["SecretString"]
    )
    return found


def published() -> list[str]:
    text = boto3.client("ssm").get_parameter(Name="/headwater/keys/epic")["Parameter"]["Value"]
    return [key["kid"] for key in json.loads(text)["keys"]]


def test_two_rotations_overlap_and_a_third_waits(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ehr_keys.rotate(options("epic")) == 0
    first = secret()["kid"]
    assert published() == [first]
    assert ehr_keys.rotate(options("epic")) == 0
    assert published() == [first, secret()["next_kid"]]
    assert secret()["kid"] == first
    assert ehr_keys.rotate(options("epic")) == 1
    assert ehr_keys.show(options("epic")) == 0
    said = capsys.readouterr()
    assert "under way" in said.err
    assert "PRIVATE" not in said.out + said.err


def test_an_ehr_that_knows_us_by_a_client_secret_has_no_key(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ehr_keys.rotate(options("athenahealth")) == 2
    assert "client secret" in capsys.readouterr().err
