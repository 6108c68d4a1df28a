"""Connections out of Secrets Manager, and the APIs that are made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from headwater.adapters.ehr.apis import SecretApis
from headwater.adapters.ehr.rest import Build
from headwater.adapters.ehr.secrets import SecretConnections
from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError, Refuse, Retry
from headwater.ports import EhrApi, EhrApis
from tests.ehr_servers import as_bytes, lab_result, profiles, running
from tests.fakes import FakeWatch

PREFIX = "headwater/ehrs/"
SECRET = {"base_url": "https://a.example.org/fhir", "token_url": "https://a.example.org/token", "client_id": "c"}


def no_templates(ehr: Ehr) -> Build:
    """The EHRs here are read by FHIR."""
    return lambda template, variables: pytest.fail(f"{ehr.name} {template}")


@pytest.fixture
def secrets(client: Callable[[str], Any]) -> Any:
    return client("secretsmanager")


def test_a_secret_is_read_once_in_five_minutes_and_then_again(secrets: Any, calls: Any) -> None:
    secrets.create_secret(Name=f"{PREFIX}epic", SecretString=json.dumps(SECRET))
    moment = [1000.0]
    connections = SecretConnections(secrets, PREFIX, now=lambda: moment[0])
    with calls.counted() as seen:
        assert connections("epic").client_id == "c"
        assert connections("epic").client_id == "c"
    assert len(seen) == 1
    secrets.put_secret_value(SecretId=f"{PREFIX}epic", SecretString=json.dumps({**SECRET, "client_id": "d"}))
    assert connections("epic").client_id == "c"
    moment[0] += 301
    assert connections("epic").client_id == "d"


def test_an_ehr_without_a_secret_is_refused(secrets: Any) -> None:
    with pytest.raises(Refuse) as raised:
        SecretConnections(secrets, PREFIX)("epic")
    assert raised.value.code == "send.ehr_unknown"


@pytest.mark.parametrize(
    "text",
    ["not json", "[]", '{"base_url": 5}', json.dumps({**SECRET, "hunter2": "x"}), json.dumps({"base_url": "x"})],
)
def test_a_secret_with_a_slip_is_an_error_without_its_values(secrets: Any, text: str) -> None:
    secrets.create_secret(Name=f"{PREFIX}epic", SecretString=text)
    with pytest.raises(HeadwaterError) as raised:
        SecretConnections(secrets, PREFIX)("epic")
    assert raised.value.code == "ehr.connection_invalid"
    assert raised.value.place.startswith(f"{PREFIX}epic")
    assert "hunter2" not in str(raised.value)


def test_secrets_manager_that_is_down_is_a_retry(secrets: Any) -> None:
    class Down:
        def get_secret_value(self, **_: str) -> None:
            answer: Any = {"Error": {"Code": "InternalServiceError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            raise ClientError(answer, "GetSecretValue")

    with pytest.raises(Retry):
        SecretConnections(Down(), PREFIX)("epic")


def test_the_apis_write_to_each_ehr_by_its_own_secret_alone(secrets: Any, tmp_path: Path) -> None:
    with running("epic", tmp_path / "a") as epic, running("oracle-millennium", tmp_path / "b") as millennium:
        for name, site in (("epic", epic), ("oracle-millennium", millennium)):
            text = json.dumps({key: value for key, value in asdict(site.connection).items() if value})
            secrets.create_secret(Name=f"{PREFIX}{name}", SecretString=text)
        apis: EhrApis = SecretApis(profiles(), secrets, PREFIX, build_for=no_templates, watch=FakeWatch())
        api: EhrApi = apis("epic")
        assert api.create("Observation", as_bytes(lab_result())).status == 201
        assert apis("epic") is api
        assert (len(epic.rows()), len(millennium.rows())) == (1, 0)


def test_an_ehr_that_is_not_in_the_mappings_is_refused(secrets: Any) -> None:
    with pytest.raises(Refuse) as raised:
        SecretApis(profiles(), secrets, PREFIX, build_for=no_templates, watch=FakeWatch())("nobody")
    assert raised.value.code == "send.ehr_unknown"
