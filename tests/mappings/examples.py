"""The golden pairs: each `examples/<name>.hl7` (.xml, .fhir, .jsonl, .csv) and the `<name>.json` that it becomes, for
the base and for each EHR.

    headwater try mappings/base --accept      # write what is made now; then read the diff

What changes with every edit of a mapping (its version in Provenance) is left out of the JSON files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from headwater.ehrs import Ehr, load
from headwater.ehrs.engines import engine_for
from headwater.ehrs.profile import Feed, PatientIdentity
from headwater.inbound.convert import convert
from headwater.model import Converted, Envelope
from headwater.templates.engine import Engine
from local.analyst.examples import sender_of

MAPPINGS = Path(__file__).parents[2] / "mappings"
CONTENT_TYPES = {
    ".hl7": "application/hl7-v2",
    ".xml": "application/cda+xml",
    ".fhir": "application/fhir+json",
    ".jsonl": "application/json",
    ".csv": "text/csv",
}
# What the standards say has no EHR; its examples are of one that has nothing special.
PLAIN = Ehr(
    title="No EHR in particular",
    family="plain",
    patient=PatientIdentity(identifier_system=""),
    feed=Feed(time_zone="America/New_York", templates={"csv": "csv/roster", "json": "json/vitals"}),
    name="example",
)


@dataclass(frozen=True)
class Example:
    """One pair of files, and the EHR that sent the message."""

    message: Path
    ehr: Ehr

    @property
    def expected(self) -> Path:
        return self.message.with_suffix(".json")

    def convert(self) -> Converted:
        sent = envelope(self.ehr, self.message.read_bytes(), CONTENT_TYPES[self.message.suffix])
        return convert(sent, self.ehr, engine(self.ehr.name))

    def __str__(self) -> str:
        return f"{self.ehr.name}/{self.message.stem}"


@cache
def ehrs() -> dict[str, Ehr]:
    return {PLAIN.name: PLAIN, **load(MAPPINGS)}


@cache
def engine(ehr: str) -> Engine:
    return engine_for(MAPPINGS)(ehrs()[ehr])


def envelope(ehr: Ehr, body: bytes, content_type: str = "application/hl7-v2") -> Envelope:
    key = f"{ehr.name}/{hashlib.sha256(body).hexdigest()}"
    return Envelope(key, ehr.name, content_type, body, archive_key=f"raw/{key}")


def examples() -> Iterator[Example]:
    for message in sorted(MAPPINGS.glob("base/**/examples/*")):
        if message.suffix in CONTENT_TYPES:
            feed = sender_of(message, MAPPINGS).feed
            yield Example(message, replace(PLAIN, feed=replace(PLAIN.feed, templates=feed.templates)))
    for message in sorted(MAPPINGS.glob("ehrs/*/examples/*")):
        if message.suffix in CONTENT_TYPES:
            yield Example(message, ehrs()[message.parts[-3]])
