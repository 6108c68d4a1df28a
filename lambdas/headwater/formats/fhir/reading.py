"""FHIR as it comes in: R4 needs no template, STU3 and DSTU2 are made R4 by table; a feed may name templates instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson

from headwater.errors import Quarantine
from headwater.formats.fhir.bundle import Packed, load, unpack
from headwater.formats.fhir.patients import split_by_patient
from headwater.formats.fhir.upgrade import can_upgrade, upgraded
from headwater.formats.fhir.versions import R4, version_of
from headwater.formats.hl7v2 import times
from headwater.formats.reading import Feed, Reading
from headwater.formats.tree import Node, unread
from headwater.model import Resource

_PLACES = {"template": "meta.profile", "patient": "Bundle.entry", "identity": "Patient.id", "time": "Bundle.timestamp"}
# When a resource was written down, as far as it says so: what orders news where nothing says when a Bundle was made.
_WRITTEN = ("issued", "recorded", "recordedDate", "authoredOn", "dateAsserted", "date", "effectiveDateTime")


def split(body: bytes, feed: Feed) -> list[bytes]:
    """One message a patient; of several Bundles, one a line, each for itself. What cannot be read stays whole, so that
    `read` says what is wrong with it."""
    try:
        values = load(body)
        if len(values) > 1 and all(isinstance(one, dict) and one.get("resourceType") == "Bundle" for one in values):
            return [part for one in values for part in split(orjson.dumps(one), feed)]
        packed = unpack(body)
    except Quarantine:
        return [body]
    patients = sum(resource["resourceType"] == "Patient" for _, resource in packed.entries)
    return split_by_patient(packed) if patients > 1 else [body]


def read(body: bytes, feed: Feed) -> Reading:
    """Raises what `unpack` does, and Quarantine('convert.fhir_version_unsupported')."""
    packed = unpack(body)
    resources = [resource for _, resource in packed.entries]
    event_time = _event_time(packed.timestamp, resources, ZoneInfo(feed.time_zone))
    version = version_of(resources)
    template = feed.templates.get("fhir", "") if version == R4 else feed.templates.get(f"fhir-{version.lower()}", "")
    if template:
        data = Node({"kind": packed.kind, "resources": resources})
        return Reading(packed.kind, template, {"bundle": data}, event_time, places=_PLACES, unread=lambda: unread(data))
    if version != R4 and can_upgrade(version):
        entries = [(url, upgraded(resource, version)) for url, resource in packed.entries]
        return Reading(packed.kind, "", event_time=event_time, resources=entries, places=_places(packed))
    if version != R4:
        hint = f"this is FHIR {version}: send R4, or name a template for it in feed.templates.fhir-{version.lower()}"
        raise Quarantine("convert.fhir_version_unsupported", place=packed.kind, hint=hint)
    return Reading(packed.kind, "", event_time=event_time, resources=packed.entries, places=_places(packed))


def _places(packed: Packed) -> dict[str, str]:
    return _PLACES if packed.kind == "Bundle" else {"patient": packed.kind, "time": f"{packed.kind}.meta.lastUpdated"}


def _event_time(timestamp: str, resources: Iterable[Resource], zone: ZoneInfo) -> datetime | None:
    """When the Bundle was made, else the newest version of what is in it, else the newest thing it was told."""
    metas = (resource.get("meta") for resource in resources)
    updates = [meta.get("lastUpdated") for meta in metas if isinstance(meta, dict)]
    told = [resource.get(name) for resource in resources for name in _WRITTEN]
    for moments in ([timestamp], updates, told):
        known = [moment.aware(zone) for text in moments if isinstance(text, str) and (moment := times.read(text))]
        if known:
            return max(known)
    return None
