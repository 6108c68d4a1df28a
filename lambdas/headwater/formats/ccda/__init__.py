"""C-CDA (HL7 CDA R2, XML): bytes of one document to the plain data that templates read."""

from __future__ import annotations

from headwater.formats.ccda.parse import parse

__all__ = ["parse"]
