"""A vendor's own REST API, shown as FHIR: forms or JSON out, its rows made FHIR by templates of the EHR's folder.

Some EHRs take writes there only. A row's id is often good below its patient only; then the reference is
`Condition/<patient>.<row>`, and who reads it back asks for the patient's list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode, urljoin

from headwater.adapters.ehr.answers import as_fhir
from headwater.adapters.ehr.session import Session, milliseconds_since
from headwater.ehrs import Encoding, Operation, Rows, values
from headwater.errors import HeadwaterError, Refuse
from headwater.model import Answer, Resource

MOST_PAGES = 50
_TYPES = {Encoding.FORM: "application/x-www-form-urlencoded", Encoding.JSON: "application/json"}

Build = Callable[[str, Mapping[str, object]], Resource]


class RestApi:
    """The vendor's own endpoints of one EHR; `build` renders one of its templates to JSON."""

    def __init__(self, session: Session, rows: Mapping[str, Rows], site: Mapping[str, str], build: Build) -> None:
        self._session = session
        self._rows = rows
        self._site = site
        self._build = build

    def lists(self, resource_type: str) -> bool:
        """Whether rows of this type are read here, and not by FHIR."""
        return resource_type in self._rows

    def create(self, operation: Operation, resource_type: str, payload: bytes, patient: str) -> Answer:
        """The vendor's answer in FHIR's terms (`answers`)."""
        headers = {"Content-Type": _TYPES[operation.encoding], "Accept": "application/json"}
        url = self._url(operation.path, {"patient": self._id(patient)})
        answer = self._session.ask(operation.method, url, payload, headers=headers)
        rows = self._rows.get(resource_type)
        prefix = _below(rows, self._id(patient)) if rows else ""
        return as_fhir(answer, operation, resource_type, self._session.api, id_prefix=prefix)

    def read(self, reference: str) -> Answer:
        """The row, out of its patient's list; 404 when it is not there."""
        resource_type, _, id_ = reference.partition("/")
        patient, dot, _ = id_.rpartition(".")
        if not dot:
            raise Refuse("send.reference_malformed", place="reference", hint="expected Type/<patient>.<row>")
        answer = self.search(resource_type, {"patient": patient})
        if answer.status != 200:
            return answer
        rows = [entry["resource"] for entry in (answer.body or {})["entry"]]
        row = next((row for row in rows if row["id"] == id_), None)
        return replace(answer, status=200 if row else 404, body=row)

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        """All rows of `parameters`' patient, or the patients with its `identifier` (`system|value`), as a searchset.

        What the vendor's list cannot select is left to the caller to compare. Status 0 when the list is not whole.
        """
        started = time.monotonic()
        listed = self._rows[resource_type]
        patient = self._id(parameters.get("patient", ""))
        identifier = parameters.get("identifier", "").rpartition("|")[2]
        about = {"patient": patient, "identifier": identifier}
        query = {name: self._session.filled(value, about, quoted=False) for name, value in listed.query.items()}
        url = self._url(listed.path, about)
        url = f"{url}?{urlencode(query)}" if query else url
        rows: list[Resource] = []
        for _ in range(MOST_PAGES):
            answer = self._session.ask("GET", url, headers={"Accept": "application/json"})
            if answer.status == 404 and "{identifier}" in listed.path:  # nobody there has that number
                answer = replace(answer, status=200, body={"items": []})
            found = _listed(answer.body, listed.items) if answer.status == 200 else None
            if answer.body is None or found is None:
                # A 200 without the list is an error in the vendor's own words; to take it for an empty chart would
                # have what is there written again.
                status = 0 if answer.status == 200 else answer.status
                return replace(answer, status=status, milliseconds=milliseconds_since(started))
            rows += self._as_fhir(found, listed, resource_type, patient)
            following = next((str(value) for value in values(answer.body, listed.next) if value), "")
            if not listed.next or not following:
                entries = [{"resource": row} for row in rows]
                whole = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
                return Answer(200, answer.headers, whole, milliseconds=milliseconds_since(started))
            url = urljoin(url, following)
        return Answer(0, milliseconds=milliseconds_since(started))

    def _as_fhir(self, rows: Iterable[object], listed: Rows, resource_type: str, patient: str) -> Iterator[Resource]:
        prefix = self._session.filled(self._session.api.patient_prefix, quoted=False)
        for row in rows:
            row_id = next((str(value) for value in values(row, listed.id)), "")
            if not isinstance(row, dict) or not row_id:
                raise HeadwaterError("ehr.rows_unreadable", place=f"rows.{resource_type}", hint="not as the file says")
            told = self._build(
                listed.template, {"row": row, "patient": f"Patient/{prefix}{patient}", "site": self._site}
            )
            id_ = prefix + row_id if resource_type == "Patient" else _below(listed, patient) + row_id
            yield {**told, "id": id_}

    def _url(self, path: str, about: Mapping[str, str]) -> str:
        if not self._session.rest_url:
            raise HeadwaterError("ehr.connection_invalid", place="rest_url", hint="this key of the secret is missing")
        return f"{self._session.rest_url}/{self._session.filled(path, about)}"

    def _id(self, patient: str) -> str:
        """`Patient/a-1.E-77` as the vendor's own API calls it: 77."""
        bare = patient.removeprefix("Patient/")
        return bare.removeprefix(self._session.filled(self._session.api.patient_prefix, quoted=False))


def _listed(body: Resource | None, items: str) -> list[object] | None:
    """The list at a dotted path of the answer; without a path the answer is the list itself, or one row."""
    if body is None:
        return None
    if not items:
        found: object = body.get("items", [body])
        return found if isinstance(found, list) else None
    for part in items.split("."):
        if not isinstance(body, dict) or part not in body:
            return None
        body = body[part]
    return body if isinstance(body, list) else None


def _below(rows: Rows, patient: str) -> str:
    """What goes before a row's id where it is asked for below its patient."""
    return f"{patient}." if any("{patient}" in text for text in (rows.path, *rows.query.values())) else ""
