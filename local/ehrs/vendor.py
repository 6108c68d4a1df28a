"""The vendor's own REST API of a simulated EHR: forms in, records out, under the profile's paths.

A record is made of a form's fields as `[records.<Type>]` of the EHR's file says, listed as `[rows.<Type>]` of its
profile expects it, and shown in the chart as the FHIR that the profile's row template makes of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from headwater.ehrs import Ehr, Operation, Rows
from headwater.ehrs.operation import Encoding, Transport
from headwater.model import Resource
from local.ehrs.behaviour import Behaviour
from local.ehrs.chart import Chart, Row
from local.ehrs.faults import Effects
from local.ehrs.reply import Reply

RECORD = "_record"  # where a chart row keeps the vendor's own form of itself
Build = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """What a request below the vendor's address is about; `patient` as the vendor calls them."""

    type: str
    patient: str
    operation: Operation | None = None
    rows: Rows | None = None


class Vendor:
    """Requests that are authorised already."""

    def __init__(self, ehr: Ehr, behaviour: Behaviour, chart: Chart, build: Build) -> None:
        self._ehr, self._behaviour, self._chart, self._build = ehr, behaviour, chart, build

    def route(self, method: str, path: str) -> Route | None:
        """Which of the profile's paths this is; None for another one."""
        for type_, operations in self._ehr.write.items():
            one = operations.create
            if one and one.transport is Transport.REST and one.method == method and (m := self._fits(one.path, path)):
                return Route(type_, m.groupdict().get("patient", ""), operation=one)
        for type_, rows in self._ehr.rows.items():
            if method == "GET" and (m := self._fits(rows.path, path)):
                return Route(type_, m.groupdict().get("patient", ""), rows=rows)
        return None

    def _fits(self, pattern: str, path: str) -> re.Match[str] | None:
        known = {name: re.escape(value) for name, value in self._ehr.site.items()}
        parts = re.split(r"\{([a-z_]+)\}", pattern)
        regex = "".join(
            re.escape(part) if place % 2 == 0 else known.get(part, f"(?P<{part}>[^/]+)")
            for place, part in enumerate(parts)
        )
        return re.fullmatch(regex, path)

    # ----------------------------------------------------------------------------------------------------- writing

    def create(self, route: Route, payload: bytes, effects: Effects, client: str) -> Reply:
        number = self._chart.arrived(f"POST {route.type}", payload, client)
        if effects.drop_before:
            self._chart.settled(number, "dropped before commit")
            return Reply(0, drop=True, hang=effects.hang)
        if effects.answer:
            status, headers, outcome = effects.answer
            self._chart.settled(number, str(status))
            return Reply(status, in_vendor_terms(outcome, self._ehr), headers)
        row = self._file(route, payload, effects)
        if row is None:
            self._chart.settled(number, "refused")
            return Reply(200, self._said("false", {self._error_text(): "no such patient or field"}))
        self._chart.settled(number, "committed, dropped" if effects.drop_after else "committed", row.reference)
        if effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang)
        operation = route.operation
        assert operation is not None
        return Reply(200, self._said("true", {operation.row_id: row.reference.rpartition(".")[2]}))

    def _file(self, route: Route, payload: bytes, effects: Effects) -> Row | None:
        form = _form(payload, route.operation)
        subject = f"Patient/{self._prefix()}{route.patient}"
        if form is None or (route.patient and self._chart.row(subject) is None):
            return None
        number = self._chart.next_number()
        record = _made(self._behaviour.records.get(route.type, {}), {**form, "id": str(number)})
        kept = {key: value for key, value in record.items() if key not in effects.ignored}
        resource = self._fhir(route.type, kept, route.patient)
        if resource is None:
            return None
        return self._chart.file(
            {**resource, "id": f"{route.patient}.{number}", RECORD: kept},
            payload=payload,
            commit_in=effects.commit_in,
            found_in=effects.found_in,
            gone_in=effects.gone_in,
        )

    def _fhir(self, type_: str, record: Mapping[str, Any], patient: str) -> Resource | None:
        rows = self._ehr.rows.get(type_)
        if rows is None:
            return None
        variables = {"row": record, "patient": f"Patient/{self._prefix()}{patient}", "site": self._ehr.site}
        made: Resource = self._build(rows.template, variables)
        return made

    def _said(self, success: str, more: Mapping[str, Any]) -> Resource:
        return {"success": success, **{key: value for key, value in more.items() if key}}

    def _error_text(self) -> str:
        return self._ehr.api.error_text if self._ehr.api else ""

    # ----------------------------------------------------------------------------------------------------- reading

    def list(self, route: Route, effects: Effects) -> Reply:
        if effects.drop_before or effects.drop_after:
            return Reply(0, drop=True, hang=effects.hang)
        if effects.answer:
            status, headers, outcome = effects.answer
            return Reply(status, in_vendor_terms(outcome, self._ehr), headers)
        subject = f"Patient/{self._prefix()}{route.patient}"
        found = [
            row.resource[RECORD]
            for row in self._chart.rows(route.type, searchable=True)
            if RECORD in row.resource and row.resource.get("subject", {}).get("reference") == subject
        ]
        items = route.rows.items if route.rows else ""
        return Reply(200, {items or "items": found, "totalcount": len(found)})

    def _prefix(self) -> str:
        prefix = self._ehr.api.patient_prefix if self._ehr.api else ""
        return re.sub(r"\{([a-z_]+)\}", lambda match: self._ehr.site.get(match[1], ""), prefix)


def in_vendor_terms(outcome: Resource | None, ehr: Ehr) -> Resource | None:
    """An OperationOutcome as this vendor would put it: code and words where its profile says that they stand."""
    if outcome is None or ehr.api is None or not (ehr.api.error_code or ehr.api.error_text):
        return outcome
    issue = outcome["issue"][0]
    code = next((coding["code"] for coding in issue.get("details", {}).get("coding", [])), issue["code"])
    said: Resource = {}
    for path, value in ((ehr.api.error_code, code), (ehr.api.error_text, issue.get("diagnostics", code))):
        if path:
            said[path] = value
    return said


def _form(payload: bytes, operation: Operation | None) -> dict[str, Any] | None:
    """The fields of a form, or of a JSON object; what is JSON inside a field is read too."""
    try:
        if operation is None or operation.encoding is Encoding.JSON:
            found = json.loads(payload)
            return found if isinstance(found, dict) else None
        fields = dict(parse_qsl(payload.decode(), keep_blank_values=True, strict_parsing=True))
        return {name: json.loads(text) if text[:1] in "[{" and text else text for name, text in fields.items()}
    except ValueError:
        return None


def _made(pattern: Any, form: Mapping[str, Any]) -> Any:
    """A record: `=name` stands for the field of the form."""
    if isinstance(pattern, Mapping):
        return {key: _made(value, form) for key, value in pattern.items()}
    if isinstance(pattern, list | tuple):
        return [_made(value, form) for value in pattern]
    if isinstance(pattern, str) and pattern.startswith("="):
        return form.get(pattern[1:], "")
    return pattern
