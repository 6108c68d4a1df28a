"""The mappings of this repository on one body: the convert step as the Lambda runs it, its result as a Bundle."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr, Ehrs
from headwater.ehrs.engines import engine_for
from headwater.ehrs.profile import Feed
from headwater.errors import HeadwaterError, Quarantine
from headwater.formats import media_type, split
from headwater.inbound.convert import check, convert, draft
from headwater.model import Converted, Envelope, Resource
from headwater.templates.engine import Engine

# Nobody's EHR: only what the standards say, mappings/base. Local times are UTC.
PLAIN = Ehr(title="No EHR in particular", family="plain", name="example", feed=Feed(time_zone="UTC"))
# The names that --format and a batch line may give, besides a content type itself.
CONTENT_TYPES = {
    "hl7v2": "application/hl7-v2",
    "ccda": "application/cda+xml",
    "fhir": "application/fhir+json",
    "ndjson": "application/fhir+ndjson",
    "json": "application/json",
    "csv": "text/csv",
}
_SUFFIXES = {".xml": "ccda", ".fhir": "fhir", ".ndjson": "ndjson", ".jsonl": "json", ".csv": "csv"}


def format_of(file: Path, body: bytes) -> str:
    """What a file holds, by its suffix and its first bytes; HL7 v2 if nothing else is likely."""
    if file.suffix == ".json":
        return "fhir" if b'"resourceType"' in body[:4096] else "json"
    return _SUFFIXES.get(file.suffix, "hl7v2")


def content_type(format: str, ehr: Ehr) -> str:
    """The content type of a format's name; of none, what the EHR's feed sends."""
    return CONTENT_TYPES.get(format, format) if format else ehr.feed.content_type


def format_named(content_type: str) -> str:
    """The short name of a content type, empty for an unknown one."""
    media = media_type(content_type)
    if media in ("application/xml", "text/xml"):
        return "ccda"
    known = {kind: name for name, kind in CONTENT_TYPES.items()}
    return known.get(media, "hl7v2" if "hl7" in media else "")


@dataclass(frozen=True, slots=True)
class Made:
    """What one message became; `fault` is why the pipeline would set it aside."""

    converted: Converted
    seconds: float
    fault: Quarantine | None

    @property
    def bundle(self) -> Resource:
        return bundle(self.converted)


class Mappings:
    """The EHRs of a mapping folder, and an engine for each, made when first asked for."""

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self.folder = folder
        self.ehrs = Ehrs(folder)
        self.engine: Callable[[Ehr], Engine] = engine_for(folder, cache=cache)

    def ehr(self, name: str = "", template: str = "") -> Ehr:
        """An EHR by its folder's name, PLAIN without one; with `template` (`ADT_A01`), every message is read by it.

        Raises HeadwaterError: `ehrs.unknown`, or what is wrong with its files.
        """
        if name and name not in self.ehrs:
            near = ", ".join(get_close_matches(name, self.ehrs))
            hint = f"did you mean {near}?" if near else f"a new one begins with the file ehrs/{name}/ehr.toml"
            raise HeadwaterError("ehrs.unknown", place=f"ehrs/{name}", hint=hint)
        ehr = self.ehrs[name] if name else PLAIN
        if not template:
            return ehr
        last = template.removesuffix(".liquid").rpartition("/")[2]
        others = {format: f"{format}/{last}" for format in ("ccda", "csv", "json")}
        return replace(ehr, feed=replace(ehr.feed, message_types=_Always(last), templates=others))

    def convert(self, body: bytes, ehr: Ehr, content_type: str) -> Converted:
        """One message, checked; as the pipeline does it."""
        return convert(envelope(body, ehr, content_type), ehr, self.engine(ehr))

    def make(self, body: bytes, ehr: Ehr, content_type: str) -> Made:
        """One message with all that is wrong with it. Raises Quarantine only if nothing could be made at all."""
        started = time.perf_counter()
        engine = self.engine(ehr)
        converted = draft(envelope(body, ehr, content_type), ehr, engine)
        seconds = time.perf_counter() - started
        fault: Quarantine | None = None
        try:
            check(converted.resources)
        except Quarantine as error:
            fault = error
        return Made(converted, seconds, fault)

    def split(self, body: bytes, ehr: Ehr, content_type: str) -> list[bytes]:
        """The messages of a file."""
        return split(content_type, body, ehr.feed)


class _Always(dict[str, str]):
    """A mapping of every message type to the same one."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def get(self, _: str, default: Any = None) -> Any:  # noqa: ARG002 - the same for all
        return self._name


def envelope(body: bytes, ehr: Ehr, content_type: str) -> Envelope:
    key = f"{ehr.name}/{hashlib.sha256(body).hexdigest()}"
    return Envelope(key, ehr.name, content_type, body, archive_key=f"raw/{key}")


def bundle(converted: Converted) -> Resource:
    """The transaction that the store would be sent: every resource PUT under its own id (FHIR R4 http.html#upsert).
    Its number and time are the message's own."""
    told: Resource = {"resourceType": "Bundle", "type": "transaction"}
    if converted.message_id:
        told["identifier"] = {"value": converted.message_id}
    if converted.sent_at:
        told["timestamp"] = converted.sent_at.isoformat()
    return {**told, "entry": [_entry(resource) for resource in converted.resources]}


def _entry(resource: Resource) -> Resource:
    name = f"{resource['resourceType']}/{resource.get('id', '')}"
    return {"resource": resource, "request": {"method": "PUT", "url": name}}


def error_of(error: BaseException) -> dict[str, str]:
    """An error as the tools print it; never with a value out of a message."""
    if isinstance(error, HeadwaterError):
        return {"code": error.code, "place": error.place, "hint": error.hint}
    return {"code": "convert.failed", "place": "", "hint": f"a fault of the program: {type(error).__name__}"}
