"""How a simulated EHR behaves where its profile, which is written for clients, has nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headwater.ehrs import Ehr
from headwater.formats import toml

_HERE = Path(__file__).parent
_SEARCHABLE: Mapping[str, tuple[str, ...]] = {
    "Patient": ("_id", "identifier", "family", "birthdate"),
    "Observation": ("_id", "patient", "category", "code", "date"),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Statuses and shapes of answers. `unmet_*` answers a payload that breaks a rule of the profile, `unknown_*` a
    reference to a patient who is not there; `*_code` is the vendor's code in the OperationOutcome."""

    base_path: str = "/fhir/r4"
    token_path: str = "/oauth2/token"
    algorithms: tuple[str, ...] = ("RS384", "ES384")
    token_lifetime_s: int = 300
    create_status: int = 201
    create_answers_resource: bool = True
    empty_content_type: str = ""
    if_match_required: bool = False
    conflict_status: int = 412
    unmet_status: int = 422
    unmet_code: str = ""
    unknown_status: int = 422
    unknown_code: str = ""
    merged_code: str = ""
    page_size: int = 20
    searchable: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _SEARCHABLE)


def behaviour_of(ehr: Ehr) -> Behaviour:
    """The file of the EHR's own folder, or of the one that it is like; without one, plain FHIR R4."""
    for folder in ehr.folders:
        path = _HERE / f"{folder}.toml"
        if path.is_file():
            return toml.build(Behaviour, toml.read(path), file=f"local/ehrs/{path.name}")
    return Behaviour()
