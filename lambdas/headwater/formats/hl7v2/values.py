"""Values of a message to FHIR's data types: times, numbers, ranges, attachments. None for what is no such value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.message import Message
from headwater.formats.hl7v2.parts import Part, Parts, part, repetitions, text_of, whole_text
from headwater.formats.marks import fresh, nil_stays, word
from headwater.formats.remembered import Remembered

_NUMBER = re.compile(r"([<>]=?)?\s*([+-]?)(\d{1,3}(?:,\d{3})+|\d*)(\.\d+)?", re.ASCII)
_RANGE = re.compile(r"\(?\s*([+-]?\d*\.?\d+)\s*(?:-|to|–)\s*([+-]?\d*\.?\d+)\s*\)?", re.ASCII)


def _moment(value: Any) -> times.Moment | None:
    return None if value is None else times.read(value if value.__class__ is str else text_of(value))


@word
@nil_stays
def _date(value: Any) -> str | None:
    return None if value is None else times.date(value if value.__class__ is str else text_of(value))


def zone_of(state: Any) -> tzinfo | None:
    """The zone of the message that a template is given, for its times that name none."""
    message = state.given.get("message")
    return message.encoding.zone if isinstance(message, Message) else None


@word
@nil_stays
def _date_time(state: Any, value: Any) -> str | None:
    """Where no message says the zone, only the day is certain."""
    return None if value is None else _told(value, zone_of(state))


def _told(value: Any, zone: tzinfo | None) -> str | None:
    text = value if value.__class__ is str else text_of(value)
    if zone:
        return times.date_time(text, zone)
    moment = times.read(text)
    return moment and (moment.date_time(moment.zone) if moment.zone else moment.date())


@word
@nil_stays
def _instant(state: Any, value: Any) -> str | None:
    moment = _moment(value)
    zone = zone_of(state) or (moment.zone if moment else None)
    return moment.instant(zone) if moment and zone else None


@word
@nil_stays
def _time(value: Any) -> str | None:
    return times.read_time(text_of(value))


@fresh
@nil_stays
def quantity(value: Any) -> dict[str, str] | None:
    """`value` (a JSON number as text) and `comparator` of an NM or SN, or of what senders put there: `<5`, `1,200`."""
    found = _NUMBER.fullmatch(text_of(value).strip())
    if not found:
        return None
    comparator, sign, whole, fraction = found.groups()
    if not whole and not fraction:
        return None
    digits = (whole or "0").replace(",", "").lstrip("0") or "0"
    number = f"{'-' if sign == '-' else ''}{digits}{fraction or ''}"
    return {"value": number, **({"comparator": comparator} if comparator else {})}


@fresh
@nil_stays
def _range(value: Any) -> dict[str, dict[str, str]] | None:
    """`low` and `high`, each as `quantity` gives it, of a reference range as OBX-7 writes it (chapter 7.4.2.7):
    `3.5-5.1`, `<200`, `>=60`. What FHIR's SimpleQuantity has no room for, whether the bound belongs to it, is in the
    text that goes with it."""
    text = text_of(value).strip()
    both = _RANGE.fullmatch(text)
    if both:
        low, high = (quantity(bound) for bound in both.groups())
        return {"low": low, "high": high} if low and high else None
    one = quantity(text)
    if not one or "comparator" not in one:
        return None
    return {"high" if one.pop("comparator").startswith("<") else "low": one}


@fresh
@nil_stays
def _positive_int(value: Any) -> int | None:
    """FHIR positiveInt; what is none, or none that FHIR could hold, is None."""
    text = text_of(value).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if 0 < number < 2**31 else None


@fresh
def _period(state: Any, value: Any, end: Any = None) -> dict[str, str] | None:
    """A FHIR Period; an end before the start is a mistake of the sender's, and is left out."""
    if value is None and end is None:
        return None
    zone = zone_of(state)
    first = None if value is None else _told(value, zone)
    last = None if end is None else _told(end, zone)
    period = {"start": first} if first else {}
    if last and not (first and _ends_before(last, end, first, value, zone)):
        period["end"] = last
    return period or None


