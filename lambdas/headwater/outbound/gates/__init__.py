"""The gates a write-back passes before a clinician sees it, one file each.

A gate is a function that returns what it found, or raises `Refuse` with its code. `docs/write-backs.md` lists every
code and what the person who meets it should do.
"""
