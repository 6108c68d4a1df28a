"""Where AWS's "no" becomes one of ours. Every AWS adapter calls AWS inside `calling(code)`, so that throttles,
time-outs and outages become `Retry` in one place. A condition that failed is an answer, not an error: adapters ask for
it with `error_code`. Anything else (access denied, no such table) is a fault of the deployment and is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from traceback import walk_tb
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)

from headwater.errors import HeadwaterError, Retry

# What no status code tells: throttles answered with 400, and collisions that AWS asks to be tried again.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "ExpiredToken",
        "ExpiredTokenException",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "OperationAborted",
        "OverLimit",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError, NoCredentialsError, CredentialRetrievalError)


def error_code(error: ClientError) -> str:
    """AWS's name for what went wrong, for example `ConditionalCheckFailedException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def passes(error: ClientError) -> bool:
    """True when the same call may well succeed later."""
    status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _PASSING or status == 429 or status >= 500


@contextmanager
def calling(code: str) -> Iterator[None]:
    """Raise `Retry(code)` for whatever passes by itself; the hint holds AWS's error code, never its message.

    The cause is cut off on purpose: botocore's messages and responses may quote what was written.
    """
    try:
        yield
    except ClientError as error:
        if not passes(error):
            raise
        raise Retry(code, place=error.operation_name, hint=f"AWS answered {error_code(error)}") from None
    except _UNREACHABLE as error:
        raise Retry(code, hint=f"AWS was not reached: {type(error).__name__}") from None


def described(error: Exception) -> tuple[str, str]:
    """An error free of values: its code or type, and its place or where in the code it came from."""
    if isinstance(error, HeadwaterError):
        return error.code, error.place
    kind = type(error).__name__
    if isinstance(error, ClientError):
        kind = f"{kind} {error_code(error)}"
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [frame for frame in frames[1:] if "/headwater/" in frame[0]] or frames
    file, line = ours[-1]
    return kind, f"{'/'.join(PurePath(file).parts[-2:])}:{line}"
