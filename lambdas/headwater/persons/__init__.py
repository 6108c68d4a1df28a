"""What makes two records one person: normalise, compare, grade. Pure functions; their weights are data in mappings/."""
