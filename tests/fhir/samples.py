"""Small valid resources that the tests of this folder break, one thing at a time."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
XHTML = "http://www.w3.org/1999/xhtml"

_TEXT = {"text": "of no consequence"}
_EXTENSION = {"url": "http://example.org/fhir/note", "valueString": "seen"}

SAMPLES: dict[str, Json] = {
    "Patient": {
        "resourceType": "Patient",
        "id": "pat-1",
        "identifier": [{"system": "urn:oid:1.2.36.146", "value": "12345"}],
        "name": [{"use": "official", "family": "Example", "given": ["Ann"]}],
        "telecom": [{"system": "phone", "value": "555 0100"}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "contact": [{"name": {"family": "Example"}}],
    },
    "Observation": {
        "resourceType": "Observation",
        "id": "obs-1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/pat-1"},
        "effectiveDateTime": "2026-11-22T09:30:00-05:00",
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "valueQuantity": {"value": 120.5, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
                "referenceRange": [{"low": {"value": 90}, "high": {"value": 140}}],
            }
        ],
    },
    "Condition": {
        "resourceType": "Condition",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "code": _TEXT,
        "subject": {"reference": "Patient/pat-1"},
        "stage": [{"summary": _TEXT}],
        "evidence": [{"code": [_TEXT]}],
    },
    "AllergyIntolerance": {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
        "criticality": "high",
        "patient": {"reference": "Patient/pat-1"},
        "reaction": [{"manifestation": [_TEXT], "severity": "mild"}],
    },
    "Encounter": {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/pat-1"},
        "period": {"start": "2026-11-01", "end": "2026-11-02T10:00:00Z"},
    },
    "MedicationRequest": {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _TEXT,
        "subject": {"reference": "Patient/pat-1"},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg", "system": UCUM, "code": "mg"}}],
            }
        ],
    },
    "Immunization": {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": _TEXT,
        "patient": {"reference": "Patient/pat-1"},
        "occurrenceDateTime": "2026-11",
        "education": [{"reference": "http://literature.example/leaflet"}],
    },
    "DocumentReference": {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8="}}],
    },
    "Organization": {
        "resourceType": "Organization",
        "name": "General Hospital",
        "telecom": [{"system": "phone", "value": "555 0199", "use": "work"}],
        "address": [{"use": "work", "city": "Springfield"}],
    },
    "DiagnosticReport": {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": _TEXT,
        "subject": {"reference": "Patient/pat-1"},
        "result": [{"reference": "Observation/obs-1"}],
    },
    "Procedure": {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/pat-1"},
        "performedPeriod": {"start": "2026-11-22T10:00:00+01:00", "end": "2026-11-22T10:00:00Z"},
    },
    "Coverage": {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": {"reference": "Patient/pat-1"},
        "payor": [{"reference": "Organization/org-1"}],
        "costToBeneficiary": [{"valueQuantity": {"value": 10}}],
    },
    "Consent": {
        "resourceType": "Consent",
        "status": "active",
        "scope": _TEXT,
        "category": [_TEXT],
        "policyRule": _TEXT,
    },
    "Linkage": {
        "resourceType": "Linkage",
        "item": [
            {"type": "source", "resource": {"reference": "Patient/a"}},
            {"type": "alternate", "resource": {"reference": "Patient/b"}},
        ],
    },
    "Appointment": {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2026-11-22T10:00:00Z",
        "end": "2026-11-22T10:30:00Z",
        "participant": [{"actor": {"reference": "Patient/pat-1"}, "status": "accepted"}],
    },
    "Questionnaire": {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [
            {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "string", "maxLength": 20}]},
            {"linkId": "2", "type": "boolean"},
        ],
    },
    "Parameters": {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "resource", "resource": {"resourceType": "Patient"}},
            {"name": "onlyCertainMatches", "valueBoolean": True},
        ],
    },
    "Task": {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "authoredOn": "2026-11-21",
        "lastModified": "2026-11-22T00:00:00Z",
        "input": [{"type": _TEXT, "valueReference": {"reference": "Binary/1"}}],
    },
    "Bundle": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "resource": {"resourceType": "Patient", "active": True},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1",
                "resource": {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": _TEXT,
                    "subject": {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
                },
                "request": {"method": "PUT", "url": "Observation/2"},
            },
        ],
    },
}

# Whatever else HL7's pages say is valid, and is easily rejected by mistake.
VALID: dict[str, Json] = {
    "nothing but a type": {"resourceType": "Patient"},
    "extension in place of a required code": {
        "resourceType": "Observation",
        "_status": {
            "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
        },
        "code": _TEXT,
    },
    "null where the other list has an extension": {
        "resourceType": "Patient",
        "name": [{"given": ["Ann", None], "_given": [None, {"extension": [_EXTENSION]}]}],
    },
    "id beside a primitive value": {"resourceType": "Patient", "birthDate": "1980", "_birthDate": {"id": "b1"}},
    "extension beside a choice of primitive type": {
        "resourceType": "Patient",
        "deceasedDateTime": "2026",
        "_deceasedDateTime": {"extension": [_EXTENSION]},
    },
    "only an extension in a choice": {"resourceType": "Patient", "_deceasedBoolean": {"extension": [_EXTENSION]}},
    "primitive extension on an extension's value": {
        "resourceType": "Patient",
        "extension": [{"url": "http://example.org/fhir/when", "_valueDateTime": {"extension": [_EXTENSION]}}],
    },
    "extension of a type that R4B dropped": {
        "resourceType": "Patient",
        "extension": [{"url": "http://example.org/fhir/m", "valueMeta": {"versionId": "1"}}],
    },
    "nested extensions with relative urls": {
        "resourceType": "Patient",
        "extension": [{"url": "http://example.org/fhir/race", "extension": [{"url": "text", "valueString": "x"}]}],
    },
    "modifier extension": {"resourceType": "Patient", "modifierExtension": [_EXTENSION]},
    "contained, referred to by id": {
        "resourceType": "Observation",
        "status": "final",
        "code": _TEXT,
        "subject": {"reference": "#p"},
        "contained": [{"resourceType": "Patient", "id": "p"}],
    },
    "contained, referring to its container": {
        "resourceType": "Observation",
        "status": "final",
        "code": _TEXT,
        "contained": [
            {
                "resourceType": "Provenance",
                "id": "p",
                "target": [{"reference": "#"}],
                "recorded": "2026-11-22T00:00:00Z",
                "agent": [{"who": {"display": "x"}}],
            }
        ],
    },
    "reference by absolute url, by version, by identifier, conditional": {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "entry": [
            {"item": {"reference": reference}}
            for reference in (
                "https://ehr.example/fhir/Patient/1",
                "https://ehr.example/fhir/Patient/1/_history/2",
                "Patient/1/_history/2",
                "urn:oid:1.2.3",
                "Patient?identifier=urn:x|1",
            )
        ]
        + [{"item": {"identifier": {"value": "1"}}}, {"item": {"display": "on paper"}}],
    },
    "numbers without a fraction are decimals": {
        "resourceType": "Observation",
        "status": "final",
        "code": _TEXT,
        "valueQuantity": {"value": 5},
    },
    "instant with leap second, offset and fraction": {
        "resourceType": "Observation",
        "status": "final",
        "code": _TEXT,
        "effectiveInstant": "2016-12-31T23:59:60.123456789+14:00",
    },
    "text with line breaks and letters of all languages": {
        "resourceType": "Patient",
        "name": [{"text": "Ann\r\n\tAnnélie 王\u00a0芳"}],
    },
    "base64 in lines": {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": "aGVs\r\nbG8="}}],
    },
    "narrative with formatting": {
        "resourceType": "Patient",
        "text": {
            "status": "generated",
            "div": f'<div xmlns="{XHTML}"><table ><tr><td>1 &lt; 2&#160;</td></tr></table><a href="#x">y</a></div>',
        },
    },
    "a coding beside the required one": {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/1"},
        "verificationStatus": {
            "coding": [
                {"system": "http://example.org/local", "code": "C"},
                {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"},
            ]
        },
    },
    "period within one day, at different precision": {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "period": {"start": "2026-11-22T23:00:00-05:00", "end": "2026-11-22"},
    },
    "searchset": {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 1,
        "link": [{"relation": "self", "url": "https://store.example/Patient?_id=1"}],
        "entry": [
            {
                "fullUrl": "https://store.example/Patient/1",
                "resource": {"resourceType": "Patient"},
                "search": {"mode": "match"},
            }
        ],
    },
    "history with one fullUrl in two versions": {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [
            {
                "fullUrl": "https://store.example/Patient/1",
                "resource": {"resourceType": "Patient", "meta": {"versionId": version}},
                "request": {"method": "PUT", "url": "Patient/1"},
                "response": {"status": "200"},
            }
            for version in ("1", "2")
        ],
    },
    "collection with one fullUrl in two versions": {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": "https://s.example/Patient/1",
                "resource": {"resourceType": "Patient", "meta": {"versionId": version}},
            }
            for version in ("1", "2")
        ],
    },
    "document": {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"},
        "timestamp": "2026-11-22T00:00:00Z",
        "entry": [
            {
                "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "resource": {
                    "resourceType": "Composition",
                    "status": "final",
                    "type": _TEXT,
                    "date": "2026",
                    "author": [{"display": "x"}],
                    "title": "x",
                },
            }
        ],
    },
    "conditional delete without a resource": {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "DELETE", "url": "Patient?identifier=1"}}],
    },
}


def sample(name: str) -> Json:
    return deepcopy(SAMPLES[name])


def broken(name: str, path: str, value: Any) -> Json:
    """The sample with `value` at `path` (`component.0.code`); None as value takes the element away."""
    resource = sample(name)
    *steps, last = path.split(".")
    node: Any = resource
    for step in steps:
        node = node[int(step)] if step.isdigit() else node[step]
    if value is None:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return resource
