"""Text to plain data and back: one module a format. Only this file knows which content types there are."""

from __future__ import annotations

HL7V2 = frozenset({"application/hl7-v2", "x-application/hl7-v2+er7", "text/hl7v2"})


def media_type(content_type: str) -> str:
    """`Application/HL7-v2; charset=utf-8` is `application/hl7-v2` (RFC 9110 chapter 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def split(content_type: str, body: bytes) -> list[bytes]:
    """The messages of one delivery, in order; a format without batches is one message.

    Raises Quarantine('convert.truncated') for a batch that is not whole.
    """
    if media_type(content_type) in HL7V2:
        from headwater.formats.hl7v2.framing import split_batch

        return split_batch(body)
    return [body]
