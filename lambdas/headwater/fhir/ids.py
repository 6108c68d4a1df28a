"""Ids made from content: the same fact from the same sender always gets the same id, so a write is an idempotent PUT.

The id is a UUIDv5 (RFC 9562 §5.5), which is also a valid FHIR id (at most 64 of `A-Za-z0-9-.`). It is cut out of SHA-1
by hand because `uuid.uuid5` costs three times as much and this runs for every resource of every message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

# uuid5(NAMESPACE_URL, "urn:headwater:content-id"). Changing it changes every id in every store: never.
NAMESPACE = bytes.fromhex("9d86c6a2c72a5c6ca174bb31357a150c")

_SEEDED = hashlib.sha1(NAMESPACE, usedforsecurity=False)
# The two variant bits of RFC 9562 §4.1, by the hex digit that they replace.
_VARIANT = {digit: f"{int(digit, 16) & 0x3 | 0x8:x}" for digit in "0123456789abcdef"}

_USUAL = 256
_SIZES = [f"{size}:" for size in range(_USUAL)]


def content_id(*parts: str) -> str:
    """The UUIDv5, in lower case with hyphens, of these parts in this order.

    Each part goes in with its length before it, so that ("ab", "c") and ("a", "bc") differ whatever they contain.
    Equals `uuid.uuid5(NAMESPACE, "2:ab1:c")`. Raises UnicodeEncodeError for lone surrogates.
    """
    return _any(*parts)


def content_ids(*first: str) -> Callable[..., str]:
    """`content_id` for parts that all begin with the same ones (an EHR, a resource type), which are hashed once. The
    others may be anything that prints; None prints as nothing."""
    begun = _SEEDED.copy()
    begun.update("".join(f"{len(part)}:{part}" for part in first).encode())

    def made(*parts: object) -> str:
        sha1, said = begun.copy(), ""
        for part in parts:
            text = part if part.__class__ is str else "" if part is None else str(part)
            size = len(text)
            said += (_SIZES[size] if size < _USUAL else f"{size}:") + text
        sha1.update(said.encode())
        digest = sha1.hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"

    return made


_any = content_ids()
