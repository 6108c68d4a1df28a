"""The archive in S3. The bytes of every message lie here before anything looks at them, so that any message can be
replayed through today's mappings.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from headwater.adapters.aws_errors import calling, error_code, passes
from headwater.errors import Quarantine

_LARGEST = 100 * 1024 * 1024


class S3Archive:
    """`Archive` in one versioned bucket; the bucket's own key encrypts it.

    `client` is boto3's S3 client. `largest` is the number of bytes above which a pointer is not followed: the message
    has to fit into the Lambda's memory several times over.
    """

    def __init__(self, client: Any, bucket: str, *, largest: int = _LARGEST) -> None:
        self._client = client
        self._bucket = bucket
        self._largest = largest

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """One conditional PUT: S3 itself keeps the first bytes.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        with calling("archive.unavailable"):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise

    def get(self, key: str) -> bytes:
        with calling("archive.unavailable"):
            try:
                return self._read(self._bucket, key)
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "404"}:
                    raise
                raise Quarantine("archive.missing", place=key, hint="the archive holds no such message") from None

    def fetch(self, location: str) -> bytes:
        """Follow a producer's pointer. Which buckets may be read is for the Lambda's role to say, not for this code.

        The location is not repeated in the error: a producer may have put a name or an MRN into the key.
        """
        scheme, _, path = location.partition("://")
        bucket, _, key = path.partition("/")
        if scheme != "s3" or not bucket or not key:
            raise _unreadable("a pointer must read s3://bucket/key")
        with calling("archive.unavailable"):
            try:
                return self._read(bucket, key, self._largest)
            except ParamValidationError:
                raise _unreadable("S3 allows no such bucket or key") from None
            except ClientError as error:
                if passes(error):
                    raise
                raise _unreadable(f"S3 answered {error_code(error)}") from None

    def _read(self, bucket: str, key: str, largest: int | None = None) -> bytes:
        answer = self._client.get_object(Bucket=bucket, Key=key)
        with answer["Body"] as stream:
            if largest is not None and answer["ContentLength"] > largest:
                raise _unreadable(f"the object is larger than {largest} bytes")
            body: bytes = stream.read()
        return body


def _unreadable(why: str) -> Quarantine:
    return Quarantine("accept.pointer_unreadable", place="body", hint=why)
