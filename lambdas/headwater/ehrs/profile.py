"""One EHR as frozen objects: how its feed is read, what it may be told, and how it takes a write.

A resource type or operation that a file does not declare is refused, never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from headwater.ehrs.conditions import Condition
from headwater.ehrs.operation import Operation, Operations, Rows
from headwater.ehrs.published import Published
from headwater.ehrs.reactions import Reaction, RetryRow, react, retry_after
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


class Precondition(StrEnum):
    """How an update says which version its author saw (RFC 9110 §13.1); `seen` is kept beside what was signed."""

    NONE = "none"  # not known: a lost update could not be ruled out, so nothing is updated
    IF_MATCH = "if-match"
    IF_UNMODIFIED_SINCE = "if-unmodified-since"  # whole seconds: two edits within one cannot be told apart

    def seen(self, row: Resource) -> str:
        """What names the version of a row that was read; empty where nothing does."""
        meta = row.get("meta", {})
        name = {Precondition.IF_MATCH: "versionId", Precondition.IF_UNMODIFIED_SINCE: "lastUpdated"}.get(self, "")
        return str(meta.get(name, ""))


@dataclass(frozen=True, slots=True)
class Api:
    """The API of the product. Addresses and keys of one deployment are in its secret, not here.

    `base_url` (FHIR R4) and `rest_url` (the vendor's own API, where FHIR takes no writes) are patterns for
    documentation; `token_lifetime_s` counts only when a token answer lacks `expires_in`. `query` is added to every FHIR
    search. Where FHIR puts something before a patient's id that the vendor's own API leaves out, it is
    `patient_prefix`. `{key}` in headers, paths, queries and the prefix is looked up in the site's table. Errors that
    are no OperationOutcome have code and words at the dotted paths `error_code` and `error_text`. An `api_key_header`
    carries the secret's `api_key` beside the token.
    """

    base_url: str
    auth: Auth
    scopes: tuple[str, ...]
    algorithm: str = "RS384"
    token_lifetime_s: int = 300
    headers: Mapping[str, str] = field(default_factory=dict)
    rest_url: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    patient_prefix: str = ""
    error_code: str = ""
    error_text: str = ""
    api_key_header: str = ""
    precondition: Precondition = Precondition.NONE
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an EHR may be asked: `requests` in `seconds`, all our workers together, reads and tokens included. A
    429 that names no time ends with the next full `seconds` of the clock where it `resets` so, else after `seconds`."""

    requests: int
    seconds: int = 60
    resets: bool = False

    def until_reset(self, now: datetime) -> int:
        """Seconds to wait after a 429 without Retry-After."""
        return self.seconds - int(now.timestamp()) % self.seconds + 1 if self.resets else self.seconds


# ------------------------------------------------------------------------------------------------------------- EHR


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
    """One EHR; `name` is its folder. Its files are looked up in `folders`, in this order (see `like` in `load`).

    `site` is what one site calls itself in requests (a practice's number, a department's); templates know it as `site`.
    `rows` says how the vendor's own API lists a type, where that is not FHIR's search; `refused` why a type (or `any`)
    is not written although documents speak of it, for people to read.
    """

    title: str
    family: str
    patient: PatientIdentity = field(default_factory=PatientIdentity)
    feed: Feed = UNDECLARED
    api: Api | None = None
    pace: Pace | None = None
    site: Mapping[str, str] = field(default_factory=dict)
    write: Mapping[str, Operations] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
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

    def wait_of(self, answer: Answer, now: datetime) -> int:
        """Seconds that a 429 asks for: what it says itself, else what the EHR's pace says."""
        return retry_after(answer, self.pace.until_reset(now) if self.pace else None)
