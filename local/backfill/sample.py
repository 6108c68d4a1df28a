"""What a backfill would make of some of its files: cut and converted here, with the mappings at hand, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headwater.bootstrap import App
from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError, Quarantine
from headwater.formats import split
from headwater.inbound.accept import accept
from headwater.inbound.backfill import Report, delivery_of
from headwater.inbound.convert import convert
from headwater.model import Envelope, MessageRecord, MessageState, Outcome
from local.backfill.account import Account
from local.backfill.plan import Order


def sample(place: str, names: Sequence[str], order: Order, app: App) -> Account:
    """Every message of these files as far as can be told without persons and store: what converts is `accepted`."""
    account = Account()
    for name in names:
        report = Report({})
        try:
            if place.startswith("s3://"):
                body = app.archive.fetch(f"s3://{order.bucket}/{order.prefix}{name}")
            else:
                body = (Path(place) / name).read_bytes()
            for outcome in _outcomes(name, body, order, app):
                report.add(name, outcome)
            report.files = 1
        except HeadwaterError as error:
            report.failed.append({"file": name, "error": error.code, "place": error.place})
        account.add(report.dump())
    return account


def _outcomes(name: str, body: bytes, order: Order, app: App) -> Iterator[Outcome]:
    ehr, what = app.ehrs[order.ehr], {**order.input([], 0, 0), "bucket": order.bucket}
    forgetful: Any = _Forgetful(body)  # accept asks for no more of its ports
    accepted = accept(delivery_of(name, what), ehrs=app.ehrs, archive=forgetful, inbox=forgetful, clock=app.clock)
    whole = accepted.envelope
    if accepted.fault:
        yield _ended(whole.key, accepted.fault)
        return
    try:
        parts = split(whole.content_type, whole.body, ehr.declared_feed())
    except Quarantine as fault:
        yield _ended(whole.key, fault)
        return
    for part in parts:
        yield _converted(Envelope(whole.key, whole.ehr, whole.content_type, part, ""), ehr, app)


def _converted(message: Envelope, ehr: Ehr, app: App) -> Outcome:
    try:
        convert(message, ehr, app.engine_for(ehr))
    except HeadwaterError as fault:
        return _ended(message.key, fault)
    return Outcome(message.key, MessageState.ACCEPTED)


def _ended(key: str, fault: HeadwaterError) -> Outcome:
    return Outcome(key, MessageState.QUARANTINED, fault.code, fault.place)


class _Forgetful:
    """As much of an archive and an inbox as `accept` asks for, which keep nothing."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def fetch(self, _location: str) -> bytes:
        return self._body

    def put(self, key: str, body: bytes, content_type: str) -> None: ...

    def open(self, record: MessageRecord) -> MessageRecord:
        return record
