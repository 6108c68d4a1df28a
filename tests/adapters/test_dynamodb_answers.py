"""BatchGetItem's answers, read here, are those that botocore reads, for less; all other answers are botocore's."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.parsers import ResponseParserFactory
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from headwater.adapters.clients import client_of, session_of
from headwater.adapters.dynamodb_answers import Readers

_MODEL = get_session().get_service_model("dynamodb")
_BINARY = st.binary().map(lambda value: base64.b64encode(value).decode())
_PLAIN = (
    st.fixed_dictionaries({"S": st.text()})
    | st.fixed_dictionaries({"N": st.integers().map(str)})
    | st.fixed_dictionaries({"B": _BINARY})
    | st.fixed_dictionaries({"BOOL": st.booleans()})
    | st.fixed_dictionaries({"NULL": st.just(True)})
    | st.fixed_dictionaries({"SS": st.lists(st.text(), min_size=1, max_size=3)})
    | st.fixed_dictionaries({"BS": st.lists(_BINARY, min_size=1, max_size=3)})
)
_ATTRIBUTE = st.recursive(
    _PLAIN,
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(st.text(), inner, max_size=3)})
    ),
    max_leaves=6,
)
_ROWS = st.lists(st.dictionaries(st.text(min_size=1), _ATTRIBUTE, max_size=4), max_size=3)


def answer(values: Mapping[str, Any], status: int = 200) -> dict[str, Any]:
    headers = {"X-Amzn-RequestId": "r1", "content-type": "application/x-amz-json-1.0"}
    return {"status_code": status, "headers": HeadersDict(headers), "body": json.dumps(values).encode(), "context": {}}


def both(operation: str, response: dict[str, Any]) -> tuple[Any, Any]:
    shape = _MODEL.operation_model(operation).output_shape
    ours, botocores = Readers().create_parser("json"), ResponseParserFactory().create_parser("json")
    return ours.parse(response, shape), botocores.parse(response, shape)


@given(_ROWS)
def test_rows_are_what_botocore_makes_of_them(rows: list[dict[str, Any]]) -> None:
    unread = {"persons": {"Keys": [{"pk": {"S": "a"}}], "ConsistentRead": True}}
    ours, botocores = both("BatchGetItem", answer({"Responses": {"persons": rows}, "UnprocessedKeys": unread}))
    assert ours == botocores


@pytest.mark.parametrize(
    ("operation", "values", "status"),
    [
        ("GetItem", {"Item": {"pk": {"B": "YWI="}}}, 200),
        ("BatchGetItem", {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slower"}, 400),
        ("BatchGetItem", {"__type": "InternalServerError"}, 500),
    ],
)
def test_all_else_is_botocore_s(operation: str, values: dict[str, Any], status: int) -> None:
    ours, botocores = both(operation, answer(values, status))
    assert ours == botocores


class Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterable[bytes]:
        yield self._body


ACCOUNT = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
KEYS = [{"pk": {"S": f"bucket#birth+family:{number:024x}"}, "sk": {"S": "bucket"}} for number in range(14)]


def calls_of_a_read(dynamodb: Any) -> int:
    """How many functions are called to ask for and read fourteen buckets, the wire cut: the same on any machine."""
    rows = [key | {"rev": {"N": "2"}, "persons": {"SS": ["person-1", "person-2"]}} for key in KEYS]
    body = json.dumps({"Responses": {"persons": rows}, "UnprocessedKeys": {}}).encode()
    sent = {"content-type": "application/x-amz-json-1.0"}
    dynamodb.meta.events.register(
        "before-send.dynamodb", lambda request, **_: AWSResponse(request.url, 200, sent, Body(body))
    )
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for counting in (False, True):  # the first read of a client loads what all have together
        sys.setprofile(count if counting else None)
        try:
            answer = dynamodb.batch_get_item(RequestItems={"persons": {"Keys": KEYS, "ConsistentRead": True}})
        finally:
            sys.setprofile(None)
        assert answer["Responses"]["persons"] == rows
    return calls


def test_a_read_costs_less_than_half_of_botocore_s_calls() -> None:
    ours = calls_of_a_read(client_of(session_of(**ACCOUNT), "dynamodb"))
    botocores = calls_of_a_read(boto3.Session(**ACCOUNT).client("dynamodb"))
    assert ours < botocores / 2, (ours, botocores)
