"""What a template for HL7 v2 may say beyond Liquid: times, identifiers' systems, code maps, groups of segments.

Filters are made for one EHR, since its time zone, its authorities and its code maps are behind them. They take parts of
a message (`Value`) or text, and give text, None, or plain JSON values; none of them raises for what a message holds.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from headwater.formats.codes import CodeMaps, Coding
from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.message import Field, Group, Repetition, Segment, Value

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_TABLE = re.compile(r"(?:HL7|hl7)?(\d{4})")
_NUMBER = re.compile(r"([<>]=?)?\s*([+-]?)(\d{1,3}(?:,\d{3})+|\d*)(\.\d+)?", re.ASCII)
_RANGE = re.compile(r"\(?\s*([+-]?\d*\.?\d+)\s*(?:-|to|–)\s*([+-]?\d*\.?\d+)\s*\)?", re.ASCII)
_NOT_FOR_URN = re.compile(r"[^A-Za-z0-9._-]+")
_LINES = frozenset({"TX", "FT", "ST"})

Filter = Callable[..., Any]


class Sender(Protocol):
    """What the filters need to know of an EHR: `headwater.ehrs.Ehr` is one."""

    @property
    def name(self) -> str: ...

    @property
    def feed(self) -> SendersFeed: ...


class SendersFeed(Protocol):
    """`authorities` gives the system URI of a namespace or OID."""

    @property
    def authorities(self) -> Mapping[str, str]: ...


def filters(sender: Sender, codes: CodeMaps, content_id: Callable[..., str]) -> Mapping[str, Filter]:
    """All of them, by the name that templates call them by. `content_id` is `headwater.fhir.ids.content_id`."""
    systems = _Systems(sender, codes, content_id)
    return {**_OF_ANY_SENDER, **systems.filters(), **_Codes(sender, codes).filters()}


# ---------------------------------------------------------------------------------------------------- systems and ids


class _Systems:
    """Who gave an identifier, as a URI; and ids made from what is identified."""

    def __init__(self, sender: Sender, codes: CodeMaps, content_id: Callable[..., str]) -> None:
        self._ehr = sender.name
        self._authorities = sender.feed.authorities
        self._codes = codes
        self._content_id = content_id

    def filters(self) -> Mapping[str, Filter]:
        return {
            "authority": self.authority,
            "ei_authority": self.ei_authority,
            "id": self.id,
            "record_numbers": self.record_numbers,
        }

    def authority(self, value: Any) -> str | None:
        """The system URI of an HD (chapter 2A.36) or of a namespace alone."""
        if isinstance(value, Value):
            return self._system(*(_text(value.lookup(number)) for number in (1, 2, 3)))
        return self._system(_text(value), "", "")

    def ei_authority(self, value: Any) -> str | None:
        """The system URI of an EI (chapter 2A.28), whose parts 2 to 4 are an HD."""
        if not isinstance(value, Value):
            return None
        return self._system(*(_text(value.lookup(number)) for number in (2, 3, 4)))

    def _system(self, namespace: str, universal: str, kind: str) -> str | None:
        for name in (namespace, universal):
            if name in self._authorities:
                return self._authorities[name]
            known = self._codes.find("authorities", name) if name else None
            if known:
                return known["code"]
        if universal and (_OID.fullmatch(universal) or _UUID.fullmatch(universal)):
            return f"urn:oid:{universal}" if _OID.fullmatch(universal) else f"urn:uuid:{universal.lower()}"
        if universal and kind == "DNS":
            return f"urn:dns:{_NOT_FOR_URN.sub('-', universal)}"
        if universal and _URI.fullmatch(universal):
            return universal
        name = namespace or universal
        if not name:
            return None
        if _OID.fullmatch(name):
            return f"urn:oid:{name}"
        kind = f"{kind}:" if kind and not namespace else ""
        return f"urn:headwater:{self._ehr}:authority:{_NOT_FOR_URN.sub('-', kind + name)}"

    def id(self, resource_type: Any, *parts: Any) -> str | None:
        """The id of a resource of this EHR, None when nothing identifies it (see docs/ids.md)."""
        said = [_text(part) for part in parts]
        return self._content_id(self._ehr, _text(resource_type), *said) if any(said) else None

    def record_numbers(self, value: Any) -> list[Repetition]:
        """The identifiers of a field, first the one by which this EHR knows the patient: of an authority that the
        EHR's file names, typed MR; else one of these; else the first that is no national or legal number."""
        if not isinstance(value, Field):
            return []
        numbers = [one for one in value if _text(one.part(1))]
        ours = max(numbers, key=self._standing, default=None)
        return [*(one for one in numbers if one is ours), *(one for one in numbers if one is not ours)]

    def _standing(self, one: Repetition) -> int:
        kind, authority = _text(one.part(5)), one.part(4)
        named = authority is not None and any(_text(authority.part(at)) in self._authorities for at in (1, 2))
        ours = kind in ("MR", "PI", "PT", "")
        return 4 * (kind == "MR") + 3 * (named and ours) + 2 * ours + (kind not in ("SS", "DL", "PPN", "MC", "MA"))


