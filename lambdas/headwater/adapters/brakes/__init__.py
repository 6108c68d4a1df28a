"""What holds writes back, shared by all workers: the `Brakes` port."""
