"""An EHR's FHIR R4 REST API (hl7.org/fhir/R4/http.html): read, search, create, update."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode, urljoin

from headwater.adapters.ehr.session import Session, milliseconds_since
from headwater.ehrs import Precondition
from headwater.errors import Refuse
from headwater.model import Answer, Resource

MOST_PAGES = 50
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?\Z", re.ASCII)
_TYPE = re.compile(r"[A-Z][A-Za-z]+\Z", re.ASCII)


class FhirApi:
    """FHIR over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._base = session.base_url

    def create(self, resource_type: str, payload: bytes, *, path: str = "") -> Answer:
        """`path` is where a create goes when it is no FHIR create: `Observation/$observation-create`."""
        return self._session.ask("POST", f"{self._base}/{path or _checked(_TYPE, resource_type)}", payload)

    def update(self, reference: str, payload: bytes, *, seen: str) -> Answer:
        """PUT under the profile's precondition (RFC 9110 §13.1.1, §13.1.4); see `ports.EhrApi`."""
        headers = _condition(self._session.api.precondition, seen)
        return self._session.ask("PUT", f"{self._base}/{_checked(_REFERENCE, reference)}", payload, headers=headers)

    def read(self, reference: str) -> Answer:
        """`reference` is relative: `Observation/1`, or a version of it."""
        return self._session.ask("GET", f"{self._base}/{_checked(_REFERENCE, reference)}")

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> Answer:
        """All pages as one searchset, each resource once. An answer that is not 200 ends it; so does, with status 0,
        what would leave the result incomplete: too many pages, or a next page at another host."""
        started = time.monotonic()
        added = {name: self._session.filled(value, quoted=False) for name, value in self._session.api.query.items()}
        url = f"{self._base}/{_checked(_TYPE, resource_type)}?{urlencode({**parameters, **added})}"
        entries: list[Resource] = []
        for _ in range(MOST_PAGES):
            answer = self._session.ask("GET", url)
            page = answer.body or {}
            if answer.status != 200 or page.get("resourceType") != "Bundle":
                status = 0 if answer.status == 200 else answer.status
                return Answer(status, answer.headers, answer.body, answer.sent, milliseconds_since(started))
            entries += page.get("entry", [])
            following = next((link["url"] for link in page.get("link", []) if link.get("relation") == "next"), None)
            if following is None:
                whole = {"resourceType": "Bundle", "type": "searchset", "entry": _each_once(entries)}
                return Answer(200, answer.headers, whole, milliseconds=milliseconds_since(started))
            url = urljoin(url, following)
            if not self._session.reaches(url):
                break
        return Answer(0, milliseconds=milliseconds_since(started))


def _condition(precondition: Precondition, seen: str) -> dict[str, str]:
    """The header that makes the EHR refuse an update of any version but the one that was seen."""
    if precondition is Precondition.IF_MATCH and seen:
        return {"If-Match": f'W/"{seen}"'}
    if precondition is Precondition.IF_UNMODIFIED_SINCE and (moment := _moment(seen)):
        return {"If-Unmodified-Since": format_datetime(moment.astimezone(UTC), usegmt=True)}
    raise Refuse("send.precondition_unknown", place="seen", hint="an update must name the version that was seen")


def _moment(instant: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _checked(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.match(value):
        raise Refuse("send.reference_malformed", place="reference", hint="expected Type or Type/id as in FHIR R4")
    return value


def _each_once(entries: list[Resource]) -> list[Resource]:
    """Pages may repeat a resource when rows are added meanwhile: the newest version of each counts."""
    newest: dict[str, Resource] = {}
    for number, entry in enumerate(entries):
        resource = entry.get("resource", {})
        key = f"{resource.get('resourceType')}/{resource['id']}" if resource.get("id") else str(number)
        if key not in newest or _updated(entry) >= _updated(newest[key]):
            newest[key] = entry
    return list(newest.values())


def _updated(entry: Resource) -> str:
    return str(entry.get("resource", {}).get("meta", {}).get("lastUpdated", ""))
