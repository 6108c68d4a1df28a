"""headwater send: files to the feed queue, as a producer would send them (docs/producers.md)."""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.cli.options import add_target, target_of

# SQS takes 1 MiB with the attributes; base64 makes four bytes of three.
LARGEST_BODY = 700_000


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "send",
        help="send files to the feed queue",
        description="Send a file, or every file of a folder, to the feed queue as messages of one EHR. "
        "Sending the same bytes again is harmless.",
    )
    command.add_argument("path", type=Path, metavar="PATH", help="a file or a folder of messages; a batch is one file")
    command.add_argument("--ehr", required=True, help="who sends: a folder under mappings/ehrs")
    command.add_argument("--content-type", default="application/hl7-v2", help="%(default)s")
    command.add_argument("--group", help="the FIFO group (default: the EHR); messages of one group stay in order")
    add_target(command)
    command.set_defaults(run=send)


def send(options: argparse.Namespace) -> int:
    files = list(files_of(options.path))
    if not files:
        print(f"headwater: no file at {options.path}", file=sys.stderr)
        return 2
    target = target_of(options)
    sqs, url = target.client("sqs"), target.feed_queue_url
    for file in files:
        body = file.read_bytes()
        if len(body) > LARGEST_BODY:
            location = target.leave(body, file.name)
            message = envelope(b"-", options.ehr, options.content_type, location=location, digest_of=body)
        else:
            message = envelope(body, options.ehr, options.content_type)
        sqs.send_message(QueueUrl=url, MessageGroupId=options.group or options.ehr, **message)
        print(f"{file}  {options.ehr}/{hashlib.sha256(body).hexdigest()}")
    return 0


def files_of(path: Path) -> Iterator[Path]:
    """The file, or the folder's files in order, hidden ones left out."""
    if path.is_file():
        yield path
    else:
        yield from sorted(
            one for one in path.rglob("*") if one.is_file() and not any(p.startswith(".") for p in one.parts)
        )


def envelope(
    body: bytes,
    ehr: str,
    content_type: str,
    *,
    location: str = "",
    digest_of: bytes | None = None,
    message_id: str = "",
) -> dict[str, Any]:
    """SendMessage's body, deduplication id and attributes (mappings/feed-message.schema.json)."""
    attributes = {"ehr": ehr, "content-type": content_type}
    if message_id:
        attributes["message-id"] = message_id
    if location:
        attributes["content-location"] = location
    text = _as_text(body)
    if text is None:
        attributes["content-transfer-encoding"] = "base64"
        text = base64.b64encode(body).decode()
    return {
        "MessageBody": text,
        "MessageDeduplicationId": hashlib.sha256(digest_of or body).hexdigest(),
        "MessageAttributes": {k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()},
    }


def _as_text(body: bytes) -> str | None:
    """The bytes as text that SQS takes and gives back unchanged (XML 1.0 characters; CR is one), or None."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    allowed = all(char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" for char in text)
    return text if allowed and text else None
