"""One line and one metric per step: the `Watch` port."""