# ---------------------------------------------------------------------------------------------------------- code maps


class _Codes:
    """Codes to standard ones. What has no target stays what it was."""

    def __init__(self, sender: Sender, codes: CodeMaps) -> None:
        self._ehr = sender.name
        self._codes = codes

    def filters(self) -> Mapping[str, Filter]:
        return {
            "code": self.code,
            "coding": self.coding,
            "codings": self.codings,
            "coding_system": self.coding_system,
            "unit": self.unit,
        }

    def code(self, value: Any, name: str) -> str | None:
        """The target code of the map `name`."""
        found = self.coding(value, name)
        return found["code"] if found else None

    def coding(self, value: Any, name: str) -> Coding | None:
        """The target Coding of a code, or of the first triplet of a CWE that has one."""
        for code, _, system, _ in _triplets(value):
            found = self._codes.find(name, code, self.coding_system(system) or "")
            if found:
                return found
        return None

    def codings(self, value: Any, name: str = "", table: str = "") -> list[Coding]:
        """A CWE's codings: the target in the map `name` first, then what was sent. `table` is the HL7 table of codes
        that name no system. A coding that was sent twice, or is its own target, is there once."""
        found: list[Coding] = []
        target = self.coding(value, name) if name else None
        if target:
            found.append(dict(target))
        for code, display, said, version in _triplets(value):
            system = self.coding_system(said) or (self.coding_system(f"HL7{table}") if table else None)
            same = next((one for one in found if one["code"] == code and one.get("system") == system), None)
            if same is None:
                coding = {"system": system or "", "version": version, "code": code, "display": display}
                found.append({key: text for key, text in coding.items() if text})
            elif display:
                same.setdefault("display", display)
        return found

    def unit(self, value: Any) -> dict[str, str] | None:
        """`unit` as sent and `code` in UCUM of OBX-6 or a like field; no code when the map `units` has none.

        Many senders write m^2 or 10^3 and do not escape the caret: then the whole field is the unit.
        """
        if not isinstance(value, Value):
            return None
        whole = value.text.strip()
        mapped = self._codes.find("units", whole)
        code, display, system = (_text(value.lookup(number)) for number in (1, 2, 3))
        if mapped or (display[:1].isdigit() and not system):
            return {"unit": whole, "code": mapped["code"] if mapped else ""}
        mapped = self.coding(value, "units")
        is_ucum = self.coding_system(system) == "http://unitsofmeasure.org"
        return {"unit": display or code, "code": mapped["code"] if mapped else code if is_ucum else ""}

    def coding_system(self, value: Any) -> str | None:
        """The URI of a coding system as CWE-3 names it (HL7 table 0396), an OID, or a URI."""
        name = _text(value)
        if not name:
            return None
        known = self._codes.find("coding-systems", name)
        if known:
            return known["code"]
        table = _TABLE.fullmatch(name)
        if table:
            return f"http://terminology.hl7.org/CodeSystem/v2-{table[1]}"
        if _OID.fullmatch(name):
            return f"urn:oid:{name}"
        if _URI.fullmatch(name):
            return name
        return f"urn:headwater:{self._ehr}:codes:{_NOT_FOR_URN.sub('-', name)}"


