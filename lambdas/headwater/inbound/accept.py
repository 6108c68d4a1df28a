"""accept: the first step. Whoever sent it and whatever it is, the exact bytes are archived before anything is asked.

Only then is the sender looked up and the message noted in the inbox; a message that was seen before, byte for byte, is
not taken twice. The producer's side of this contract is `docs/producers.md`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.ehrs import Ehr
from headwater.ehrs.profile import UNDECLARED
from headwater.errors import HeadwaterError, Quarantine
from headwater.model import Delivery, Envelope, MessageRecord, MessageState
from headwater.ports import Archive, Clock, Inbox

# What comes from senders we do not know is kept under this name, so that an attribute never becomes a path.
UNKNOWN_SENDER = "_unknown"
LARGEST_MESSAGE = 64 * 1024 * 1024  # bytes: what an ingest Lambda of 1 GB converts with room to spare


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that can no longer be lost. `record` is what the inbox knew, or knows now; `fault` is what is wrong
    with the envelope, if anything is."""

    envelope: Envelope
    record: MessageRecord
    fault: Quarantine | None = None

    @property
    def seen_before(self) -> bool:
        """Also what the feed has begun: it is the feed's to finish, which tells others of it, as no backfill does."""
        feeds_own = bool(self.envelope.backfill) and not self.record.backfill
        return self.record.state is not MessageState.ACCEPTED or feeds_own


def accept(delivery: Delivery, *, ehrs: Mapping[str, Ehr], archive: Archive, inbox: Inbox, clock: Clock) -> Accepted:
    """Archive a delivery and note it in the inbox: one put each, and nothing else. `ehrs` are those we know, by name; a
    delivery without the attribute `content-type` is what its EHR's feed declares.

    Raises Quarantine('accept.pointer_unreadable') for a file of a backfill that cannot be read.
    """
    body, fault = _read_body(delivery, archive)
    sender = delivery.attributes.get("ehr", "").strip()
    ehr = sender if sender in ehrs else UNKNOWN_SENDER
    content_type = delivery.attributes.get("content-type", "").strip().lower() or _declared(ehr, ehrs)
    if fault is None and ehr == UNKNOWN_SENDER:
        hint = "set the attribute to the name of a folder under mappings/ehrs"
        fault = Quarantine("accept.ehr_unknown", place="attribute ehr", hint=hint)
    if fault is None and len(body) > LARGEST_MESSAGE:
        fault = Quarantine("accept.too_large", place="body", hint=f"send at most {LARGEST_MESSAGE} bytes a message")
    return accept_bytes(
        body, ehr, content_type, sender_id=delivery.attributes.get("message-id", ""),
        backfill=delivery.backfill, fault=fault,
        archive=archive, inbox=inbox, now=clock(),
    )  # fmt: skip


def _declared(ehr: str, ehrs: Mapping[str, Ehr]) -> str:
    """The content type of an EHR's feed. A slip in its file does not stop a message before it is archived: `convert`
    says what is wrong."""
    try:
        return ehrs[ehr].feed.content_type if ehr in ehrs else UNDECLARED.content_type
    except HeadwaterError:
        return UNDECLARED.content_type


def accept_bytes(
    body: bytes,
    ehr: str,
    content_type: str,
    *,
    archive: Archive,
    inbox: Inbox,
    now: datetime,
    sender_id: str = "",
    backfill: str = "",
    fault: Quarantine | None = None,
) -> Accepted:
    """Archive and note one message; also each part of a batch, which becomes a message of its own.

    What a backfill brought first stays history, whoever brings it again.
    """
    key = message_key(ehr, body)
    envelope = Envelope(
        key=key,
        ehr=ehr,
        content_type=content_type,
        body=body,
        archive_key=f"raw/{key}",
        sender_id=sender_id[:128],
        backfill=backfill,
    )
    archive.put(envelope.archive_key, body, content_type)
    record = MessageRecord(
        key=envelope.key,
        ehr=ehr,
        content_type=content_type,
        archive_key=envelope.archive_key,
        state=MessageState.ACCEPTED,
        accepted_at=now.isoformat(),
        updated_at=now.isoformat(),
        sender_id=envelope.sender_id,
        backfill=envelope.backfill,
    )
    known = inbox.open(record)
    return Accepted(replace(envelope, backfill=known.backfill) if known.backfill else envelope, known, fault)


def message_key(ehr: str, body: bytes) -> str:
    """What a message is called: its sender and its bytes."""
    return f"{ehr}/{hashlib.sha256(body).hexdigest()}"


def _read_body(delivery: Delivery, archive: Archive) -> tuple[bytes, Quarantine | None]:
    """The message's bytes; when the envelope is malformed, what did come, and what is wrong with it."""
    location = delivery.attributes.get("content-location", "").strip()
    if location:
        try:
            return _unpacked(archive.fetch(location), delivery.attributes.get("content-encoding", ""))
        except Quarantine as unreadable:
            if delivery.backfill:
                raise  # the file stays where it is and is no message yet: the next run takes it
            return location.encode(), unreadable
    raw = delivery.body.encode("utf-8", "surrogatepass")
    encoding = delivery.attributes.get("content-transfer-encoding", "").strip().lower()
    if encoding == "base64":
        try:
            return base64.b64decode(raw, validate=True), None
        except binascii.Error:
            return raw, Quarantine("accept.not_base64", place="body", hint="encode the message with standard base64")
    if encoding:
        hint = "use base64, or leave the attribute out"
        return raw, Quarantine("accept.encoding_unknown", place="attribute content-transfer-encoding", hint=hint)
    return raw, None


def _unpacked(body: bytes, encoding: str) -> tuple[bytes, Quarantine | None]:
    """What a pointer leads to, unpacked (RFC 9110 chapter 8.4), so that a message is the same one packed or not."""
    if not (coding := encoding.strip().lower()):
        return body, None
    if coding not in ("gzip", "x-gzip"):
        hint = "use gzip, or leave the attribute out"
        return body, Quarantine("accept.encoding_unknown", place="attribute content-encoding", hint=hint)
    message, rest = b"", body
    while rest:  # gzip files may stand one behind the other (RFC 1952 chapter 2.2)
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            # One byte more than is allowed shows that there is too much; a bomb is never unpacked.
            message += member.decompress(rest, LARGEST_MESSAGE + 1 - len(message))
        except zlib.error:
            return body, Quarantine("accept.not_gzip", place="body", hint="the object is not what gzip wrote")
        if len(message) > LARGEST_MESSAGE:
            hint = f"send at most {LARGEST_MESSAGE} bytes a message, unpacked"
            return body, Quarantine("accept.too_large", place="body", hint=hint)
        if not member.eof:
            return body, Quarantine("accept.not_gzip", place="body", hint="the object ends too early: send it whole")
        rest = member.unused_data.lstrip(b"\0")  # tapes and block devices pad
    return message, None
