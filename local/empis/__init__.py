"""A simulated EMPI, made from public documents, for tests: no vendor's product, and no vendor's match."""
