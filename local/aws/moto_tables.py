"""DynamoDB transactions as AWS has them, where moto differs: cost, and a repeated request token.

moto 5.2.5 copies every touched table whole for each item of a transaction, and ignores ClientRequestToken, so that a
client which retries after a lost answer sees its own write as a conflict. Here only the touched items are kept for the
way back, and a token is honoured for ten minutes.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from moto.core.responses import EmptyResult
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.aws.moment import MOMENT, mend

TOKEN_SECONDS = 600

_moto_transact = DynamoDBBackend.transact_write_items
_moto_answer = DynamoHandler.transact_write_items


def install() -> None:
    """Mend moto's transactions in this process. They rely on the server's one lock for isolation."""
    mend(DynamoDBBackend, transact_write_items=_transact)
    mend(DynamoHandler, transact_write_items=_answer_once)
    mend(Table, __deepcopy__=lambda table, _: table)  # the whole-table copies inside moto's transaction


def _answer_once(handler: DynamoHandler) -> Any:
    token = handler.body.get("ClientRequestToken")
    done: dict[str, float] = handler.dynamodb_backend.__dict__.setdefault("done_tokens", {})
    now = MOMENT.now()
    if token and now - done.get(token, float("-inf")) < TOKEN_SECONDS:
        return EmptyResult()
    answer = _moto_answer(handler)
    if token:
        done[token] = now
    return answer


def _transact(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    before = [_touched(backend, operation) for item in transact_items for operation in item.values()]
    try:
        _moto_transact(backend, transact_items)
    except Exception:
        for table, hash_key, range_key, item in before:
            _put_back(table, hash_key, range_key, item)
        raise


def _touched(
    backend: DynamoDBBackend, operation: dict[str, Any]
) -> tuple[Table, DynamoType, DynamoType | None, Item | None]:
    table = backend.get_table(operation["TableName"])
    key = operation.get("Key") or operation["Item"]
    hash_key, range_key = backend.get_keys_value(table, key)
    return table, hash_key, range_key, deepcopy(table.get_item(hash_key, range_key))


def _put_back(table: Table, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
    if item is None:
        table.delete_item(hash_key, range_key)
        return
    rows: dict[Any, Any] = table.items if range_key is None else table.items[hash_key]
    rows[hash_key if range_key is None else range_key] = item
