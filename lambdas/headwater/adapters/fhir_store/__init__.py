"""The FHIR R4 store: the `FhirStore` port."""
