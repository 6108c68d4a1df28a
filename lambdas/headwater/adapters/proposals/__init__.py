"""The ledger of write-backs: the `Proposals` port."""
