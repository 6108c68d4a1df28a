"""DynamoDB's answers to BatchGetItem, read by orjson: a match waits for two of them, and botocore's own reading, which
looks up the shape of every attribute, was a fifth of what a match costs. All other answers are left to botocore.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson
from botocore.parsers import ResponseParserFactory

_READ_HERE = "BatchGetItemOutput"


class Readers:
    """Goes in the place of botocore's `response_parser_factory`, and asks it for all that is not read here."""

    def __init__(self) -> None:
        self._botocores = ResponseParserFactory()

    def create_parser(self, protocol_name: str) -> _Reader:
        return _Reader(self._botocores.create_parser(protocol_name))


class _Reader:
    def __init__(self, botocores: Any) -> None:
        self._botocores = botocores

    def parse(self, response: Mapping[str, Any], shape: Any) -> Any:
        """What botocore would give: its JSON is the shape already, but for binary values, which are sent in base64.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
        """
        if shape is None or shape.name != _READ_HERE or response["status_code"] != 200:
            return self._botocores.parse(response, shape)
        answer = orjson.loads(response["body"])
        for rows in answer["Responses"].values():
            for row in rows:
                for attribute in row.values():
                    _decode(attribute)
        headers = {name.lower(): value for name, value in response["headers"].items()}
        said = {"RequestId": headers.get("x-amzn-requestid", ""), "HTTPStatusCode": 200, "HTTPHeaders": headers}
        return answer | {"ResponseMetadata": said}


def _decode(attribute: dict[str, Any]) -> None:
    """The binary values within an attribute, in place."""
    for kind, value in attribute.items():
        if kind == "B":
            attribute[kind] = b64decode(value)
        elif kind == "BS":
            attribute[kind] = [b64decode(one) for one in value]
        elif kind == "L":
            for member in value:
                _decode(member)
        elif kind == "M":
            for member in value.values():
                _decode(member)
