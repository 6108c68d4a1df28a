"""BatchGetItem's requests to DynamoDB, written by orjson: a match sends two of them, and botocore's own writing, which
looks up the shape of every attribute of every key, was a fifth of what one costs. All other requests are left to
botocore, and so are this one's address, signature and retries.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson

_BODY = "headwater.body"  # in the context that botocore carries along with one request


def write_here(events: Any) -> None:
    """Have BatchGetItem's requests of the client with these events written here.

    https://docs.aws.amazon.com/boto3/latest/guide/events.html
    """
    events.register_last("before-parameter-build.dynamodb.BatchGetItem", _take)
    events.register("before-call.dynamodb.BatchGetItem", _give)


def _take(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Leave nothing to write but the tables' names, of which botocore may make the address."""
    context[_BODY] = orjson.dumps(params, default=_as_sent)
    params["RequestItems"] = {table: {} for table in params["RequestItems"]}


def _give(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    params["body"] = context[_BODY]


def _as_sent(value: object) -> str:
    """A binary value in base64, as DynamoDB takes it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(type(value).__name__)
