"""BatchGetItem's requests, written here, say what botocore's would; all other requests are botocore's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.clients import client_of, session_of

ACCOUNT = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
_KEYS = st.dictionaries(
    st.sampled_from(["pk", "sk"]),
    st.builds(dict, S=st.text()) | st.builds(dict, N=st.integers().map(str)) | st.builds(dict, B=st.binary()),
)
_READ = st.fixed_dictionaries(
    {"Keys": st.lists(_KEYS, min_size=1, max_size=3)},
    optional={"ConsistentRead": st.booleans(), "ProjectionExpression": st.text(min_size=1)},
)


class Body:
    def stream(self) -> Iterable[bytes]:
        yield b'{"Responses": {}, "UnprocessedKeys": {}}'


def recorded(dynamodb: Any) -> tuple[Any, list[Any]]:
    """The client, its wire cut, and the list of what it sends."""
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        body: Any = Body()
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, body)

    dynamodb.meta.events.register("before-send.dynamodb", answer)
    return dynamodb, sent


OURS = recorded(client_of(session_of(**ACCOUNT), "dynamodb"))
BOTOCORES = recorded(boto3.Session(**ACCOUNT).client("dynamodb"))


def both(operation: str, **asked: Any) -> tuple[Any, Any]:
    """What ours and botocore's own client send: address, what they ask for, and its JSON."""
    for dynamodb, _ in (OURS, BOTOCORES):
        getattr(dynamodb, operation)(**asked)
    ours, botocores = (
        (one.url, one.headers["X-Amz-Target"], one.headers["Content-Type"], json.loads(one.body))
        for one in (sent.pop() for _, sent in (OURS, BOTOCORES))
    )
    return ours, botocores


@given(st.dictionaries(st.text("abc", min_size=3, max_size=9), _READ, min_size=1, max_size=2))
def test_a_read_of_many_keys_asks_for_what_botocore_would(tables: dict[str, Any]) -> None:
    ours, botocores = both("batch_get_item", RequestItems=tables, ReturnConsumedCapacity="TOTAL")
    assert ours == botocores


def test_all_else_is_botocore_s() -> None:
    ours, botocores = both("get_item", TableName="persons", Key={"pk": {"B": b"one"}})
    assert ours == botocores


def test_a_value_that_dynamodb_has_no_type_for_is_never_sent() -> None:
    dynamodb, sent = OURS
    with pytest.raises(TypeError):
        dynamodb.batch_get_item(RequestItems={"persons": {"Keys": [{"pk": {"S": object()}}]}})
    assert not sent
