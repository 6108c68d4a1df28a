"""An EMPI that speaks FHIR: `Patient/$match` (R4 patient-operation-match.html) or IHE PIXm's `$ihe-pix` (ITI-83)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from headwater.adapters.empi.profile import Line
from headwater.model import Grade, Identified, Resource, SourceRecord, Verdict

_JSON = "application/fhir+json"
_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_NOBODY = Identified(Grade(Verdict.DIFFERENT, 1.0, ("the EMPI knows nobody like it",)))


@dataclass(frozen=True, slots=True)
class MatchEmpi:
    """`Empi` by `$match`: the one candidate that is graded certain, if no other may be it."""

    line: Line

    @property
    def name(self) -> str:
        return self.line.profile.name

    def identify(self, record: SourceRecord) -> Identified:
        patient = {name: value for name, value in record.patient.items() if name not in ("meta", "text")}
        asked = {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "resource", "resource": {**patient, "resourceType": "Patient"}},
                {"name": "onlyCertainMatches", "valueBoolean": False},
                {"name": "count", "valueInteger": 10},
            ],
        }
        answer = self.line.ask("POST", self.line.profile.path, content_type=_JSON, body=orjson.dumps(asked))
        if not isinstance(answer, dict) or answer.get("resourceType") != "Bundle":
            raise self.line.held("unreadable", "a Bundle was expected")
        candidates = list(self._candidates(answer))
        certain = [one for one in candidates if one[1] == "certain"]
        if not candidates:
            return _NOBODY
        link_id, grade, score = (certain or candidates)[0]
        alone = len(certain) == 1 and not any(one[1] == "probable" for one in candidates)
        said = f"the EMPI says {grade}, {len(candidates)} candidates"
        return Identified(Grade(Verdict.SAME if alone else Verdict.POSSIBLE, score, (said,)), link_id)

    def _candidates(self, bundle: Resource) -> Iterator[tuple[str, str, float]]:
        """Id, grade and score of each that may be it."""
        for entry in bundle.get("entry", []):
            resource, search = entry.get("resource", {}), entry.get("search", {})
            if resource.get("resourceType") != "Patient":  # an OperationOutcome may come along
                continue
            grades = [one.get("valueCode") for one in search.get("extension", []) if one.get("url") == _GRADE]
            if not isinstance(resource.get("id"), str) or not grades:
                raise self.line.held("unreadable", "a candidate without id or match-grade")
            if grades[0] != "certainly-not":
                yield resource["id"], str(grades[0]), float(search.get("score", 0))


@dataclass(frozen=True, slots=True)
class PixEmpi:
    """`Empi` by PIXm: the one id in the target domain that the EMPI has cross-referenced to the record's."""

    line: Line

    @property
    def name(self) -> str:
        return self.line.profile.name

    def identify(self, record: SourceRecord) -> Identified:
        authority, _, number = record.key.partition("|")[2].rpartition("|")
        profile = self.line.profile
        query = {"sourceIdentifier": f"{authority}|{number}", "targetSystem": profile.target_system}
        answer = self.line.ask("GET", f"{profile.path}?{urlencode(query)}", content_type=_JSON)
        if not isinstance(answer, dict) or answer.get("resourceType") != "Parameters":
            raise self.line.held("unreadable", "Parameters were expected")
        ids = {value for value in _targets(answer, profile.target_system) if value}
        if not ids:
            return _NOBODY
        one = len(ids) == 1
        said = f"the EMPI cross-references {len(ids)} ids"
        return Identified(Grade(Verdict.SAME if one else Verdict.POSSIBLE, 1.0 if one else 0.5, (said,)), min(ids))


def _targets(parameters: Resource, system: str) -> Iterator[Any]:
    for parameter in parameters.get("parameter", []):
        identifier = parameter.get("valueIdentifier", {})
        if parameter.get("name") == "targetIdentifier" and identifier.get("system") == system:
            yield identifier.get("value")
