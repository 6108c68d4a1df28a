"""Raw bytes, kept for good: the `Archive` port."""
