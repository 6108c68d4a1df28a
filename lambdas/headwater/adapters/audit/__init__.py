"""The append-only, hash-chained log: the `AuditLog` port."""
