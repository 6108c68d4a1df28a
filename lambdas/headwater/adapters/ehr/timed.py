"""Every request to an EHR is a sample of its latency, by operation, as the client's clock saw it.

A request without an answer is a sample too, censored at its deadline: it took at least that long, and whoever leaves it
out, or takes the moment of the hang-up for it, sees an EHR grow faster as it fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.model import Answer
from headwater.ports import EhrApi, Watch


@dataclass(frozen=True, slots=True)
class TimedApi:
    """`EhrApi`; `deadline_s` is after how long a request is given up."""

    api: EhrApi
    ehr: str
    deadline_s: float
    watch: Watch

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        return self._noted("create", self.api.create(resource_type, payload, patient=patient))

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        return self._noted("update", self.api.update(reference, payload, seen=seen))

    def read(self, reference: str) -> Answer:
        return self._noted("read", self.api.read(reference))

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        return self._noted("search", self.api.search(resource_type, parameters))

    def _noted(self, operation: str, answer: Answer) -> Answer:
        outcome, milliseconds = "answered", answer.milliseconds
        if not answer.sent:
            outcome = "unsent"  # no connection or no token: nothing that the EHR took long for
        elif answer.status == 0:
            outcome, milliseconds = "unanswered", max(milliseconds, self.deadline_s * 1000)
        self.watch.note(
            "ehr", outcome, milliseconds=milliseconds, ehr=self.ehr, operation=operation, status=answer.status
        )
        return answer
