"""What the simulated EHRs know before the demonstration begins: the FHIR Patients of their charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headwater.ehrs import Ehr
from headwater.model import Resource
from local.demo.people import Chart

_ID_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_SSN = "http://hl7.org/fhir/sid/us-ssn"


def patients(charts: Iterable[Chart], ehrs: Mapping[str, Ehr]) -> dict[str, list[Resource]]:
    """FHIR R4 Patients by EHR, each with the EHR's own number under the EHR's own system."""
    by_ehr: dict[str, list[Resource]] = {}
    for chart in charts:
        by_ehr.setdefault(chart.ehr, []).append(_patient(chart, ehrs[chart.ehr].patient.identifier_system))
    return by_ehr


def _patient(chart: Chart, system: str) -> Resource:
    human = chart.human
    identifiers = [_identifier("MR", system, chart.mrn)] + ([_identifier("SS", _SSN, human.ssn)] if human.ssn else [])
    return {
        "resourceType": "Patient",
        "id": f"pat-{chart.mrn.lower()}",
        "active": True,
        "identifier": identifiers,
        "name": [{"use": "official", "family": human.family, "given": [human.given, *filter(None, [human.middle])]}],
        "gender": "female" if human.gender == "F" else "male",
        "birthDate": human.birth_date.isoformat(),
        "telecom": [{"system": "phone", "use": "home", "value": human.phone}],
        "address": [
            {"line": [human.street], "city": human.city, "state": human.state, "postalCode": human.postal_code}
        ],
    }


def _identifier(kind: str, system: str, value: str) -> Resource:
    return {"type": {"coding": [{"system": _ID_TYPE, "code": kind}]}, "system": system, "value": value}
