"""One EHR as frozen objects: how its feed is read, what it may be told, and how it takes a write.

A resource type or operation that a file does not declare is refused, never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from headwater.ehrs.conditions import Condition, token, values
from headwater.ehrs.published import Published
from headwater.ehrs.reactions import Reaction, RetryRow, react
from headwater.errors import Quarantine, Refuse
from headwater.model import Answer, Resource

# --------------------------------------------------------------------------------------------------------- inbound


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How an EHR writes CSV. `quote` is empty where a quotation mark is a letter; `columns` are the names when there is
    no header, or what a header must say; rows with the same value in the column `group_by` are one message."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    columns: tuple[str, ...] = ()
    group_by: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """How an EHR's messages are to be read.

    `time_zone` (IANA) is for HL7 v2 times without offset (v2 ch. 2A.3.22); `authorities` gives the identifier system of
    an HD namespace or OID (CX-4, v2 ch. 2A.3.14); `default_authority` is used when CX-4 is empty; `message_types`
    names, per received structure (`ADT_A28`), the one whose template reads it; `templates` the template per format that
    needs one: `ccda`, `csv`, `json`, `fhir-stu3`, `fhir-dstu2`, and `fhir` where R4 itself is to be mapped.
    """

    time_zone: str = "UTC"
    content_type: str = "application/hl7-v2"
    default_authority: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)
    message_types: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    csv: CsvDialect = CsvDialect()

    def system_of(self, authority: str) -> str:
        """The identifier system of an assigning authority; empty when the file does not know it."""
        return self.authorities.get(authority or self.default_authority, "")


UNDECLARED = Feed()  # of a product whose file has no [feed]: nobody has said how its messages are to be read


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """`identifier_system` is the MRN system on this EHR's own Patients: whom to search for before a write.

    It is a site's fact; empty on a product, and then there is nobody to write about.
    """

    identifier_system: str = ""


# -------------------------------------------------------------------------------------------------------- outbound


class Auth(StrEnum):
    """Token endpoint authentication: SMART App Launch 2 §5 (asymmetric) or RFC 6749 §2.3.1 (Basic, or in the body)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    CLIENT_SECRET_BASIC = "client_secret_basic"
    CLIENT_SECRET_POST = "client_secret_post"


@dataclass(frozen=True, slots=True)
class Api:
    """The FHIR R4 API of the product. Addresses and keys of one deployment are in its secret, not here.

    `base_url` is the pattern for documentation; `token_lifetime_s` counts only when a token answer lacks `expires_in`.
    """

    base_url: str
    auth: Auth
    scopes: tuple[str, ...]
    algorithm: str = "RS384"
    token_lifetime_s: int = 300
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0


