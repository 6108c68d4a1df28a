"""What interface analysts work with: mappings run on files, their examples, their faults, and where an element is from.

Nothing here is deployed and nothing needs the local stack: it is the convert step on a laptop. `local.cli` gives it
its commands (docs/analysts.md).
"""
