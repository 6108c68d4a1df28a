"""Codes that wait for a mapping: the `WorkList` port."""
