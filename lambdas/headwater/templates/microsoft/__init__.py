"""The Microsoft dialect: templates of microsoft/FHIR-Converter run verbatim. Its rules are listed in docs/templates.md."""
