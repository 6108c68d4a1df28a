"""Codes of a message to standard ones, by the code maps of its EHR. What has no target stays what it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headwater.formats.codes import CodeMaps, Coding
from headwater.formats.hl7v2.parts import Parts, part, text_of, whole_text

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_TABLE = re.compile(r"(?:HL7|hl7)?(\d{4})")
_NOT_FOR_URN = re.compile(r"[^A-Za-z0-9._-]+")
_UCUM = "http://unitsofmeasure.org"
_MOST_SYSTEMS = 1000  # that are kept: a sender has a few dozen, but may write anything there

Triplet = tuple[str, str, str, str]  # code, display, system as sent, version


class Codings:
    """Codes to standard ones. What has no target stays what it was."""

    def __init__(self, ehr: str, codes: CodeMaps) -> None:
        self._ehr = ehr
        self._codes = codes
        self._systems: dict[str, str] = {}

    def filters(self) -> Mapping[str, Callable[..., Any]]:
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
        return self._target(_triplets(value), name)

    def _target(self, triplets: Sequence[Triplet], name: str) -> Coding | None:
        for code, _, system, _ in triplets:
            found = self._codes.find(name, code, self.coding_system(system) or "")
            if found:
                return found
        for code, display, system, _ in triplets[:1]:
            self._codes.want(name, code, self.coding_system(system) or "", display)
        return None

    def codings(self, value: Any, name: str = "", table: str = "") -> list[Coding]:
        """A CWE's codings: the target in the map `name` first, then what was sent. `table` is the HL7 table of codes
        that name no system. A coding that was sent twice, or is its own target, is there once."""
        found: list[Coding] = []
        triplets = _triplets(value)
        target = self._target(triplets, name) if name else None
        if target:
            found.append(dict(target))
        for code, display, said, version in triplets:
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
        whole = whole_text(value).strip()
        if not whole:
            return None
        mapped = self._codes.find("units", whole)
        code, display, system = (text_of(part(value, number)) for number in (1, 2, 3))
        if mapped or (display[:1].isdigit() and not system):
            return {"unit": whole, "code": mapped["code"] if mapped else ""}
        mapped = self.coding(value, "units")
        is_ucum = self.coding_system(system) == _UCUM
        return {"unit": display or code, "code": mapped["code"] if mapped else code if is_ucum else ""}

    def coding_system(self, value: Any) -> str | None:
        """The URI of a coding system as CWE-3 names it (HL7 table 0396), an OID, or a URI."""
        name = text_of(value)
        if not name:
            return None
        system = self._systems.get(name)
        if system is None:
            system = self._system(name)
            if len(self._systems) < _MOST_SYSTEMS:
                self._systems[name] = system
        return system

    def _system(self, name: str) -> str:
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


def _triplets(value: Any) -> Sequence[Triplet]:
    """Code, display, system and version, up to three times: components 1-3 and 7, 4-6 and 8, 10-12 and 13 of a CWE
    (chapter 2A.13). In a component that is a CWE they are subcomponents."""
    if not isinstance(value, Parts):
        return [(code, "", "", "")] if (code := " ".join(text_of(value).split())) else []
    said = value.part
    found = []
    for start, version in ((1, 7), (4, 8), (10, 13)):
        first = said(start)
        if first is not None:
            code = " ".join(str(first).split())
            found.append((code, text_of(said(start + 1)), text_of(said(start + 2)), text_of(said(version))))
    return found