def _triplets(value: Any) -> list[tuple[str, str, str, str]]:
    """Code, display, system and version, up to three times: components 1-3 and 7, 4-6 and 8, 10-12 and 13 of a CWE
    (chapter 2A.13). In a component that is a CWE they are subcomponents."""
    if not isinstance(value, Value):
        return [(code, "", "", "")] if (code := " ".join(_text(value).split())) else []
    found = []
    for start, version in ((1, 7), (4, 8), (10, 13)):
        code, display, system, said = (_text(value.part(at)) for at in (start, start + 1, start + 2, version))
        if code:
            found.append((" ".join(code.split()), display, system, said))
    return found


# -------------------------------------------------------------------------------------------------- of any sender


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _moment(value: Any) -> times.Moment | None:
    return times.read(_text(value)) if value is not None else None


def _date(value: Any) -> str | None:
    moment = _moment(value)
    return moment.date() if moment else None


def _date_time(value: Any) -> str | None:
    """A zone-less text that is no part of a message has no zone to take: only its day is certain."""
    moment = _moment(value)
    if moment is None:
        return None
    zone = value.zone if isinstance(value, Value) else moment.zone
    return moment.date_time(zone) if zone else moment.date()


def _instant(value: Any) -> str | None:
    moment = _moment(value)
    zone = value.zone if isinstance(value, Value) else moment.zone if moment else None
    return moment.instant(zone) if moment and zone else None


def _time(value: Any) -> str | None:
    return times.read_time(_text(value))


def _quantity(value: Any) -> dict[str, str] | None:
    """`value` (a JSON number as text) and `comparator` of an NM or SN, or of what senders put there: `<5`, `1,200`."""
    found = _NUMBER.fullmatch(_text(value).strip())
    if not found:
        return None
    comparator, sign, whole, fraction = found.groups()
    if not whole and not fraction:
        return None
    digits = (whole or "0").replace(",", "").lstrip("0") or "0"
    number = f"{'-' if sign == '-' else ''}{digits}{fraction or ''}"
    return {"value": number, **({"comparator": comparator} if comparator else {})}


def _range(value: Any) -> dict[str, dict[str, str]] | None:
    """`low` and `high`, each as `quantity` gives it, of a reference range as OBX-7 writes it (chapter 7.4.2.7):
    `3.5-5.1`, `<200`, `>=60`. What FHIR's SimpleQuantity has no room for, whether the bound belongs to it, is in the
    text that goes with it."""
    text = _text(value).strip()
    both = _RANGE.fullmatch(text)
    if both:
        low, high = (_quantity(bound) for bound in both.groups())
        return {"low": low, "high": high} if low and high else None
    one = _quantity(text)
    if not one or "comparator" not in one:
        return None
    return {"high" if one.pop("comparator").startswith("<") else "low": one}


def _positive_int(value: Any) -> int | None:
    """FHIR positiveInt; what is none, or none that FHIR could hold, is None."""
    text = _text(value).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if 0 < number < 2**31 else None


def _period(value: Any, end: Any = None) -> dict[str, str] | None:
    """A FHIR Period; an end before the start is a mistake of the sender's, and is left out."""
    first, last = _moment(value), _moment(end)
    if first and last:
        known = min(len(first.parts), len(last.parts))
        too_early = last.parts[:known] < first.parts[:known]
        if known > 3 and isinstance(value, Value) and isinstance(end, Value):
            too_early = last.aware(end.zone) < first.aware(value.zone)
        last = None if too_early else last
    bounds = {"start": _date_time(value), "end": _date_time(end) if last else None}
    return {name: bound for name, bound in bounds.items() if bound} or None


