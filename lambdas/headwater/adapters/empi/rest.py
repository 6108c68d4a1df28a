"""An EMPI with a REST API of its own: what it is sent is a template, what it answers is found by paths. Nothing of any
vendor is known here; its folder under `mappings/empis` says it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headwater.adapters.empi.service import Line
from headwater.model import Grade, Identified, SourceRecord, Verdict

Build = Callable[[str, Mapping[str, object]], Any]


@dataclass(frozen=True, slots=True)
class RestEmpi:
    """`Empi` by a REST API; `build` renders the service's request template as JSON."""

    line: Line
    build: Build

    @property
    def name(self) -> str:
        return self.line.service.name

    def identify(self, record: SourceRecord) -> Identified:
        service = self.line.service
        body = orjson.dumps(self.build(service.template, sent(record)))
        answer = self.line.ask(service.method, service.path, content_type="application/json", body=body)
        if service.retry_later and _at(answer, service.retry_later) is True:
            self.line.silent()
        if service.said_yes and _at(answer, service.said_yes) is not True:
            raise self.line.held("refused", f"its answer does not say yes ({service.said_yes})")
        link_id = _at(answer, service.link_id)
        score = _at(answer, service.score) if service.score else 1.0
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise self.line.held("unreadable", f"no score from 0 to 1 at {service.score}")
        if link_id is None or score < service.possible_from:
            return Identified(Grade(Verdict.DIFFERENT, 1 - float(score), ("the EMPI knows nobody like it",)))
        if not isinstance(link_id, str | int) or isinstance(link_id, bool) or link_id == "":
            raise self.line.held("unreadable", f"no id of a person at {service.link_id}")
        certain = score >= service.certain_from
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
