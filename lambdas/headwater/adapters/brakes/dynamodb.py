"""Switches, budgets and an EHR's row of failures in the ledger's own table, beside the intents: whoever may move a
write-back may see what holds it, and one restore brings back both. Every change is one conditional update.

A budget is a single number, its theoretical arrival time (the generic cell rate algorithm, ITU-T I.371 annex A): it
needs neither a timer nor a read before the write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from headwater.adapters.aws_errors import calling, error_code
from headwater.adapters.dynamodb_items import Item, in_state, pack, unpack
from headwater.model import Brake, Switch

_UNAVAILABLE = "brakes.unavailable"
THROWN, RELEASED = "switch.thrown", "switch.released"
_SWITCH = ("scope", "by", "why", "at")


class DynamoDbBrakes:
    """`Brakes` in the table `table`; `client` is boto3's DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def look(self, ehr: str, scopes: Sequence[str], now: datetime) -> Brake:
        keys = [*(_switch_key(scope) for scope in scopes), _ehr_key(ehr), _ehr_key(f"{ehr}/writes")]
        items: list[Item] = []
        wanted: Mapping[str, Any] = {
            self._table: {"Keys": [pack({"intent": key}) for key in dict.fromkeys(keys)], "ConsistentRead": True}
        }
        with calling(_UNAVAILABLE):
            while wanted:
                answer = self._client.batch_get_item(RequestItems=wanted)
                items += answer["Responses"].get(self._table, [])
                wanted = answer.get("UnprocessedKeys") or {}
        thrown = [_switch(item) for item in items if item.get("state", {}).get("S") == THROWN]
        rows = {str(item["intent"]["S"]): unpack(item, ("closed", "failures")) for item in items}
        whole, writes = (rows.get(_ehr_key(name), {}) for name in (ehr, f"{ehr}/writes"))
        closed_s, writes_closed_s = (max(0.0, (row.get("closed", 0) - _ms(now)) / 1000) for row in (whole, writes))
        return Brake(
            tuple(sorted(thrown, key=lambda one: one.scope)),
            closed_s,
            int(whole.get("failures", 0)),
            writes_closed_s,
            int(writes.get("failures", 0)),
        )

    def take(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        """At most two calls: a budget that is idle starts anew, one in use moves on."""
        at, step, depth = _ms(now), round(cost * 1000 / per_s), round(burst * 1000 / per_s)
        idle = ("SET arrival = :new", "attribute_not_exists(arrival) OR arrival <= :at", {":new": at + step, ":at": at})
        busy = (
            "SET arrival = arrival + :step",
            "arrival > :at AND arrival <= :latest",
            {":step": step, ":at": at, ":latest": at + max(depth - step, 0)},
        )
        seen: Item = {}
        for update, condition, values in (idle, busy):
            taken, seen = self._update(f"budget#{budget}", update, values, condition)
            if taken:
                return 0.0
        arrival = int(seen["arrival"]["N"]) if "arrival" in seen else at
        return max(arrival + step - depth - at, 1) / 1000

    def reserve(self, budget: str, *, cost: int, per_s: float, burst: int, now: datetime) -> float:
        """At most two calls, of which one takes effect."""
        at, step, depth = _ms(now), round(cost * 1000 / per_s), round(burst * 1000 / per_s)
        key, idle = f"budget#{budget}", "attribute_not_exists(arrival) OR arrival <= :at"
        if self._update(key, "SET arrival = :new", {":new": at + step, ":at": at}, idle)[0]:
            return 0.0
        _, item = self._update(key, "SET arrival = arrival + :step", {":step": step})
        return max(0, int(item["arrival"]["N"]) - depth - at) / 1000

    def close(self, ehr: str, until: datetime) -> None:
        values = {":until": _ms(until)}
        self._update(_ehr_key(ehr), "SET closed = :until", values, "attribute_not_exists(closed) OR closed < :until")

    def failed(self, ehr: str) -> int:
        _, item = self._update(_ehr_key(ehr), "ADD failures :one", {":one": 1})
        return int(item["failures"]["N"])

    def worked(self, ehr: str) -> None:
        self._update(_ehr_key(ehr), "SET failures = :none", {":none": 0})

    def throw(self, switch: Switch) -> None:
        self._turn(switch, THROWN)

    def release(self, switch: Switch) -> None:
        self._turn(switch, RELEASED)

    def switches(self) -> Sequence[Switch]:
        with calling(_UNAVAILABLE):
            return [_switch(item) for item in in_state(self._client, self._table, THROWN, limit=1000)]

    def _turn(self, switch: Switch, state: str) -> None:
        """`created_at` is what the index `by-state` sorts by."""
        said = {"state": state, "created_at": switch.at, **{name: getattr(switch, name) for name in _SWITCH}}
        names = {f"#{name}": name for name in said}
        values = {f":{name}": value for name, value in said.items()}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in said)
        condition = "attribute_not_exists(#state) OR #state <> :state"
        self._update(_switch_key(switch.scope), update, values, condition, names)

    def _update(
        self,
        key: str,
        update: str,
        values: Mapping[str, Any],
        condition: str = "",
        names: Mapping[str, str] | None = None,
    ) -> tuple[bool, Item]:
        """Whether the condition held, and the row: as it is now, or as it was when it did not."""
        only_if = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        with calling(_UNAVAILABLE):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=pack({"intent": key}),
                    UpdateExpression=update,
                    ExpressionAttributeValues=pack(values),
                    ReturnValues="ALL_NEW",
                    **(only_if if condition else {}),
                    **({"ExpressionAttributeNames": dict(names)} if names else {}),
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                was: Item = dict(error.response).get("Item", {})
                return False, was
        return True, answer["Attributes"]


def _switch_key(scope: str) -> str:
    return f"switch#{scope}"


def _ehr_key(ehr: str) -> str:
    return f"ehr#{ehr}"


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _switch(item: Item) -> Switch:
    return Switch(**unpack(item, _SWITCH))
