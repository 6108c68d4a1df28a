"""Measuring and training the person match: sets with known truth, the gate in arrival order, the weights from it."""
