"""Connections to EHRs out of Secrets Manager, one JSON secret per EHR (`headwater/ehrs/<ehr>`, see docs/ehrs.md)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.ehr.connection import Connection
from headwater.errors import HeadwaterError, Refuse

KEPT_S = 300.0  # a rotated key is in use after this


class SecretConnections:
    """The connection to an EHR, kept for five minutes. `client` is boto3's Secrets Manager client."""

    def __init__(self, client: Any, prefix: str, *, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._prefix = prefix
        self._now = now
        self._kept: dict[str, tuple[float, Connection]] = {}

    def __call__(self, ehr: str) -> Connection:
        """Raises Refuse('send.ehr_unknown') when there is no secret, HeadwaterError('ehr.connection_invalid') when it
        does not say what it must, and Retry('ehr.secret_unavailable') when AWS is not reached."""
        until, connection = self._kept.get(ehr, (0.0, None))
        if connection is None or self._now() >= until:
            connection = self._fetch(ehr)
            self._kept[ehr] = (self._now() + KEPT_S, connection)
        return connection

    def _fetch(self, ehr: str) -> Connection:
        name = f"{self._prefix}{ehr}"
        with calling("ehr.secret_unavailable"):
            try:
                text = self._client.get_secret_value(SecretId=name)["SecretString"]
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                raise Refuse("send.ehr_unknown", place=ehr, hint=f"there is no secret {name}") from None
        try:
            secret = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise HeadwaterError("ehr.connection_invalid", place=name, hint="expected a JSON object") from None
        return Connection.of(secret, place=name)
