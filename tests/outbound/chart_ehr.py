"""An EHR in memory that takes Observations as a FHIR server would, and misbehaves on demand, per request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import orjson

from headwater.model import Answer, Resource

TIMEOUT = Answer(status=0, sent=True, milliseconds=30_000)
REFUSED_CONNECTION = Answer(status=0, sent=False, milliseconds=1)


class ChartEhr:
    """`faults` are taken one a create: `drop_before_commit`, `drop_after_commit`, `late` (committed by `settle`), an
    Answer (given instead, nothing committed) or None. `search_lag` hides new rows from searches until `settle`."""

    def __init__(self, patients: list[Resource]) -> None:
        self.patients = patients
        self.rows: dict[str, Resource] = {}
        self.late: list[Resource] = []
        self.hidden: set[str] = set()
        self.faults: list[Any] = []
        self.search_lag = False
        self.drops: tuple[str, ...] = ()
        self.posts = 0
        self.puts = 0
        self.taken: list[Resource] = []  # updates that were made: what was put, and over which version
        self.edited = False
        self.asked = 0
        self.down = False
        self.failing_writes = False
        self.conflict = 412
        self.edit_before_put: Resource = {}
        self.read_answer: Answer | None = None

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        if self.down:
            return REFUSED_CONNECTION
        fault = Answer(503) if self.failing_writes else self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            self.posts += fault.sent
            return fault
        self.posts += 1
        row = {key: value for key, value in orjson.loads(payload).items() if key not in self.drops}
        if fault == "drop_before_commit":
            return TIMEOUT
        if fault == "late":
            self.late.append(row)
            return TIMEOUT
        reference = self._commit(row)
        if fault == "drop_after_commit":
            return TIMEOUT
        return Answer(201, {"Location": f"https://ehr.example.org/fhir/{reference}/_history/1"})

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        """Under If-Match, as an EHR that counts versions in `meta.versionId` from 1."""
        row = self.rows.get(reference)
        if self.down or row is None:
            return REFUSED_CONNECTION if self.down else Answer(404)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            self.puts += fault.sent
            return fault
        self.puts += 1
        version = int(row.get("meta", {}).get("versionId", "1"))
        if self.edit_before_put:
            row = {**row, **self.edit_before_put, "meta": {"versionId": str(version := version + 1)}}
            self.rows[reference] = row
            self.edit_before_put = {}
        if seen != str(version):
            return Answer(self.conflict)
        if fault == "drop_before_commit":
            return TIMEOUT
        new = {key: value for key, value in orjson.loads(payload).items() if key not in self.drops}
        row = {**new, "id": row["id"], "meta": {"versionId": str(version + 1)}}
        if fault == "late":
            self.late.append(row)
            return TIMEOUT
        self._replace(reference, row)
        if fault == "drop_after_commit":
            return TIMEOUT
        return Answer(200, {"ETag": f'W/"{version + 1}"'})

    def edit(self, reference: str, changes: Resource) -> None:
        """A clinician changes the row in the EHR."""
        row = self.rows[reference]
        self.rows[reference] = {**row, **changes, "meta": {"versionId": str(int(row["meta"]["versionId"]) + 1)}}
        self.edited = True

    def _replace(self, reference: str, row: Resource) -> None:
        self.taken.append({"put": row, "over": self.rows[reference]["meta"]["versionId"]})
        self.rows[reference] = row

    def settle(self) -> None:
        """Time passes: late rows are committed, searches see everything."""
        for row in self.late:
            if "id" in row:  # an update, of a version that is no more if somebody was faster
                known = f"{row['resourceType']}/{row['id']}"
                if int(self.rows[known]["meta"]["versionId"]) < int(row["meta"]["versionId"]):
                    self._replace(known, row)
            else:
                self._commit(row)
        self.late.clear()
        self.hidden.clear()

    def read(self, reference: str) -> Answer:
        if self.down:
            return REFUSED_CONNECTION
        if self.read_answer is not None:
            return self.read_answer
        row = self.rows.get(reference)
        return Answer(200, body=copy.deepcopy(row)) if row else Answer(404)

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        self.asked += 1
        if self.down:
            return REFUSED_CONNECTION
        rows = self.patients + [row for key, row in self.rows.items() if key not in self.hidden]
        found = [row for row in rows if row["resourceType"] == resource_type]
        return Answer(200, body={"resourceType": "Bundle", "entry": [{"resource": copy.deepcopy(r)} for r in found]})

    def _commit(self, row: Resource) -> str:
        row["id"] = str(len(self.rows) + 1)
        reference = f"{row['resourceType']}/{row['id']}"
        self.rows[reference] = row
        if self.search_lag:
            self.hidden.add(reference)
        return reference
