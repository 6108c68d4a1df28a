"""The audit log in an S3 bucket with Object Lock: one object per entry, `audit/<chain>/<seq>.json`. A sequence number
is taken by a conditional PUT, so two writers cannot both have it; the bucket's default retention keeps what is there.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.audit.chain import encode, seal, verify
from headwater.adapters.aws_errors import calling, error_code
from headwater.errors import Retry

_UNAVAILABLE = "audit.unavailable"
_TRIES = 10
_REMEMBERED = 500  # chains whose head a process keeps in mind


class S3AuditLog:
    """`AuditLog` in `bucket`; `client` is boto3's S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._heads: OrderedDict[str, Mapping[str, object]] = OrderedDict()

    def append(self, chain: str, entry: Mapping[str, object]) -> None:
        """One put where this process wrote the entry before; else list and read the head first.

        A remembered head that somebody has written after costs one refused put, never a fork.

        Raises Retry('audit.unavailable'), also when others were faster ten times in a row; ValueError if `entry` uses
        a name of the chain or if the head was tampered with.
        """
        head = self._heads.get(chain) or self._head(chain)
        for _ in range(_TRIES):
            sealed = seal(entry, head)
            if self._put(chain, sealed):
                return self._remember(chain, sealed)
            head = self._entry(_key(chain, sealed["seq"]))
            # A PUT whose answer was lost is repeated by botocore, and then refused because of itself.
            if head == json.loads(encode(sealed)):
                return self._remember(chain, sealed)
        raise Retry(_UNAVAILABLE, place=chain, hint="too many writers of one chain")

    def _remember(self, chain: str, sealed: Mapping[str, object]) -> None:
        self._heads[chain] = sealed
        self._heads.move_to_end(chain)
        if len(self._heads) > _REMEMBERED:
            self._heads.popitem(last=False)

    def read(self, chain: str) -> Sequence[Mapping[str, object]]:
        entries = [self._entry(key) for key in self._keys(chain)]
        verify(chain, entries)
        return entries

    def chains(self) -> Iterator[str]:
        """Every chain that was ever begun, for whoever checks them all."""
        last = ""
        with calling(_UNAVAILABLE):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="audit/")
            for page in pages:
                for found in page.get("Contents", ()):
                    chain = found["Key"].removeprefix("audit/").rpartition("/")[0]
                    if chain != last:
                        yield chain
                    last = chain

    def disturbed(self, chain: str) -> tuple[str, ...]:
        """Keys of entries that somebody tried to write over or to delete: an entry has one version, for good."""
        seen: dict[str, int] = {}
        with calling(_UNAVAILABLE):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=f"audit/{chain}/"
            )
            for page in pages:
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    seen[found["Key"]] = seen.get(found["Key"], 0) + 1
        return tuple(key for key, versions in seen.items() if versions > 1)

    def _put(self, chain: str, sealed: Mapping[str, object]) -> bool:
        with calling(_UNAVAILABLE):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=_key(chain, sealed["seq"]),
                    Body=encode(sealed),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True

    def _head(self, chain: str) -> dict[str, object] | None:
        keys = self._keys(chain)
        return self._entry(keys[-1]) if keys else None

    def _keys(self, chain: str) -> list[str]:
        """In order of `seq`: S3 lists by name, and the numbers have leading zeros. The delimiter leaves out a chain
        whose name goes on after this one's."""
        with calling(_UNAVAILABLE):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"audit/{chain}/", Delimiter="/"
            )
            return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def _entry(self, key: str) -> dict[str, object]:
        with calling(_UNAVAILABLE):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with answer["Body"] as stream:
                entry: dict[str, object] = json.loads(stream.read())
        return entry


def _key(chain: str, seq: object) -> str:
    return f"audit/{chain}/{seq:06d}.json"
