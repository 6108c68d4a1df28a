"""An EHR's API as one of many workers asks it: each answer tells all whether it is up, and when it may be asked.

After failures in a row the EHR is closed for everybody, each time for longer. Writes are counted by themselves, for an
EHR may go on answering reads while it refuses them; and the first request to one that was closed is always a read
(`identity` looks for the patient).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from headwater.ehrs import Ehr
from headwater.model import Answer, Brake
from headwater.outbound.policy import Budget
from headwater.ports import Brakes, Clock, EhrApi


@dataclass(slots=True)
class BrakedApi:
    """`EhrApi`; `brake` is how the EHR was when this worker began."""

    api: EhrApi
    ehr: Ehr
    brakes: Brakes
    budget: Budget
    clock: Clock
    brake: Brake

    def create(self, resource_type: str, payload: bytes, *, patient: str = "") -> Answer:
        return self._wrote(self.api.create(resource_type, payload, patient=patient))

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        return self._wrote(self.api.update(reference, payload, seen=seen))

    def read(self, reference: str) -> Answer:
        return self._read(self.api.read(reference))

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        return self._read(self.api.search(resource_type, parameters))

    def _read(self, answer: Answer) -> Answer:
        return self._noted(answer, self.ehr.name, self.brake.failures)

    def _wrote(self, answer: Answer) -> Answer:
        return self._noted(answer, f"{self.ehr.name}/writes", self.brake.write_failures)

    def _noted(self, answer: Answer, name: str, failures: int) -> Answer:
        if answer.status == 0 or answer.status >= 500:
            self._close(name, self.budget.pause(self.brakes.failed(name)))
        elif answer.status == 429:
            self._close(self.ehr.name, self.ehr.wait_of(answer, self.clock()))
        elif failures:
            self.brakes.worked(name)
        return answer

    def _close(self, name: str, seconds: int) -> None:
        if seconds:
            self.brakes.close(name, self.clock() + timedelta(seconds=seconds))
