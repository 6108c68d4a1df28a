"""Feeds in, one step a file: accept, convert, match, store, tell."""
