"""relink: a steward changes who is who outside of any message: in the index first, then the Patients in the FHIR store.
What was stored about them goes along by itself (`follow`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headwater.fhir.ids import content_id
from headwater.fhir.us_core import claim
from headwater.model import Person
from headwater.persons.golden import golden_patient
from headwater.persons.links import Links, Signed
from headwater.ports import FhirStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Relink:
    """`Links`, whose changes the FHIR store shows as well. Gives the persons as they are afterwards, and raises what
    `Links` does. A store that is not reached is mended by `follow`, or by repeating a merge.
    """

    links: Links
    fhir: FhirStore

    def merge(self, retired_id: str, into_id: str, signed: Signed) -> tuple[Person, ...]:
        return self._stored(self.links.merge(retired_id, into_id, signed))

    def unmerge(self, retired_id: str, signed: Signed) -> tuple[Person, ...]:
        return self._stored(self.links.unmerge(retired_id, signed))

    def split(self, person_id: str, record_keys: Collection[str], signed: Signed) -> tuple[Person, ...]:
        def new_id(person: Person) -> str:
            return content_id("person", person.id, str(person.version), *sorted(record_keys))

        return self._stored(self.links.split(person_id, record_keys, signed, new_id=new_id))

    def _stored(self, persons: tuple[Person, ...]) -> tuple[Person, ...]:
        patients = [golden_patient(person) for person in persons]
        claim(patients)
        self.fhir.transact(patients)
        return persons