class AnswerBody(StrEnum):
    """What stands in the body of a successful write."""

    EMPTY = "empty"
    RESOURCE = "resource"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One write that the EHR is known to take, and what it does with it.

    `template` (in the EHR's folders, without `.liquid`) renders the bytes; `require` is what must hold of them;
    `marker` is the element path of free text that survives, empty when none is known; `reconcile` says how the EHR
    calls the search parameters `patient`, `code`, `date` that find a write again; `losses` are the full element paths
    that it drops (`Observation.identifier`). After `max_commit_window_s` an unseen write will not appear any more;
    `verify_within_s` is the deadline of a read-back. `assumed` lists the keys here that no source states: a person must
    check them before go-live.
    """

    template: str
    success: tuple[int, ...]
    reconcile: Mapping[str, str]
    max_commit_window_s: int
    verify_within_s: int
    confidence: str
    source: str
    answer_body: AnswerBody = AnswerBody.UNKNOWN
    marker: str = ""
    require: tuple[Condition, ...] = ()
    losses: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def unmet(self, payload: Resource) -> tuple[str, ...]:
        """Paths of the requirements that the payload does not meet; empty means that it may be sent."""
        return tuple(condition.path for condition in self.require if not condition.holds(payload))

    def search(self, payload: Resource) -> dict[str, str]:
        """FHIR search parameters that find this payload in the chart, whoever wrote it.

        `date` is `ge` one day before the effective time, in UTC: EHRs round times, and a bare day means another
        day in the server's zone, so the caller compares the exact time. Raises Refuse('propose.not_reconcilable')
        when a value is missing: a write that could not be found again must not be made.
        """
        return {name: _search_value(payload, known) for known, name in self.reconcile.items()}


# Where the standard search parameters find their value in a resource (FHIR R4, the resources' search parameter tables).
SEARCHED = {
    "patient": ("subject.reference", "patient.reference"),
    "code": ("code.coding", "type.coding", "vaccineCode.coding", "medicationCodeableConcept.coding"),
    "date": ("effectiveDateTime", "date", "occurrenceDateTime", "performedDateTime"),
}


def _search_value(payload: Resource, known: str) -> str:
    found = [value for path in SEARCHED[known] for value in values(payload, path)]
    value = next((value for value in found if token(value).strip("|")), None)
    if value is None:
        raise Refuse("propose.not_reconcilable", place=SEARCHED[known][0], hint=f"nothing to search `{known}` with")
    return _since(token(value), SEARCHED[known][0]) if known == "date" else token(value)


def _since(instant: str, path: str) -> str:
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise Refuse("propose.not_reconcilable", place=path, hint="the time needs an offset")
    return f"ge{(moment.astimezone(UTC) - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}"


# ------------------------------------------------------------------------------------------------------------- EHR


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations on one resource type; one that is not here is not known, and refused."""

    create: Operation | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A fact that is told on: `intent` names the rule, `origins` (key `from`) are EHRs, `*` is any other one."""

    intent: str
    resource: str
    origins: tuple[str, ...] = field(metadata={"key": "from"})
    where: tuple[Condition, ...] = ()
    to: str = ""

    def applies(self, resource: Resource, origin_ehr: str) -> bool:
        """Whether this resource, come from that EHR, is to be told to `to`; never to where it came from."""
        if origin_ehr == self.to or not ({"*", origin_ehr} & set(self.origins)):
            return False
        if resource.get("resourceType") != self.resource:
            return False
        return all(condition.holds(resource) for condition in self.where)


@dataclass(frozen=True, slots=True)
class Ehr:
    """One EHR; `name` is its folder. Its files are looked up in `folders`, in this order (see `like` in `load`)."""

    title: str
    family: str
    patient: PatientIdentity = field(default_factory=PatientIdentity)
    feed: Feed = UNDECLARED
    api: Api | None = None
    write: Mapping[str, Operations] = field(default_factory=dict)
    retry: tuple[RetryRow, ...] = ()
    name: str = ""
    folders: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    published: Published | None = None

    def declared_feed(self) -> Feed:
        """How to read its messages. Raises Quarantine('accept.feed_undeclared') when its file does not say: a time zone
        that is taken for granted moves times."""
        if self.feed is UNDECLARED:
            place, hint = f"ehrs/{self.name}/ehr.toml: feed", "say time_zone and authorities of this sender"
            raise Quarantine("accept.feed_undeclared", place=place, hint=hint)
        return self.feed

    def operation(self, resource_type: str, operation: str = "create") -> Operation:
        """The known write; raises Refuse('propose.operation_unknown') when none is declared."""
        known: Operation | None = getattr(self.write.get(resource_type), operation, None)
        if known is None or self.api is None:
            raise Refuse(
                "propose.operation_unknown",
                place=f"ehrs/{self.name}/ehr.toml: write.{resource_type}.{operation}",
                hint="this EHR is not known to take it; what is not known is refused",
            )
        return known

    def react(self, answer: Answer, operation: Operation) -> Reaction:
        """What its answer to that write means; see `reactions`."""
        return react(answer, success=operation.success, rows=self.retry)
