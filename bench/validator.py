"""How fast is the R4 validator? CPU time per resource, and as a ratio to fhir.resources (R4B) in the same run.

    PYTHONPATH=lambdas python -m bench.validator

Loading is measured in fresh processes. The resources are made up; their sizes are those of `docs/decisions/0004`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from headwater.fhir.validate import validate

Json = dict[str, Any]
ROUNDS = 7
_LOAD = """
import time, sys, json, headwater.model
start = time.process_time()
from headwater.fhir.validate import validate
validate({"resourceType": "Basic", "code": {"text": "x"}})
loaded = time.process_time()
patient = json.loads(sys.argv[1])
first = time.process_time()
validate(patient)
print(loaded - start, time.process_time() - first)
"""


def patient() -> Json:
    """About 2.5 KB, as an ADT feed gives it."""
    system = "https://hospital.example/ids"
    return {
        "resourceType": "Patient",
        "id": "b6f3c8e2-3a52-5c0e-9d5e-0a3a5a2b7c11",
        "meta": {
            "lastUpdated": "2026-11-22T10:15:00.000+01:00",
            "profile": ["http://example.org/fhir/Profile/patient"],
        },
        "text": {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml"><b>Ann Example</b> 1980</div>',
        },
        "extension": [
            {"url": "http://example.org/fhir/race", "extension": [{"url": "text", "valueString": "Not told"}]},
            {"url": "http://example.org/fhir/birthsex", "valueCode": "F"},
        ],
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}]},
                "system": f"{system}/{kind}",
                "value": f"{kind}-0012345678",
                "assigner": {"display": "General Hospital"},
            }
            for kind in ("MR", "SS", "DL", "PPN")
        ],
        "active": True,
        "name": [
            {"use": "official", "family": "Example", "given": ["Ann", "Beatrice"], "prefix": ["Dr."]},
            {"use": "maiden", "family": "Sample", "given": ["Ann"], "period": {"end": "2005-06-01"}},
        ],
        "telecom": [
            {"system": "phone", "value": "+1 555 0100", "use": "home", "rank": 1},
            {"system": "phone", "value": "+1 555 0101", "use": "mobile", "rank": 2},
            {"system": "email", "value": "ann@example.org"},
        ],
        "gender": "female",
        "birthDate": "1980-02-29",
        "deceasedBoolean": False,
        "address": [
            {
                "use": "home",
                "line": ["1 Main Street", "Apartment 2"],
                "city": "Springfield",
                "state": "IL",
                "postalCode": "62701",
                "country": "US",
                "period": {"start": "2010-01-01"},
            }
        ],
        "maritalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]
        },
        "contact": [
            {
                "relationship": [
                    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "N"}]}
                ],
                "name": {"family": "Example", "given": ["Bob"]},
                "telecom": [{"system": "phone", "value": "+1 555 0102"}],
            }
        ],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}, "preferred": True}],
        "generalPractitioner": [{"reference": "Practitioner/8a7d7c5e", "display": "Dr. Who"}],
        "managingOrganization": {"reference": "Organization/general", "display": "General Hospital"},
    }


def observation(number: int = 1) -> Json:
    """About 2.1 KB: a blood pressure with components and ranges."""

    def pressure(code: str, value: float, low: int, high: int) -> Json:
        unit = {"unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": "Blood pressure"}]},
            "valueQuantity": {"value": value, **unit},
            "interpretation": [
                {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "N"}
                    ]
                }
            ],
            "referenceRange": [
                {"low": {"value": low, **unit}, "high": {"value": high, **unit}, "text": f"{low}-{high}"}
            ],
        }

    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": f"observation-{number}",
        "identifier": [{"system": "https://hospital.example/ids/result", "value": f"R{number}"}],
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "vital-signs", "display": "Vital Signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "Blood pressure panel"},
        "subject": {"reference": "Patient/b6f3c8e2-3a52-5c0e-9d5e-0a3a5a2b7c11"},
        "encounter": {"reference": "Encounter/4711"},
        "effectiveDateTime": "2026-11-22T09:30:00-05:00",
        "issued": "2026-11-22T09:31:12.345-05:00",
        "performer": [{"reference": "Practitioner/8a7d7c5e"}],
        "note": [{"text": "Taken sitting, left arm."}],
        "component": [
            pressure("8480-6", 121.5, 90, 140),
            pressure("8462-4", 78, 60, 90),
            pressure("8478-0", 92, 70, 105),
        ],
    }


def bundle(entries: int = 150) -> Json:
    """About 100 KB: a transaction of small results, as a laboratory sends them."""

    def entry(number: int) -> Json:
        result = {
            key: value for key, value in observation(number).items() if key not in ("component", "note", "issued")
        }
        result["valueQuantity"] = {"value": number, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
        return {
            "fullUrl": f"urn:uuid:00000000-0000-5000-8000-{number:012d}",
            "resource": result,
            "request": {"method": "PUT", "url": f"Observation/{result['id']}"},
        }

    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry(number) for number in range(entries)]}


def microseconds(call: Callable[[], object], repeats: int) -> float:
    """CPU time of one call: the median of the rounds, after one call that is not counted."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(repeats):
            call()
        rounds.append((time.process_time() - start) / repeats * 1e6)
    return statistics.median(rounds)


def loading(sample: Json) -> tuple[float, float]:
    """Milliseconds of CPU in a fresh process: import and tables; the first Patient, which compiles its types.

    With byte code at hand, as the Lambda has it, and beside the package's own model, which every handler imports.
    """
    with tempfile.TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": byte_code, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-c", _LOAD, json.dumps(sample)]
        runs = []
        for _ in range(ROUNDS + 1):
            output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
            runs.append([float(seconds) * 1000 for seconds in output.split()])
    load, first = (statistics.median(column) for column in zip(*runs[1:], strict=True))
    return load, first


def main() -> int:
    from fhir.resources.R4B import get_fhir_model_class

    load, first = loading(patient())
    print(f"load (import and tables): {load:.1f} ms; first Patient: {first:.1f} ms")
    for name, resource, repeats in (
        ("Patient", patient(), 500),
        ("Observation", observation(), 500),
        ("Bundle", bundle(), 10),
    ):
        issues = validate(resource)
        if issues:
            print(f"the sample {name} is not valid: {issues[0]}")
            return 1
        ours = microseconds(lambda resource=resource: validate(resource), repeats)
        model = get_fhir_model_class(name)
        theirs = microseconds(
            lambda resource=resource, model=model: model.model_validate(resource), max(1, repeats // 10)
        )
        size = len(json.dumps(resource, separators=(",", ":")))
        print(f"{name:12} {size:7} bytes  {ours:8.0f} µs  fhir.resources {theirs:8.0f} µs  ratio {ours / theirs:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
