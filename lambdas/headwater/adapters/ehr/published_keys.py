"""The JWK Sets that EHRs fetch: `GET /keys/<ehr>`, open to everybody, for there is nothing in them but public keys.

They lie in Parameter Store (`<prefix><ehr>`), where `headwater ehrs keys rotate` puts them; the function that answers
here can read nothing else, no secret least of all.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import error_code

_EHR = re.compile(r"[a-z0-9][a-z0-9-]{0,80}\Z", re.ASCII)
_ABSENT = ("ParameterNotFound", "ValidationException")


class PublishedKeys:
    """API Gateway HTTP API events, payload format 2.0. `client` is boto3's SSM client."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        ehr = str((event.get("pathParameters") or {}).get("ehr", "")).removesuffix(".json")
        text = self._read(ehr) if _EHR.match(ehr) else ""
        # An hour: a rotation leads by a day.
        headers = {"content-type": "application/json", "cache-control": "public, max-age=3600"}
        return {"statusCode": 200 if text else 404, "headers": headers, "body": text or '{"keys":[]}'}

    def _read(self, ehr: str) -> str:
        try:
            found = self._client.get_parameter(Name=f"{self._prefix}{ehr}")
        except ClientError as error:
            if error_code(error) not in _ABSENT:
                raise
            return ""
        return str(found["Parameter"]["Value"])
