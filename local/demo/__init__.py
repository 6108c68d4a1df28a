"""A demonstration: invented people, the messages three EHRs send about them, and what those EHRs know of them."""
