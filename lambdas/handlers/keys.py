"""The keys Lambda: `GET /keys/{ehr}` of the API, without an authorizer → the JWK Set that the EHR checks us by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater import bootstrap


def handler(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
    return bootstrap.app().published_keys(event)
