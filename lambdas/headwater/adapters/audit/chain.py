"""The arithmetic of a hash chain: each entry holds the hash of the one before it, so that none can be changed or taken
out of the middle without breaking all that follow. What a chain cannot show is a missing end; Object Lock holds that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

_OWN = frozenset({"seq", "previous", "hash"})


def seal(entry: Mapping[str, object], after: Mapping[str, object] | None) -> dict[str, object]:
    """`entry` as the next link after the sealed entry `after` (None: the first; its `previous` is empty).

    Raises ValueError if `entry` uses a name of the chain or `after` is not what was written; TypeError if `entry`
    cannot be JSON.
    """
    if taken := _OWN & entry.keys():
        raise ValueError(f"an audit entry may not set {', '.join(sorted(taken))}")
    if after is not None and after.get("hash") != hash_of(after):
        raise ValueError(f"audit entry {after.get('seq')} is not what was written")
    seq, previous = (1, "") if after is None else (_seq(after) + 1, after["hash"])
    link = {**entry, "seq": seq, "previous": previous}
    return {**link, "hash": hash_of(link)}


def verify(chain: str, entries: Sequence[Mapping[str, object]]) -> None:
    """Raise ValueError, naming the chain and the first broken `seq`, unless `entries` are one unbroken chain."""
    previous: object = ""
    for seq, entry in enumerate(entries, start=1):
        if (entry.get("seq"), entry.get("previous"), entry.get("hash")) != (seq, previous, hash_of(entry)):
            raise ValueError(f"audit chain {chain} is broken at seq {seq}")
        previous = entry["hash"]


def hash_of(entry: Mapping[str, object]) -> str:
    """SHA-256, in hex, over the entry without `hash` as JSON with sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(encode({name: value for name, value in entry.items() if name != "hash"})).hexdigest()


def encode(entry: Mapping[str, object]) -> bytes:
    """The one way an entry becomes bytes."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _seq(entry: Mapping[str, object]) -> int:
    seq = entry["seq"]
    if not isinstance(seq, int):
        raise ValueError("an audit entry without seq")
    return seq