def _ends_before(last: str, end: Any, first: str, start: Any, zone: tzinfo | None) -> bool:
    """Whether an end is before its start; of days, and times with the same offset, FHIR's texts say it."""
    if len(last) == len(first) and last[19:] == first[19:]:
        return last < first
    one, other = _moment(end), _moment(start)
    return one is not None and other is not None and _is_before(one, other, zone)


def _is_before(one: times.Moment, other: times.Moment, zone: tzinfo | None) -> bool:
    known = min(one.known, other.known)
    if one.known == other.known and one.start.tzinfo is other.start.tzinfo:
        return one.start < other.start
    if known > 3 and zone:
        return one.aware(zone) < other.aware(zone)
    return one.start.timetuple()[:known] < other.start.timetuple()[:known]


@fresh
@nil_stays
def _samples(value: Any) -> dict[str, int | str] | None:
    """`dimensions` and `data` of FHIR SampledData from an NA (chapter 2A.47): a repetition is a channel, a component a
    sample of it. What is no number is E, an error (FHIR R4 datatypes.html#sampleddata)."""
    channels = [_numbers(channel) for channel in repetitions(value)]
    length = max(map(len, channels), default=0)
    points = [channel[at] if at < len(channel) else "E" for at in range(length) for channel in channels]
    return {"dimensions": len(channels), "data": " ".join(points)} if points else None


def _numbers(channel: Part) -> list[str]:
    found = [quantity(one) for one in (channel.components() if isinstance(channel, Parts) else [channel])]
    return [number["value"] if number else "E" for number in found]


def _attachment(value: Any, encoding: Any = "") -> str | None:
    """The data of an ED as base64, whatever ED-4 says it is written in (HL7 table 0299); None if it is not that."""
    data = whole_text(value)
    kind = text_of(encoding).lower()
    try:
        if kind == "hex":
            return base64.b64encode(bytes.fromhex(data)).decode()
        if kind == "a":
            return base64.b64encode(data.encode()).decode()
        packed = re.sub(r"\s+", "", data)
        base64.b64decode(packed, validate=True)
    except (ValueError, binascii.Error):
        return None
    return packed


_MEDIA_TYPES = {"ap": "application", "im": "image", "au": "audio", "text": "text", "tx": "text", "ft": "text"}


def _attachment_type(value: Any, kind_at: int = 2) -> str | None:
    """The media type of an ED from ED-2 and ED-3 (HL7 tables 0191, 0291), or from a sender that knows them itself;
    any bytes where neither says it. In an RP they are components 3 and 4 (`kind_at` 3)."""
    if not isinstance(value, Parts):
        return None
    kind, subtype = (text_of(part(value, number)).lower() for number in (kind_at, kind_at + 1))
    known = next((said for said in (subtype, kind) if re.fullmatch(r"[\w.+-]+/[\w.+-]+", said)), None)
    if known or not re.fullmatch(r"[\w.+-]+", subtype):
        return known or "application/octet-stream"
    kind = _MEDIA_TYPES.get(kind, kind)
    return f"{kind if kind in ('image', 'audio', 'text', 'video', 'multipart') else 'application'}/{subtype}"


def _as_code(value: Any) -> str:
    """Text where FHIR wants a code, which has no double spaces (FHIR R4 datatypes.html#code)."""
    return " ".join(text_of(value).split())


def _as_id(value: Any) -> str:
    """Text where FHIR wants an id (FHIR R4 datatypes.html#id)."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", text_of(value))[:64]


FILTERS: Mapping[str, Callable[..., Any]] = {
    "hl7_date": _date,
    "hl7_datetime": _date_time,
    "hl7_instant": _instant,
    "hl7_time": _time,
    "period": _period,
    "positive_int": _positive_int,
    "quantity": quantity,
    "samples": _samples,
    "range": _range,
    "attachment": _attachment,
    "attachment_type": _attachment_type,
    "as_code": Remembered(_as_code),
    "as_id": _as_id,
}
