"""Who gave an identifier, as a URI, and ids made of what is identified (docs/ids.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from headwater.formats.codes import CodeMaps
from headwater.formats.hl7v2.parts import Part, part, repetitions, text_of

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_NOT_FOR_URN = re.compile(r"[^A-Za-z0-9._-]+")


class Systems:
    """Who gave an identifier, as a URI; and ids made from what is identified."""

    def __init__(
        self, ehr: str, authorities: Mapping[str, str], codes: CodeMaps, content_id: Callable[..., str]
    ) -> None:
        self._ehr = ehr
        self._authorities = authorities
        self._codes = codes
        self._content_id = content_id

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "authority": self.authority,
            "ei_authority": self.ei_authority,
            "id": self.id,
            "record_numbers": self.record_numbers,
        }

    def authority(self, value: Any) -> str | None:
        """The system URI of an HD (chapter 2A.36) or of a namespace alone."""
        return self._system(*(text_of(part(value, number)) for number in (1, 2, 3)))

    def ei_authority(self, value: Any) -> str | None:
        """The system URI of an EI (chapter 2A.28), whose parts 2 to 4 are an HD."""
        return self._system(*(text_of(part(value, number)) for number in (2, 3, 4)))

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
        said = [text_of(part) for part in parts]
        return self._content_id(self._ehr, text_of(resource_type), *said) if any(said) else None

    def record_numbers(self, value: Any) -> list[Part]:
        """The identifiers of a field, first the one by which this EHR knows the patient: of an authority that the
        EHR's file names, typed MR; else one of these; else the first that is no national or legal number."""
        numbers = [one for one in repetitions(value) if part(one, 1) is not None]
        ours = max(numbers, key=self._standing, default=None)
        return [*(one for one in numbers if one is ours), *(one for one in numbers if one is not ours)]

    def _standing(self, one: Part) -> int:
        kind, authority = text_of(part(one, 5)), part(one, 4)
        named = any(text_of(part(authority, at)) in self._authorities for at in (1, 2))
        ours = kind in ("MR", "PI", "PT", "")
        return 4 * (kind == "MR") + 3 * (named and ours) + 2 * ours + (kind not in ("SS", "DL", "PPN", "MC", "MA"))
