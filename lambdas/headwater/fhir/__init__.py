"""FHIR R4 4.0.1, the one version that HealthLake stores: is a resource valid, what does it point to, what is its id."""
