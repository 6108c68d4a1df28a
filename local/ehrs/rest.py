"""The FHIR REST API of a simulated EHR: create, read, update and search, as profile, behaviour and faults have it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from headwater.ehrs import Ehr, Operation, values
from headwater.model import Resource
from local.ehrs.behaviour import Behaviour
from local.ehrs.chart import Chart, Clock, Row, iso
from local.ehrs.faults import Effects, outcome
from local.ehrs.search import NotSearchable, check, matches


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `drop` ends the connection without it, after `hang` seconds."""

    status: int
    body: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: float = 0.0


class Rest:
    """Requests that are authorised already. `base` is the absolute base URL."""

    def __init__(self, ehr: Ehr, behaviour: Behaviour, chart: Chart, clock: Clock, base: str) -> None:
        self._ehr = ehr
        self._behaviour = behaviour
        self._chart = chart
        self._clock = clock
        self._base = base

    # ------------------------------------------------------------------------------------------------------ write

    def create(self, type_: str, payload: bytes, effects: Effects, client: str) -> Reply:
        number = self._chart.arrived(f"POST {type_}", payload, client)
        if effects.drop_before:
            self._chart.settled(number, "dropped before commit")
            return Reply(0, drop=True, hang=effects.hang)
        reply, row = self._create(type_, payload, effects)
        what = f"committed, {'dropped' if reply.drop else f'answered {reply.status}'}" if row else f"{reply.status}"
        self._chart.settled(number, what, row.reference if row else "")
        return reply

    def _create(self, type_: str, payload: bytes, effects: Effects) -> tuple[Reply, Row | None]:
        if effects.answer:
            status, headers, body = effects.answer
            return Reply(status, body, headers), None
        operation = self._known(type_)
        if operation is None:
            return Reply(405, outcome("not-supported", text=f"{type_} create is not supported")), None
        resource = _parsed(payload)
        if resource is None or resource.get("resourceType") != type_ or "id" in resource:
            return Reply(400, outcome("invalid", text="not such a resource, or it has an id")), None
        if refusal := self._refusal(resource, operation, effects):
            return refusal, None
        if effects.held:
            self._chart.hold(self._kept(resource, operation, effects), payload, gone_in=effects.gone_in)
            return Reply(effects.status or 202), None
        row = self._chart.file(
            self._kept(resource, operation, effects),
            payload=payload,
            commit_in=effects.commit_in,
            found_in=effects.found_in,
            gone_in=effects.gone_in,
        )
        if effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang), row
        return self._written(row, effects.status or self._behaviour.create_status), row

    def update(self, type_: str, id_: str, payload: bytes, if_match: str, effects: Effects) -> Reply:
        """R4 http.html#update, with the version check that the EHR demands; a missing element is gone after it."""
        row = self._chart.row(f"{type_}/{id_}")
        resource, operation = _parsed(payload), self._known(type_)
        if operation is None or row is None:
            return Reply(405 if operation is None else 404, outcome("not-supported" if row else "not-found"))
        if resource is None or resource.get("id") != id_:
            return Reply(400, outcome("invalid", text="not such a resource, or another id"))
        if effects.bump:
            row = self.edit(row, {})
        if not if_match and self._behaviour.if_match_required:
            return Reply(428, outcome("required", text="If-Match is required"))
        if if_match and if_match != f'W/"{row.version}"':
            return Reply(self._behaviour.conflict_status, outcome("conflict", text="out-of-date version"))
        try:
            return self._written(
                self._chart.revise(row, self._kept(resource, operation, effects), payload=payload), 200
            )
        except sqlite3.IntegrityError:
            return Reply(self._behaviour.conflict_status, outcome("conflict", text="out-of-date version"))

    def edit(self, row: Row, changes: Mapping[str, Any]) -> Row:
        """What a clinician does at the EHR's own screen."""
        return self._chart.revise(row, {**row.resource, **changes})

    def _known(self, type_: str) -> Operation | None:
        operations = self._ehr.write.get(type_)
        return operations.create if operations else None

    def _refusal(self, resource: Resource, operation: Operation, effects: Effects) -> Reply | None:
        known = self._behaviour
        if unmet := operation.unmet(resource):
            body = outcome("business-rule", vendor=known.unmet_code, text=f"not accepted: {', '.join(unmet)}")
            return Reply(known.unmet_status, body)
        reference = next(iter(values(resource, "subject.reference")), "")
        if moved := self._moved(str(reference).removeprefix("Patient/"), effects):
            return moved
        if self._chart.row(str(reference)) is None:
            return Reply(known.unknown_status, outcome("not-found", vendor=known.unknown_code, text="subject"))
        return None

    def _kept(self, resource: Resource, operation: Operation, effects: Effects) -> Resource:
        """What the EHR files: less than was sent, or more."""
        dropped = {path.partition(".")[2] for path in operation.losses} | set(effects.ignored)
        kept = {key: value for key, value in resource.items() if key not in dropped}
        if effects.default_effective_now and "effectiveDateTime" not in kept:
            kept["effectiveDateTime"] = iso(self._clock())
        quantity = kept.get("valueQuantity")
        if effects.default_unit and isinstance(quantity, dict) and not quantity.get("unit"):
            kept["valueQuantity"] = {**quantity, "unit": effects.default_unit}
        return kept

    def _written(self, row: Row, status: int) -> Reply:
        known = self._behaviour
        headers = {"ETag": f'W/"{row.version}"', "Last-Modified": row.resource["meta"]["lastUpdated"]}
        if status != 200:
            headers["Location"] = f"{self._base}/{row.reference}"
        if known.create_answers_resource:
            return Reply(status, row.resource, headers)
        return Reply(
            status, None, headers | ({"Content-Type": known.empty_content_type} if known.empty_content_type else {})
        )

    # ------------------------------------------------------------------------------------------------------- read

    def read(self, type_: str, id_: str, effects: Effects) -> Reply:
        if early := self._early(effects, id_ if type_ == "Patient" else ""):
            return early
        row = self._chart.row(f"{type_}/{id_}")
        if row is None:
            return Reply(404, outcome("not-found"))
        return Reply(200, _masked(row.resource, effects.masked), {"ETag": f'W/"{row.version}"'})

    def search(self, type_: str, parameters: Mapping[str, str], effects: Effects) -> Reply:
        """One page, with a link to the next; `_page` is this server's own parameter."""
        if early := self._early(effects, parameters.get("patient", "").removeprefix("Patient/")):
            return early
        asked = {name: value for name, value in parameters.items() if name not in ("_count", "_page", "_format")}
        known = self._behaviour.searchable.get(type_, ())
        if not asked or type_ not in self._behaviour.searchable:
            return Reply(400, outcome("required", text="no supported search parameters provided"))
        try:
            check(asked, known)
            count = min(int(parameters.get("_count", self._behaviour.page_size)), self._behaviour.page_size)
            first = int(parameters.get("_page", 0)) * count
            found = [row for row in self._chart.rows(type_, searchable=True) if matches(row.resource, asked, known)]
        except NotSearchable as error:
            return Reply(400, outcome("not-supported", text=f"search parameter {error}"))
        except ValueError:
            return Reply(400, outcome("invalid", text="_count or _page"))
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "entry": []}
        for row in found[first : first + count]:
            entry = {"fullUrl": f"{self._base}/{row.reference}", "resource": _masked(row.resource, effects.masked)}
            bundle["entry"].append({**entry, "search": {"mode": "match"}})
        if len(found) > first + count:
            following = urlencode({**parameters, "_page": first // count + 1})
            bundle["link"] = [{"relation": "next", "url": f"{self._base}/{type_}?{following}"}]
        return Reply(200, bundle)

    def _early(self, effects: Effects, patient: str) -> Reply | None:
        if effects.drop_before or effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang)
        if effects.answer:
            status, headers, body = effects.answer
            return Reply(status, body, headers)
        return self._moved(patient, effects)

    def _moved(self, patient: str, effects: Effects) -> Reply | None:
        """A merged patient answers with a redirect to the one that is left."""
        if patient not in effects.merged:
            return None
        location = f"{self._base}/Patient/{effects.merged[patient]}"
        body = outcome("processing", vendor=self._behaviour.merged_code)
        return Reply(301, body, {"Location": location})

    # -------------------------------------------------------------------------------------------------- conformance

    def capabilities(self) -> Resource:
        """R4 capabilitystatement.html, of what this simulation really does."""
        resources = []
        for type_, names in self._behaviour.searchable.items():
            codes = ["read", "search-type", *(["create", "update"] if self._known(type_) else [])]
            resources.append(
                {
                    "type": type_,
                    "interaction": [{"code": code} for code in codes],
                    "conditionalCreate": False,
                    "searchParam": [{"name": name, "type": "token"} for name in names],
                }
            )
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "kind": "instance",
            "date": "2026-11-22",
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "implementation": {"description": "Simulation made from public documents", "url": self._base},
            "rest": [{"mode": "server", "resource": resources}],
        }


def _parsed(payload: bytes) -> Resource | None:
    try:
        resource = json.loads(payload)
    except ValueError:
        return None
    return resource if isinstance(resource, dict) else None


def _masked(resource: Resource, elements: tuple[str, ...]) -> Resource:
    """Elements hidden as http://terminology.hl7.org/CodeSystem/data-absent-reason#masked."""
    if not any(element in resource for element in elements):
        return resource
    kept = {key: value for key, value in resource.items() if key not in elements}
    coding = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "masked"}
    return {**kept, "dataAbsentReason": {"coding": [coding]}}
