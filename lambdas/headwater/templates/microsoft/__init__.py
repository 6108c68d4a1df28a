"""The Microsoft dialect: templates of microsoft/FHIR-Converter, verbatim. docs/templates.md lists its rules."""
