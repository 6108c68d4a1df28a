"""Who gave an identifier, as a URI, and ids made of what is identified (docs/ids.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from headwater.formats.codes import CodeMaps
from headwater.formats.hl7v2.parts import Part, Parts, part, repetitions, text_of
from headwater.formats.marks import nil_stays, word
from headwater.formats.remembered import LONGEST, Remembered

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_NOT_FOR_URN = re.compile(r"[^A-Za-z0-9._-]+")
ContentIds = Callable[..., Callable[..., str]]  # `headwater.fhir.ids.content_ids`, which formats may not know

_NOTHING = [""] * 5


class Systems:
    """Who gave an identifier, as a URI; and ids made from what is identified."""

    def __init__(self, ehr: str, authorities: Mapping[str, str], codes: CodeMaps, content_ids: ContentIds) -> None:
        self._ehr = ehr
        self._authorities = authorities
        self._codes = codes
        self._uris = Remembered(self._uri)
        self._ids = Remembered(lambda resource_type: content_ids(ehr, text_of(resource_type)))

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "authority": Remembered(self.authority),
            "ei_authority": self.ei_authority,
            "id": Remembered(self.id),
            "record_numbers": self.record_numbers,
        }

    @word
    @nil_stays
    def authority(self, value: Any) -> str | None:
        """The system URI of an HD (chapter 2A.36) or of a namespace alone."""
        if value.__class__ is str:
            return self._uris[value, None, None] or None
        said = value.parts if isinstance(value, Parts) else _NOTHING
        return self._uris[said[1], said[2], said[3]] or None

    @word
    @nil_stays
    def ei_authority(self, value: Any) -> str | None:
        """The system URI of an EI (chapter 2A.28), whose parts 2 to 4 are an HD."""
        said = value.parts if isinstance(value, Parts) else _NOTHING
        return self._uris[said[2], said[3], said[4]] or None

    def _uri(self, *hd: Part | None) -> str:
        namespace, universal, kind = map(text_of, hd)
        if len(namespace) + len(universal) + len(kind) > LONGEST:
            return ""
        for name in (namespace, universal):
            if name in self._authorities:
                return self._authorities[name]
            known = self._codes["authorities"].get(("", name)) if name else None
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
            return ""
        if _OID.fullmatch(name):
            return f"urn:oid:{name}"
        kind = f"{kind}:" if kind and not namespace else ""
        return f"urn:headwater:{self._ehr}:authority:{_NOT_FOR_URN.sub('-', kind + name)}"

    @word
    def id(self, resource_type: Any, *parts: Any) -> str | None:
        """The id of a resource of this EHR, None when nothing identifies it (see docs/ids.md)."""
        if not any(parts) and not any(map(text_of, parts)):
            return None
        return self._ids[resource_type](*parts)

    def record_numbers(self, value: Any) -> list[Part]:
        """The identifiers of a field, first the one by which this EHR knows the patient: of an authority that the
        EHR's file names, typed MR; else one of these; else the first that is no national or legal number."""
        numbers = [one for one in repetitions(value) if part(one, 1) is not None]
        if len(numbers) < 2:
            return numbers
        ours = max(numbers, key=self._standing)
        return [*(one for one in numbers if one is ours), *(one for one in numbers if one is not ours)]

    def _standing(self, one: Part) -> int:
        kind, authority = text_of(part(one, 5)), part(one, 4)
        named = any(text_of(part(authority, at)) in self._authorities for at in (1, 2))
        ours = kind in ("MR", "PI", "PT", "")
        return 4 * (kind == "MR") + 3 * (named and ours) + 2 * ours + (kind not in ("SS", "DL", "PPN", "MC", "MA"))
