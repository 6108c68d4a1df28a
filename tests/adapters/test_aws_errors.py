"""What AWS says no with, and what becomes of it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from headwater.adapters.aws_errors import calling
from headwater.errors import Quarantine, Retry


def answered(code: str, status: int) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "about SMITH^JON"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "PutItem")


@pytest.mark.parametrize(
    "error",
    [
        answered("ProvisionedThroughputExceededException", 400),
        answered("ThrottlingException", 400),
        answered("SlowDown", 503),
        answered("ConditionalRequestConflict", 409),
        answered("InternalServerError", 500),
        answered("Whatever", 429),
        ConnectTimeoutError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
        EndpointConnectionError(endpoint_url="https://x"),
    ],
)
def test_what_passes_by_itself_is_a_retry_that_quotes_nothing(error: Exception) -> None:
    with pytest.raises(Retry) as raised, calling("inbox.unavailable"):
        raise error
    assert raised.value.code == "inbox.unavailable"
    assert "SMITH" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("error", [answered("AccessDeniedException", 400), answered("ResourceNotFoundException", 400)])
def test_a_fault_of_the_deployment_stays_what_it_is(error: ClientError) -> None:
    with pytest.raises(ClientError), calling("inbox.unavailable"):
        raise error


def test_our_own_errors_go_through() -> None:
    with pytest.raises(Quarantine), calling("archive.unavailable"):
        raise Quarantine("archive.missing")
