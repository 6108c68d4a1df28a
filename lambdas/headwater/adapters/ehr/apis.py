"""The API of each EHR that has a secret: its profile says by which transport a write goes and where rows are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headwater.adapters.ehr.answers import as_fhir
from headwater.adapters.ehr.connection import Connection
from headwater.adapters.ehr.fhir import FhirApi
from headwater.adapters.ehr.rest import Build, RestApi
from headwater.adapters.ehr.secrets import SecretConnections
from headwater.adapters.ehr.session import Session, Tokens
from headwater.adapters.ehr.smart import SmartTokens
from headwater.adapters.ehr.timed import TimedApi
from headwater.ehrs import Ehr, Transport
from headwater.errors import Refuse
from headwater.model import Answer
from headwater.ports import Watch


class ProfiledApi:
    """`EhrApi` as one EHR's profile describes it."""

    def __init__(self, ehr: Ehr, connection: Connection, build: Build, *, tokens: Tokens | None = None) -> None:
        if ehr.api is None:
            raise Refuse("send.ehr_unknown", place=ehr.name, hint="its ehr.toml declares no [api]")
        self._ehr, self._api = ehr, ehr.api
        session = Session(connection, ehr.api, tokens or SmartTokens(connection, ehr.api), ehr.site)
        self._session = session
        self._fhir = FhirApi(session)
        self._rest = RestApi(session, ehr.rows, ehr.site, build)

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        operation = self._ehr.operation(resource_type, "create")
        if operation.transport is Transport.REST:
            return self._rest.create(operation, resource_type, payload, patient)
        path = self._session.filled(operation.path, {"patient": patient.removeprefix("Patient/")})
        answer = self._fhir.create(resource_type, payload, path=path)
        return as_fhir(answer, operation, resource_type, self._api)

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        return self._fhir.update(reference, payload, seen=seen)

    def read(self, reference: str) -> Answer:
        source = self._rest if self._rest.lists(reference.partition("/")[0]) else self._fhir
        return source.read(reference)

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        source = self._rest if self._rest.lists(resource_type) else self._fhir
        return source.search(resource_type, parameters)


class SecretApis:
    """`EhrApis` out of Secrets Manager; an API is made again when its secret has changed."""

    def __init__(
        self, ehrs: Mapping[str, Ehr], client: Any, prefix: str, *, build_for: Callable[[Ehr], Build], watch: Watch
    ) -> None:
        """`client` is boto3's Secrets Manager client, `prefix` what its names of EHR secrets start with; `build_for`
        gives an EHR's templates, `watch` hears how long each request took."""
        self._ehrs = ehrs
        self._connections = SecretConnections(client, prefix)
        self._build_for = build_for
        self._watch = watch
        self._made: dict[str, tuple[Connection, TimedApi]] = {}

    def __call__(self, ehr: str) -> TimedApi:
        profile = self._ehrs.get(ehr)
        if profile is None or profile.api is None:
            raise Refuse("send.ehr_unknown", place=ehr, hint="its ehr.toml declares no [api]")
        connection = self._connections(ehr)
        known, api = self._made.get(ehr, (None, None))
        if api is None or known != connection:
            deadline_s = profile.api.connect_timeout_s + profile.api.read_timeout_s
            api = TimedApi(ProfiledApi(profile, connection, self._build_for(profile)), ehr, deadline_s, self._watch)
            self._made[ehr] = (connection, api)
        return api
