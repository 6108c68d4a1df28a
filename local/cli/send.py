"""headwater send: files to the feed queue, as a producer would send them (docs/producers.md)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwater.inbound.accept import message_key
from local.cli.options import add_target, target_of
from local.feed_message import LARGEST_BODY, envelope
from local.target import Target

MESSAGE_SUFFIXES = ("", ".hl7", ".er7", ".txt", ".dat", ".xml", ".ccda", ".csv", ".ndjson")


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "send",
        help="send files to the feed queue",
        description="Send a file, or every file of a folder, to the feed queue as messages of one EHR. "
        "Sending the same bytes again is harmless.",
    )
    command.add_argument("path", type=Path, metavar="PATH", help="a file or a folder of messages; a batch is one file")
    command.add_argument("--ehr", required=True, help="who sends: a folder under mappings/ehrs")
    command.add_argument(
        "--content-type", default="application/hl7-v2", metavar="TYPE", help="of every file (%(default)s)"
    )
    command.add_argument("--group", help="the FIFO group (default: the EHR); messages of one group stay in order")
    add_target(command)
    command.set_defaults(run=send)


def send(options: argparse.Namespace) -> int:
    files = list(files_of(options.path))
    if not files:
        print(f"headwater: no file at {options.path}", file=sys.stderr)
        return 2
    target = target_of(options)
    for file in files:
        body, group = file.read_bytes(), options.group or options.ehr
        send_message(target, body, options.ehr, options.content_type, group=group, name=file.name)
        print(f"{file}  {message_key(options.ehr, body)}")
    return 0


def send_message(
    target: Target, body: bytes, ehr: str, content_type: str, *, group: str, name: str = "message"
) -> None:
    """One message to the feed queue; what is too large for it is left in the archive bucket under its name."""
    if len(body) > LARGEST_BODY:
        location = target.leave(body, name)
        message = envelope(b"-", ehr, content_type, location=location, digest_of=body)
    else:
        message = envelope(body, ehr, content_type)
    target.client("sqs").send_message(QueueUrl=target.feed_queue_url, MessageGroupId=group, **message)


def files_of(path: Path) -> Iterator[Path]:
    """The file, or those of the folder's files that look like messages, in order, hidden ones left out."""
    if path.is_file():
        yield path
        return
    for one in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in one.relative_to(path).parts)
        if one.is_file() and not hidden and one.suffix.lower() in MESSAGE_SUFFIXES:
            yield one
