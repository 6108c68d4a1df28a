"""FHIR as a sender writes it: one resource, a Bundle, or NDJSON, recognised by version and cut by patient."""
