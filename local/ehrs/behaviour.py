"""How a simulated EHR behaves where its profile, which is written for clients, has nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr
from headwater.formats import toml

_HERE = Path(__file__).parent
_PATIENT = ("_id", "identifier", "family", "birthdate")
_OTHERS = ("_id", "patient", "subject", "category", "code", "type", "date", "sent", "authored", "clinical-status")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Statuses and shapes of answers. `unmet_*` answers a payload that breaks a rule of the profile, `unknown_*` a
    reference to a patient who is not there; `*_code` is the vendor's code in the OperationOutcome. `searchable` names
    the parameters by type where they are known; `records` makes the vendor's own records of forms (`vendor`). A 429
    without Retry-After holds until the next full minute where `limit_until_minute` says so."""

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
    searchable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rest_path: str = "/v1"
    limit_until_minute: bool = False
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def search_parameters(self, type_: str) -> tuple[str, ...]:
        return self.searchable.get(type_, _PATIENT if type_ == "Patient" else _OTHERS)


def behaviour_of(ehr: Ehr) -> Behaviour:
    """The file of the EHR's own folder, or of the one that it is like; without one, plain FHIR R4."""
    for folder in ehr.folders:
        path = _HERE / f"{folder}.toml"
        if path.is_file():
            table = toml.read(path)
            records: Any = table.pop("records", {})  # free in form: the vendor's own
            return replace(toml.build(Behaviour, table, file=f"local/ehrs/{path.name}"), records=records)
    return Behaviour()
