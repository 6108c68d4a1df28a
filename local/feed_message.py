"""A message as a producer hands it to the feed queue: the envelope of docs/producers.md, made of the bytes alone."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

# SQS takes 1 MiB with the attributes; base64 makes four bytes of three.
LARGEST_BODY = 700_000


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
