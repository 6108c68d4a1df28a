"""Names that the tests of a backfill share."""

from __future__ import annotations

ARCHIVE = "archive-of-tests"
