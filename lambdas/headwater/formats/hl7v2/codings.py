"""Codes of a message to standard ones, by the code maps of its EHR. What has no target stays what it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any, TypeVar

from headwater.formats.codes import CodeMap, CodeMaps, Coding, Note
from headwater.formats.hl7v2.parts import Parts, part, text_of, whole_text
from headwater.formats.marks import fresh, nil_stays, word
from headwater.formats.remembered import LONGEST, Remembered

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_TABLE = re.compile(r"(?:HL7|hl7)?(\d{4})")
_NOT_FOR_URN = re.compile(r"[^A-Za-z0-9._-]+")
_UCUM = "http://unitsofmeasure.org"
_TRIPLETS = ((1, 7), (4, 8), (10, 13))  # where they begin in a CWE, and their versions (chapter 2A.13)

_TEXTS = (str, NoneType)
T = TypeVar("T")
_WithNotes = tuple[T, tuple[Note, ...]]  # which are due whenever the value is used
Triplet = tuple[str, str, str, str]  # code, display, URI of its system, version; what is not there is ""


class Codings:
    """Codes to standard ones. What has no target stays what it was."""

    def __init__(self, ehr: str, codes: CodeMaps) -> None:
        self._ehr = ehr
        self._codes = codes
        self._systems = Remembered(self._system)
        self._of_texts = self._remembered(self._codings_of_text)
        self._of_codes = self._remembered(self._coding_of)
        self._units = self._remembered(self._unit)

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "code": Remembered(self.code, self._codes.notes),
            "coding": self.coding,
            "codings": self.codings,
            "coding_system": self.coding_system,
            "unit": self.unit,
        }

    @word
    @nil_stays
    def code(self, value: Any, name: str) -> str | None:
        """The target code of the map `name`."""
        codes = self._codes[name]
        found = codes.get(("", value)) if value.__class__ is str else None
        found = found or self._target(self._triplets(value), codes)
        return found["code"] if found else None

    @fresh
    @nil_stays
    def coding(self, value: Any, name: str, display: Any = None, system: Any = None) -> Coding | None:
        """The target Coding of a code, or of the first triplet of a CWE that has one. `display` and `system`
        are what the sender calls a code that is a text, and the URI of its system."""
        if value.__class__ is str and display.__class__ in _TEXTS and system.__class__ in _TEXTS:
            found = self._due(self._of_codes[value, name, display, system])
        else:
            found = self._coding_of(value, name, display, system)
        return {**found} if found else None

    def _coding_of(self, value: Any, name: str, display: Any, system: Any) -> Coding | None:
        triplets = self._triplets(value)
        if display is not None or system is not None:
            triplets = [(code, text_of(display), text_of(system), version) for code, _, _, version in triplets]
        return self._target(triplets, self._codes[name])

    @fresh
    def codings(self, value: Any, name: str = "", table: str = "") -> list[Coding]:
        """A CWE's codings: the target in the map `name` first, then what was sent. `table` is the HL7 table of codes
        that name no system. A coding that was sent twice, or is its own target, is there once."""
        if value.__class__ is str:
            found = self._due(self._of_texts[value, name, table])
        elif isinstance(value, Parts):
            key = self, name, table
            known = value.made.get(key)
            if known is None:
                known = value.made[key] = self._with_notes(self._codings_of, value, name, table)
            found = self._due(known)
        else:
            return self._codings_of(value, name, table)
        return [*map(dict.copy, found)]

    def _codings_of(self, value: Any, name: str, table: str) -> list[Coding]:
        triplets = self._triplets(value)
        target = self._target(triplets, self._codes[name]) if name else None
        found = [{**target}] if target else []
        for code, display, system, version in triplets:
            if not system and table:
                system = self._systems[f"HL7{table}"]
            for one in found:
                if one["code"] == code and one.get("system", "") == system:
                    if display:
                        one.setdefault("display", display)
                    break
            else:
                found.append(_coding(code, display, system, version))
        return found

    def _codings_of_text(self, text: str, name: str, table: str) -> list[Coding]:
        code, system = " ".join(text.split()), self._systems[f"HL7{table}"] if table else ""
        if not code:
            return []
        sent = {"system": system, "code": code} if system else {"code": code}
        if not name:
            return [sent]
        target = self._codes[name].get(("", code))
        if not target:
            self._codes[name].want(code)
            return [sent]
        is_target = target["code"] == code and target.get("system", "") == system
        return [{**target}] if is_target else [{**target}, sent]

    @fresh
    @nil_stays
    def unit(self, value: Any) -> dict[str, str] | None:
        found = self._due(self._units[value]) if value.__class__ is str else self._unit(value)
        return {**found} if found else None

    def _unit(self, value: Any) -> dict[str, str] | None:
        """`unit` as sent and `code` in UCUM of OBX-6 or a like field; no code when the map `units` has none.

        Many senders write m^2 or 10^3 and do not escape the caret: then the whole field is the unit.
        """
        whole = whole_text(value).strip()
        if not whole:
            return None
        units = self._codes["units"]
        mapped = units.get(("", whole))
        if mapped:
            return {"unit": whole, "code": mapped["code"]}
        code, display, system = [text_of(part(value, number)) for number in (1, 2, 3)]
        if display[:1].isdigit() and not system:
            return {"unit": whole}
        mapped = self._target(self._triplets(value), units)
        if not mapped and self._systems[system] == _UCUM:
            mapped = {"code": code}
        said = {"unit": display or code, **({"code": mapped["code"]} if mapped else {})}
        return {name: text for name, text in said.items() if text} or None

    @word
    @nil_stays
    def coding_system(self, value: Any) -> str | None:
        """The URI of a coding system as CWE-3 names it (HL7 table 0396), an OID, or a URI."""
        return self._systems[text_of(value)] or None

    def _remembered(self, work_out: Callable[..., T]) -> Remembered[_WithNotes[T]]:
        return Remembered(partial(self._with_notes, work_out))

    def _with_notes(self, work_out: Callable[..., T], *said: Any) -> _WithNotes[T]:
        before = self._codes.notes()
        return work_out(*said), self._codes.noted_since(before)

    def _due(self, remembered: _WithNotes[T]) -> T:
        found, noted = remembered
        if noted:
            self._codes.note(noted)
        return found

    def _target(self, triplets: Sequence[Triplet], codes: CodeMap) -> Coding | None:
        for code, display, system, _ in triplets:
            found = codes.find(code, system, display)
            if found:
                return found
        if triplets:
            code, display, system, _ = triplets[0]
            codes.want(code, system, display)
        return None

    def _triplets(self, value: Any) -> Sequence[Triplet]:
        """The codes that a CWE says. In a component that is a CWE they are subcomponents."""
        if not isinstance(value, Parts):
            code = " ".join(text_of(value).split())
            return [(code, "", "", "")] if code else []
        said, found = value.parts, []
        for at, version_at in _TRIPLETS:
            if said[at]:
                code, system = " ".join(str(said[at]).split()), self._systems[str(said[at + 2])]
                found.append((code, str(said[at + 1]), system, str(said[version_at])))
        return found

    def _system(self, name: str) -> str:
        if not name or len(name) > LONGEST:
            return ""
        known = self._codes["coding-systems"].get(("", name))
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


def _coding(code: str, display: str, system: str, version: str) -> Coding:
    coding = {"system": system} if system else {}
    if version:
        coding["version"] = version
    coding["code"] = code
    if display:
        coding["display"] = display
    return coding
