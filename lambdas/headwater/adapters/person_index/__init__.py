"""Where persons are kept and found: the `PersonIndex` port."""