def _attachment(value: Any, encoding: Any = "") -> str | None:
    """The data of an ED as base64, whatever ED-4 says it is written in (HL7 table 0299); None if it is not that."""
    data = value.text if isinstance(value, Value) else _text(value)
    kind = _text(encoding).lower()
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


def _attachment_type(value: Any) -> str | None:
    """The media type of an ED from ED-2 and ED-3 (HL7 tables 0191, 0291), or from a sender that knows them itself;
    any bytes where neither says it."""
    if not isinstance(value, Value):
        return None
    kind, subtype = (_text(value.lookup(number)).lower() for number in (2, 3))
    known = next((said for said in (subtype, kind) if re.fullmatch(r"[\w.+-]+/[\w.+-]+", said)), None)
    if known or not re.fullmatch(r"[\w.+-]+", subtype):
        return known or "application/octet-stream"
    kind = _MEDIA_TYPES.get(kind, kind)
    return f"{kind if kind in ('image', 'audio', 'text', 'video', 'multipart') else 'application'}/{subtype}"


def _as_code(value: Any) -> str:
    """Text where FHIR wants a code, which has no double spaces (FHIR R4 datatypes.html#code)."""
    return " ".join(_text(value).split())


def _group(value: Any) -> Group:
    return value if isinstance(value, Group) else Group([])


def _all(value: Any, *names: str) -> Sequence[Segment]:
    return _group(value).all(*names)


def _groups(value: Any, *names: str) -> Sequence[Group]:
    return _group(value).groups(*names)


def _head(value: Any, *names: str) -> Group:
    return _group(value).head(*names)


def _tail(value: Any, *names: str) -> Group:
    return _group(value).tail(*names)


def _results(value: Any) -> Sequence[Group]:
    """The observations of an order: an OBX with its notes, or several OBX when they are the lines of one text (same
    OBX-3 and OBX-4, chapter 7.4.2.4). `occurrence` tells apart those that have code and sub-id in common."""
    results: list[Result] = []
    seen: dict[tuple[str, ...], int] = {}
    for group in _group(value).groups("OBX"):
        obx = group.segments[0]
        code = obx.field(3)
        key = (code.text if code else "", _text(obx.field(4)))
        if results and results[-1].key == key and _is_line(obx) and _is_line(results[-1].segments[0]):
            results[-1] = Result([*results[-1].segments, *group.segments], key, results[-1].occurrence)
            continue
        seen[key] = seen.get(key, 0) + 1
        results.append(Result(group.segments, key, seen[key]))
    return results


def _is_line(obx: Segment) -> bool:
    return _text(obx.field(2)) in _LINES


class Result(Group):
    """One observation; `occurrence` is empty for the first of its kind in its order, then 2, 3 …"""

    __slots__ = ("key", "occurrence")

    def __init__(self, segments: Sequence[Segment], key: tuple[str, ...], occurrence: int) -> None:
        super().__init__(segments)
        self.key = key
        self.occurrence = occurrence

    def lookup(self, name: str | int) -> object:
        if name == "occurrence":
            return str(self.occurrence) if self.occurrence > 1 else ""
        return super().lookup(name)


_OF_ANY_SENDER: Mapping[str, Filter] = {
    "hl7_date": _date,
    "hl7_datetime": _date_time,
    "hl7_instant": _instant,
    "hl7_time": _time,
    "period": _period,
    "positive_int": _positive_int,
    "quantity": _quantity,
    "range": _range,
    "attachment": _attachment,
    "attachment_type": _attachment_type,
    "as_code": _as_code,
    "all": _all,
    "groups": _groups,
    "head": _head,
    "tail": _tail,
    "results": _results,
}
