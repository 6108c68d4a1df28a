"""Simulated EHRs for tests: on a free port, with a client whose key is made once per process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from headwater.adapters.ehr.apis import ProfiledApi
from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.fhir import FhirApi
from headwater.adapters.ehr.session import Session
from headwater.adapters.ehr.smart import SmartTokens
from headwater.ehrs import Api, Ehr, load
from headwater.ehrs.engines import engine_for
from local.ehrs.client import connect
from local.ehrs.server import SimulatedEhr

MAPPINGS = Path(__file__).parents[1] / "mappings"
LAB = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "identifier": [{"system": "https://millennium.example.org/identifiers/mrn", "value": "M-1"}],
    "name": [{"family": "Sample", "given": ["Ada"]}],
    "birthDate": "1970-01-01",
}


@cache
def profiles() -> dict[str, Ehr]:
    return dict(load(MAPPINGS))


@cache
def _private_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Site:
    """A running simulation, and what Headwater would know of it."""

    def __init__(self, simulated: SimulatedEhr, connection: Connection) -> None:
        self.simulated = simulated
        self.connection = connection
        api = simulated.ehr.api
        assert api is not None
        self.profile: Api = api

    def api(self, **changes: Any) -> ProfiledApi:
        ehr = replace(self.simulated.ehr, api=replace(self.profile, **changes))
        return ProfiledApi(ehr, self.connection, lambda *asked: engine_for(MAPPINGS)(ehr).build(*asked))

    def fault(self, **wish: Any) -> None:
        assert self.ask("POST", "/_sim/faults", wish)[0] == 200

    def chart(self) -> dict[str, Any]:
        return self.ask("GET", "/_sim/chart")[1]

    def rows(self, type_: str = "Observation") -> list[dict[str, Any]]:
        return [row for row in self.chart()["rows"] if row["resource"]["resourceType"] == type_]

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A plain request without a token; gives status and JSON, or text."""
        connection = http.client.HTTPConnection(urlsplit(self.simulated.url).netloc, timeout=10)
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, target, body=payload, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text


def fhir_api(connection: Connection, profile: Api, tokens: SmartTokens | None = None) -> FhirApi:
    """Plain FHIR at any address."""
    return FhirApi(Session(connection, profile, tokens or SmartTokens(connection, profile)))


@contextmanager
def running(name: str, data: Path) -> Iterator[Site]:
    data.mkdir(parents=True, exist_ok=True)
    (data / f"{name}.pem").write_bytes(_private_key())
    simulated = SimulatedEhr(profiles()[name], data=data)
    simulated.start()
    try:
        simulated.back_door.file([PATIENT])
        yield Site(simulated, Connection.of(connect(simulated, data), place="test"))
    finally:
        simulated.stop()


def lab_result(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [LAB]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-11-21T23:30:00-05:00",
        "valueQuantity": {"value": 5.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        **changes,
    }


def as_bytes(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource).encode()
