"""Headwater: feeds in, one person each, FHIR in the store; write-backs out, each signed off by a clinician.

The way of a message is on one page in `pipeline`. The alphabet is the arrow: accept, convert, match, store, tell;
then propose, review, send.
"""
