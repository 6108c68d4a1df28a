"""The FHIR REST API of a simulated EHR: create, read, update and search, as profile, behaviour and faults have it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from headwater.ehrs import AnswerBody, Ehr, Operation, Precondition, Transport, values
from headwater.model import Resource
from local.ehrs.behaviour import Behaviour
from local.ehrs.chart import Chart, Clock, Row, iso
from local.ehrs.faults import Effects, outcome
from local.ehrs.reply import Reply
from local.ehrs.search import NotSearchable, check, matches
from local.ehrs.vendor import RECORD, in_vendor_terms


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

    def operate(self, type_: str, payload: bytes, effects: Effects, client: str) -> Reply:
        """A Bundle posted to an operation: its resource of this type is filed, and an entry says what became of it."""
        number = self._chart.arrived(f"POST {type_}", payload, client)
        if effects.drop_before:
            self._chart.settled(number, "dropped before commit")
            return Reply(0, drop=True, hang=effects.hang)
        bundle = _parsed(payload) or {}
        inner = [entry.get("resource", {}) for entry in bundle.get("entry", []) if isinstance(entry, dict)]
        mine: Resource = next((one for one in inner if one.get("resourceType") == type_), {})
        reply, row = self._create(type_, json.dumps(mine).encode(), effects, as_sent=payload)
        self._chart.settled(
            number, f"committed, {reply.status}" if row else f"{reply.status}", row.reference if row else ""
        )
        if reply.drop or reply.status >= 500 or reply.status in (401, 403, 404, 429):
            return reply
        failed = reply.status >= 400 or (reply.body or {}).get("resourceType") == "OperationOutcome"
        response: Resource = {"status": str(reply.status if reply.status != 200 or not failed else 422)}
        if failed:
            response["outcome"] = reply.body
        elif row:
            response["location"] = f"{self._base}/{row.reference}/_history/{row.version}"
        done: Resource = {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": response}]}
        return Reply(200, {**done, "entry": []} if effects.held else done)

    def _create(
        self, type_: str, payload: bytes, effects: Effects, *, as_sent: bytes = b""
    ) -> tuple[Reply, Row | None]:
        """`as_sent` is what arrived, where the resource came inside of it."""
        if effects.answer:
            status, headers, body = effects.answer
            return Reply(status, in_vendor_terms(body, self._ehr) if status != 200 else body, headers), None
        operation = self._known(type_)
        if operation is None:
            return Reply(405, outcome("not-supported", text=f"{type_} create is not supported")), None
        resource = _parsed(payload)
        if resource is None or resource.get("resourceType") != type_ or "id" in resource:
            return Reply(400, outcome("invalid", text="not such a resource, or it has an id")), None
        if refusal := self._refusal(resource, operation, effects):
            return refusal, None
        if effects.held:
            self._chart.hold(self._kept(resource, operation, effects), as_sent or payload, gone_in=effects.gone_in)
            return Reply(effects.status or 202), None
        row = self._chart.file(
            self._kept(resource, operation, effects),
            payload=as_sent or payload,
            commit_in=effects.commit_in,
            found_in=effects.found_in,
            gone_in=effects.gone_in,
        )
        if effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang), row
        if effects.others_ack:  # the acknowledgement of another write of ours comes back for this one
            others = [one for one in self._chart.rows(type_) if one.payload_hash not in ("", row.payload_hash)]
            return self._written(others[-1] if others else row, self._behaviour.create_status), row
        if operation.answer_body is AnswerBody.RECORD:
            return Reply(200, {"status": "1", operation.row_id: row.resource["id"]}), row
        return self._written(row, effects.status or self._behaviour.create_status), row

    def update(
        self, type_: str, id_: str, payload: bytes, condition: Mapping[str, str], effects: Effects, client: str
    ) -> Reply:
        """R4 http.html#update, with the version check that the EHR demands; a missing element is gone after it.

        `condition` are the request's headers.
        """
        number = self._chart.arrived(f"PUT {type_}", payload, client)
        reply, row = self._update(type_, id_, payload, condition, effects)
        what = f"committed, {'dropped' if reply.drop else f'answered {reply.status}'}" if row else f"{reply.status}"
        self._chart.settled(number, what, row.reference if row else "")
        return reply

    def _update(
        self, type_: str, id_: str, payload: bytes, condition: Mapping[str, str], effects: Effects
    ) -> tuple[Reply, Row | None]:
        row = self._chart.row(f"{type_}/{id_}")
        resource, operation = _parsed(payload), self._known(type_, "update")
        if early := self._early(effects, "", writing=True):
            return early, None
        if operation is None or row is None:
            return Reply(405 if operation is None else 404, outcome("not-supported" if row else "not-found")), None
        if resource is None or resource.get("id", id_) != id_:
            return Reply(400, outcome("invalid", text="not such a resource, or another id")), None
        if effects.bump:
            row = self.edit(row, effects.bump_sets)
        if unmet := self._unmet_condition(row, condition):
            return unmet, None
        try:
            kept = {**self._kept(resource, operation, effects), "id": id_}
            revised = self._chart.revise(row, kept, payload=payload)
        except sqlite3.IntegrityError:
            return Reply(self._behaviour.conflict_status, outcome("conflict", text="out-of-date version")), None
        if effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang), revised
        return self._written(revised, 200), revised

    def _unmet_condition(self, row: Row, condition: Mapping[str, str]) -> Reply | None:
        """RFC 9110 §13.1: If-Match, or If-Unmodified-Since with its whole seconds, as the profile says."""
        way = self._ehr.api.precondition if self._ehr.api else Precondition.NONE
        stale = Reply(self._behaviour.conflict_status, outcome("conflict", text="out-of-date version"))
        if way is Precondition.IF_UNMODIFIED_SINCE:
            said = condition.get("if-unmodified-since", "")
            if not said:
                return Reply(428, outcome("required", text="If-Unmodified-Since is required"))
            return stale if int(row.committed_at) > parsedate_to_datetime(said).timestamp() else None
        if_match = condition.get("if-match", "")
        if not if_match and self._behaviour.if_match_required:
            return Reply(428, outcome("required", text="If-Match is required"))
        return stale if if_match and if_match != f'W/"{row.version}"' else None

    def edit(self, row: Row, changes: Mapping[str, Any]) -> Row:
        """What a clinician does at the EHR's own screen."""
        return self._chart.revise(row, {**row.resource, **changes})

    def _known(self, type_: str, name: str = "create") -> Operation | None:
        found: Operation | None = getattr(self._ehr.write.get(type_), name, None)
        return None if found and found.transport is Transport.REST else found

    def _refusal(self, resource: Resource, operation: Operation, effects: Effects) -> Reply | None:
        known = self._behaviour
        if unmet := operation.unmet(resource):
            body = outcome("business-rule", vendor=known.unmet_code, text=f"not accepted: {', '.join(unmet)}")
            return Reply(known.unmet_status, body)
        reference = next(iter((*values(resource, "subject.reference"), *values(resource, "patient.reference"))), "")
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
        return Reply(200, _masked(bare(row.resource), effects.masked), {"ETag": f'W/"{row.version}"'})

    def search(self, type_: str, parameters: Mapping[str, str], effects: Effects) -> Reply:
        """One page, with a link to the next; `_page` is this server's own parameter."""
        if early := self._early(effects, parameters.get("patient", "").removeprefix("Patient/")):
            return early
        own = {"_count", "_page", "_format", *(self._ehr.api.query if self._ehr.api else ())}
        asked = {name: value for name, value in parameters.items() if name not in own}
        known = self._behaviour.search_parameters(type_)
        if not asked:
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
            entry = {
                "fullUrl": f"{self._base}/{row.reference}",
                "resource": _masked(bare(row.resource), effects.masked),
            }
            bundle["entry"].append({**entry, "search": {"mode": "match"}})
        if len(found) > first + count:
            following = urlencode({**parameters, "_page": first // count + 1})
            bundle["link"] = [{"relation": "next", "url": f"{self._base}/{type_}?{following}"}]
        return Reply(200, bundle)

    def _early(self, effects: Effects, patient: str, *, writing: bool = False) -> Reply | None:
        if effects.drop_before or (effects.drop_after and not writing):
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
        for type_ in sorted({"Patient", *self._ehr.write}):
            names = self._behaviour.search_parameters(type_)
            codes = ["read", "search-type", *(name for name in ("create", "update") if self._known(type_, name))]
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


def bare(resource: Resource) -> Resource:
    """A row as FHIR, without the vendor's own form of it."""
    return {key: value for key, value in resource.items() if key != RECORD}


def _masked(resource: Resource, elements: tuple[str, ...]) -> Resource:
    """Elements (`value` is any value[x]) hidden as http://terminology.hl7.org/CodeSystem/data-absent-reason#masked."""
    hidden = {key for key in resource for element in elements if key == element or (element == "value" == key[:5])}
    if not hidden or resource["resourceType"] == "Patient":
        return resource
    kept = {key: value for key, value in resource.items() if key not in hidden}
    coding = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "masked"}
    return {**kept, "dataAbsentReason": {"coding": [coding]}}
