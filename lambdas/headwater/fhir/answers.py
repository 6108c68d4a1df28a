"""Answers that are about a message and about no patient: acknowledgements (HL7 v2 ACK, FHIR R4 messageheader.html)."""

from __future__ import annotations

from collections.abc import Iterable

from headwater.model import Resource

OK = "ok"


def outcome_of(resources: Iterable[Resource]) -> str:
    """What an answer about nobody says of the message that it answers: its response-code (`ok`, `transient-error`,
    `fatal-error`). Empty for what is no answer, and for an answer that is about a patient as well."""
    outcome = ""
    for resource in resources:
        if resource["resourceType"] == "Patient":
            return ""
        if resource["resourceType"] == "MessageHeader" and "response" in resource:
            outcome = str(resource["response"].get("code", ""))
    return outcome
