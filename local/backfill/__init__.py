"""What `headwater backfill` is made of: a plan of the files, two ways to run it (Step Functions; this machine), and the
account that is given of either. docs/backfill.md is the page about it."""
