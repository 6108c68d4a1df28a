"""An EMPI with a REST API of its own: what it is sent is a template, what it answers is found by paths. Nothing of any
vendor is known here; its folder under `mappings/empis` says it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headwater.adapters.empi.profile import Line
from headwater.model import Grade, Identified, SourceRecord, Verdict

Build = Callable[[str, Mapping[str, object]], Any]


@dataclass(frozen=True, slots=True)
class RestEmpi:
    """`Empi` by a REST API; `build` renders the profile's request template as JSON."""

    line: Line
    build: Build

    @property
    def name(self) -> str:
        return self.line.profile.name

    def identify(self, record: SourceRecord) -> Identified:
        profile = self.line.profile
        body = orjson.dumps(self.build(profile.template, sent(record)))
        answer = self.line.ask(profile.method, profile.path, content_type="application/json", body=body)
        if profile.retry_later and _at(answer, profile.retry_later) is True:
            self.line.silent()
        if profile.said_yes and _at(answer, profile.said_yes) is not True:
            raise self.line.held("refused", f"its answer does not say yes ({profile.said_yes})")
        link_id = _at(answer, profile.link_id)
        score = _at(answer, profile.score) if profile.score else 1.0
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise self.line.held("unreadable", f"no score from 0 to 1 at {profile.score}")
        if link_id is None or score < profile.possible_from:
            return Identified(Grade(Verdict.DIFFERENT, 1 - float(score), ("the EMPI knows nobody like it",)))
        if not isinstance(link_id, str | int) or isinstance(link_id, bool) or link_id == "":
            raise self.line.held("unreadable", f"no id of a person at {profile.link_id}")
        certain = score >= profile.certain_from
        said = "the EMPI is certain" if certain else "the EMPI is not certain"
        grade = Grade(Verdict.SAME if certain else Verdict.POSSIBLE, float(score), (said,))
        return Identified(grade, str(link_id))


def sent(record: SourceRecord) -> dict[str, object]:
    """What a request template can say of a record."""
    traits = record.traits
    authority, _, number = record.key.partition("|")[2].rpartition("|")
    return {
        "source": record.ehr,
        "authority": authority,
        "number": number,
        "family": list(traits.family),
        "given": list(traits.given),
        "suffix": traits.suffix,
        "birth_date": traits.birth_date.isoformat() if traits.birth_date else "",
        "gender": traits.gender,
        "phones": list(traits.phones),
        "emails": list(traits.emails),
        "address_lines": list(traits.address_lines),
        "city": traits.city,
        "state": traits.state,
        "postal_code": traits.postal_code,
        "ssn": next((one.value for one in traits.identifiers if one.kind == "SS"), ""),
        "deceased": traits.deceased,
        "multiple_birth": traits.multiple_birth,
    }


def _at(value: Any, path: str) -> Any:
    """The value at `content.linkId`; None if there is none."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
