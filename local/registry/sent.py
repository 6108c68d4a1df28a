"""What an EHR would be sent for a fact: the resource that its chart shall show, and the bytes, kept as golden files.

`mappings/base/outbound/examples/` holds made-up facts; `mappings/ehrs/<ehr>/examples/sent/` what each becomes there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr, Encoding, Operation
from headwater.ehrs.render import Templates, render
from headwater.model import Resource

MARKER = "headwater:0123456789abcdef"
PERSON: Resource = {
    "resourceType": "Patient",
    "id": "4711",
    "identifier": [{"system": "https://ehr.example.org/identifiers/mrn", "value": "M-4711"}],
    "name": [{"family": "Fennimore", "given": ["Odile"]}],
    "birthDate": "1968-02-03",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One fact at one EHR. `golden` is where its bytes are kept, `unmet` what the EHR would refuse."""

    name: str
    operation: Operation
    fact: Resource
    payload: bytes
    golden: Path

    @property
    def unmet(self) -> tuple[str, ...]:
        return self.operation.unmet(self.fact)

    @property
    def text(self) -> str:
        """The bytes as a person reads them: JSON indented, a form one field a line."""
        if self.operation.encoding is Encoding.FORM:
            return self.payload.decode().replace("&", "\n&") + "\n"
        return json.dumps(json.loads(self.payload), indent=2, ensure_ascii=False) + "\n"


def sent(ehr: Ehr, templates: Templates, mappings: Path) -> Iterator[Sent]:
    """What the EHR takes of the example facts, each type's first that meets its requirements."""
    for resource_type, operations in ehr.write.items():
        for operation in filter(None, (operations.create,)):
            found = [_sent(ehr, operation, templates, mappings, file) for file in _facts(mappings, resource_type)]
            yield next((one for one in found if not one.unmet), found[0])


def _facts(mappings: Path, resource_type: str) -> list[Path]:
    return sorted((mappings / "base/outbound/examples").glob(f"{resource_type}*.json"), key=lambda file: len(file.name))


def _sent(ehr: Ehr, operation: Operation, templates: Templates, mappings: Path, file: Path) -> Sent:
    resource: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    fact, payload = render(
        templates, operation, ehr.site, resource=resource, patient="Patient/4711", person=PERSON, marker=MARKER
    )
    suffix = "form" if operation.encoding is Encoding.FORM else "json"
    golden = mappings / "ehrs" / ehr.name / "examples" / "sent" / f"{resource['resourceType']}.{suffix}"
    return Sent(file.stem, operation, fact, payload, golden)
