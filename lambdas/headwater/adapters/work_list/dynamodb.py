"""The analyst's work list in the inbox's table: a row `unmapped#<ehr>#<hash>` for each code, which its index `by-state`
lists under the state `unmapped`.

A feed may hold the same unmapped code in every message, so counts are kept in the sandbox and written when a code is
first seen there, and then by the hundred or the minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headwater.adapters.aws_errors import calling
from headwater.adapters.dynamodb_items import Item, in_state, pack
from headwater.model import Unmapped, Wanted

STATE = "unmapped"
_OFTEN = 100
_LONG = timedelta(minutes=1)
_MOST_A_MESSAGE = 25  # a feed that is not mapped at all says so soon enough


@dataclass
class _Kept:
    """What was not yet written of one code."""

    count: int = 0
    written_at: datetime | None = None


class DynamoDbWorkList:
    """`WorkList` in the table `table`; `client` is boto3's DynamoDB client (not the resource)."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._kept: dict[tuple[str, Unmapped], _Kept] = {}

    def note(self, ehr: str, unmapped: Sequence[Unmapped], *, message: str, at: datetime) -> None:
        for one in unmapped[:_MOST_A_MESSAGE]:
            kept = self._kept.setdefault((ehr, one), _Kept())
            kept.count += 1
            if kept.written_at is None or kept.count >= _OFTEN or at - kept.written_at >= _LONG:
                self._write(ehr, one, kept.count, message, at)
                self._kept[ehr, one] = _Kept(written_at=at)

    def list(self, *, limit: int = 1000) -> Sequence[Wanted]:
        with calling("work_list.unavailable"):
            found = [_wanted(row) for row in in_state(self._client, self._table, STATE, limit=limit)]
        return sorted(found, key=lambda one: (-one.count, one.ehr, one.unmapped.map, one.unmapped.code))

    def _write(self, ehr: str, one: Unmapped, count: int, message: str, at: datetime) -> None:
        """One UpdateItem, which needs no condition: it only adds."""
        first = {"ehr": ehr, "map": one.map, "code": one.code, "system": one.system, "display": one.display}
        first |= {"first_seen": at.isoformat(), "example": message}
        told = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in first)
        values = pack({f":{name}": value for name, value in first.items()})
        values |= pack({":state": STATE, ":at": at.isoformat(), ":count": count})
        with calling("work_list.unavailable"):
            self._client.update_item(
                TableName=self._table,
                Key=pack({"key": _key(ehr, one)}),
                UpdateExpression=f"SET {told}, #state = :state, updated_at = :at ADD seen :count",
                ExpressionAttributeNames={f"#{name}": name for name in (*first, "state")},
                ExpressionAttributeValues=values,
            )


def _key(ehr: str, one: Unmapped) -> str:
    said = "\0".join((one.map, one.system, one.code)).encode()
    return f"unmapped#{ehr}#{hashlib.sha256(said).hexdigest()[:32]}"


def _wanted(row: Item) -> Wanted:
    text = {name: row.get(name, {}).get("S", "") for name in ("ehr", "map", "code", "system", "display", "first_seen")}
    unmapped = Unmapped(text["map"], text["code"], text["system"], text["display"])
    return Wanted(text["ehr"], unmapped, int(row["seen"]["N"]), text["first_seen"], row["example"]["S"])
