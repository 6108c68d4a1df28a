"""An EHR's API as one of many workers asks it: each answer tells all whether it is up, and when it may be asked.

After failures in a row the EHR is closed for everybody, each time for longer. The first request after that is always a
read (`identity` looks for the patient), so that a write never is the probe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from headwater.ehrs import Ehr
from headwater.model import Answer
from headwater.outbound.policy import Budget
from headwater.ports import Brakes, Clock, EhrApi


@dataclass(slots=True)
class BrakedApi:
    """`EhrApi`; `failures` is how often in a row the EHR had failed when this worker began."""

    api: EhrApi
    ehr: Ehr
    brakes: Brakes
    budget: Budget
    clock: Clock
    failures: int = 0

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        return self._noted(self.api.create(resource_type, payload, patient=patient))

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        return self._noted(self.api.update(reference, payload, seen=seen))

    def read(self, reference: str) -> Answer:
        return self._noted(self.api.read(reference))

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        return self._noted(self.api.search(resource_type, parameters))

    def _noted(self, answer: Answer) -> Answer:
        if answer.status == 0 or answer.status >= 500:
            self.failures = self.brakes.failed(self.ehr.name)
            self._close(self.budget.pause(self.failures))
        elif answer.status == 429:
            self._close(self.ehr.wait_of(answer, self.clock()))
        elif self.failures:
            self.brakes.worked(self.ehr.name)
            self.failures = 0
        return answer

    def _close(self, seconds: int) -> None:
        if seconds:
            self.brakes.close(self.ehr.name, self.clock() + timedelta(seconds=seconds))
