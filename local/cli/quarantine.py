"""headwater quarantine: what was set aside, why, and taking it through again once the cause is mended."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from headwater.inbound.accept import UNKNOWN_SENDER, accept_bytes
from headwater.model import MessageRecord, MessageState
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of
from local.feed_message import envelope
from local.target import Target

_SET_ASIDE = (MessageState.QUARANTINED, MessageState.HELD)


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "quarantine",
        help="messages that were set aside: list, show, release",
        description="Messages that could not go through: quarantined (a mapping or the feed must be mended) "
        "or held (a steward must say who this is). Nothing of them is lost.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what was set aside, the newest first")
    listing.add_argument("--limit", type=int, default=50, help="at most so many of each state (%(default)s)")
    listing.set_defaults(run=list_)
    showing = actions.add_parser("show", help="one message: its record, and with --raw its bytes (PHI)")
    showing.add_argument("key", metavar="KEY", help="the message's key, or its beginning")
    showing.add_argument("--raw", action="store_true", help="write the archived bytes to standard output")
    showing.set_defaults(run=show)
    releasing = actions.add_parser("release", help="take messages through again, with today's mappings")
    releasing.add_argument("keys", nargs="*", metavar="KEY", help="the messages' keys, or their beginnings")
    releasing.add_argument("--code", help="every message that was set aside with this code")
    releasing.add_argument("--as", dest="ehr", help="under this EHR, for messages whose sender was unknown")
    releasing.set_defaults(run=release)
    for action in (listing, showing, releasing):
        add_target(action)


def list_(options: argparse.Namespace) -> int:
    target = target_of(options)
    records = [record for state in _SET_ASIDE for record in target.app.inbox.list(state, limit=options.limit)]
    title = f"{len(records)} set aside"
    table = table_of("message", "state", "why", "where", "since", whole=("message", "state"), title=title)
    for record in records:
        table.add_row(
            record.key[: len(record.ehr) + 13],
            record.state.value,
            f"{record.error_code}\n[dim]{record.error_hint}[/]",
            record.error_place,
            record.updated_at[:16],
        )
    print_tables(table)
    return 0


def show(options: argparse.Namespace) -> int:
    target = target_of(options)
    record = _find(target, options.key)
    if record is None:
        return _none(options.key)
    if options.raw:
        sys.stdout.buffer.write(target.app.archive.get(record.archive_key))
        return 0
    for name in MessageRecord.__dataclass_fields__:
        print(f"{name:14} {getattr(record, name)}")
    return 0


def release(options: argparse.Namespace) -> int:
    if not options.keys and not options.code:
        print("headwater: say which: KEY …, or --code CODE", file=sys.stderr)
        return 2
    target = target_of(options)
    records = [record for record in _set_aside(target) if options.code and record.error_code == options.code]
    for key in options.keys:
        record = _find(target, key)
        if record is None:
            return _none(key)
        records.append(record)
    for record in records:
        if record.ehr == UNKNOWN_SENDER and not options.ehr:
            print(f"headwater: {record.key[:24]}: say --as EHR, its sender is unknown", file=sys.stderr)
            return 2
        again(target, record, options.ehr or record.ehr)
        print(f"released  {record.key}")
    print(f"{len(records)} released")
    return 0


def again(target: Target, record: MessageRecord, ehr: str) -> None:
    """Open the record anew and send its archived bytes to the feed queue: the same way in as the first time. What a
    backfill brought stays history, also under another sender's name."""
    state = MessageState.ACCEPTED if ehr == record.ehr else MessageState.FORWARDED
    now = datetime.now(UTC).isoformat()
    body = target.app.archive.get(record.archive_key)
    if state is MessageState.FORWARDED and record.backfill:
        accept_bytes(
            body, ehr, record.content_type, backfill=record.backfill,
            archive=target.app.archive, inbox=target.app.inbox, now=datetime.now(UTC),
        )  # fmt: skip
    target.app.inbox.close(record.key, state, at=now)
    message = envelope(body, ehr, record.content_type)
    # Another release within five minutes is meant as one: the queue's own deduplication must not swallow it.
    message["MessageDeduplicationId"] = f"{message['MessageDeduplicationId']}.{now}"
    target.client("sqs").send_message(QueueUrl=target.feed_queue_url, MessageGroupId=f"{ehr}.released", **message)


def _set_aside(target: Target) -> list[MessageRecord]:
    return [record for state in _SET_ASIDE for record in target.app.inbox.list(state, limit=1000)]


def _find(target: Target, key: str) -> MessageRecord | None:
    exact = target.app.inbox.get(key)
    if exact is not None:
        return exact
    found = [record for record in _set_aside(target) if record.key.startswith(key)]
    return found[0] if len(found) == 1 else None


def _none(key: str) -> int:
    print(f"headwater: no single message with the key {key}: see headwater quarantine list", file=sys.stderr)
    return 2
