"""What no real EHR has: seeding, faults, the clinician's own edits, a clock to move, and the chart as it truly is.

| request | does |
|---|---|
| GET / | the chart as a page |
| GET /_sim/chart | the chart as JSON |
| POST /_sim/patients | files Patients (one, a list, or a Bundle), keeping their ids |
| POST /_sim/rows | files any resources, as if by a clinician |
| POST /_sim/edit {reference, set} | a clinician edits a row |
| POST /_sim/held {number, accept} | the EHR's own reviewer files, or discards, what was taken in with 202 |
| GET, POST, DELETE /_sim/faults | lists, adds, clears faults |
| POST /_sim/clients | registers a client |
| POST /_sim/tokens/revoke | ends all tokens |
| POST /_sim/clock {advance_s} | moves the EHR's clock |
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from headwater.ehrs import Ehr
from headwater.model import Resource
from local.ehrs.chart import Chart, Clock
from local.ehrs.faults import Faults
from local.ehrs.oauth import Registrar
from local.ehrs.page import chart_html, chart_json
from local.ehrs.reply import Reply
from local.ehrs.rest import Rest

Page = tuple[str, str]


class BackDoor:
    """The requests under `/_sim`."""

    def __init__(self, ehr: Ehr, chart: Chart, clock: Clock, faults: Faults, registrar: Registrar, rest: Rest) -> None:
        self._ehr = ehr
        self._chart = chart
        self._clock = clock
        self._faults = faults
        self._registrar = registrar
        self._rest = rest
        self._posts: Mapping[str, Callable[[Any], Any]] = {
            "/_sim/patients": lambda wish: self.file(wish, only="Patient"),
            "/_sim/rows": self.file,
            "/_sim/edit": self._edit,
            "/_sim/held": self._decide,
            "/_sim/faults": lambda wish: {"number": self._faults.add(wish).number},
            "/_sim/clients": self._registrar.register,
            "/_sim/tokens/revoke": lambda _: self._registrar.revoke_all(),
            "/_sim/clock": lambda wish: self._clock.advance(float(wish["advance_s"])),
        }

    def answer(self, method: str, path: str, body: bytes) -> Reply | Page:
        if method == "GET" and path == "/":
            return "text/html; charset=utf-8", chart_html(self._ehr.title, self._chart_json())
        if method == "GET" and path == "/_sim/chart":
            return _reply(200, self._chart_json())
        if path == "/_sim/faults" and method != "POST":
            if method == "DELETE":
                self._faults.clear()
            return _reply(200, {"faults": self._faults.list()})
        if method != "POST" or path not in self._posts:
            return _reply(404, {"error": "no such request"})
        try:
            done = self._posts[path](json.loads(body or b"{}"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _reply(400, {"error": f"{type(error).__name__}: {error}"})
        except sqlite3.IntegrityError:
            return _reply(409, {"error": "that id is in the chart already"})
        return _reply(200, done if isinstance(done, dict) else {})

    def file(self, wish: Any, *, only: str = "") -> dict[str, Any]:
        """One resource, a list, or a Bundle; ids that are there are left alone, so that seeding twice is harmless."""
        if isinstance(wish, dict) and wish.get("resourceType") == "Bundle":
            wish = [entry["resource"] for entry in wish.get("entry", [])]
        resources: list[Resource] = wish if isinstance(wish, list) else [wish]
        if any(not one.get("resourceType") or only not in ("", one["resourceType"]) for one in resources):
            raise ValueError(f"expected {only or 'FHIR'} resources")
        known = [one for one in resources if "id" in one and self._chart.row(f"{one['resourceType']}/{one['id']}")]
        filed = [self._chart.file(one).reference for one in resources if one not in known]
        return {"filed": filed, "known": len(known)}

    def _edit(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        row = self._chart.row(wish["reference"])
        if row is None:
            raise ValueError("no such row")
        return {"version": self._rest.edit(row, wish.get("set", {})).version}

    def _decide(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        row = self._chart.decide(int(wish["number"]), accept=bool(wish.get("accept", True)))
        return {"filed": row.reference if row else ""}

    def _chart_json(self) -> dict[str, Any]:
        return chart_json(self._ehr.name, self._chart, now=self._clock())


def _reply(status: int, body: dict[str, Any]) -> Reply:
    return Reply(status, body, {"Content-Type": "application/json"})
