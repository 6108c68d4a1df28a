"""What a template for C-CDA may say beyond Liquid: sections and entries by what they are, codes to standard ones, ids.

Code systems and identifier roots are OIDs in CDA; an EHR's code maps and authorities are asked before `urn:oid:` is the
answer. A code map is asked by the system's URI, and then for the code in whatever system. Which template reads an entry
is a code map too, `cda-entries`: by template id and moodCode, by template id, or by the element's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from headwater.formats.ccda.narrative import XHTML
from headwater.formats.codes import CodeMaps, Coding
from headwater.formats.hl7v2.codings import Codings
from headwater.formats.hl7v2.filters import Sender
from headwater.formats.hl7v2.systems import ContentIds
from headwater.formats.remembered import Remembered
from headwater.formats.tree import Data, Node, Nodes, each, plain

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI_ROOT = "2.16.840.1.113883.4.873"  # the extension is a URI (RFC 3986)
_NPI = "http://hl7.org/fhir/sid/us-npi"
# Clinical statements (CDA R2 chapter 4.3.6) in what may hold one: entry, component, entryRelationship.
_STATEMENTS = (
    "observation", "act", "substanceAdministration", "organizer", "procedure", "encounter", "supply",
    "observationMedia", "regionOfInterest",
)  # fmt: skip


def filters(sender: Sender, codes: CodeMaps, content_ids: ContentIds) -> Mapping[str, Callable[..., Any]]:
    """All of them, by the name that templates call them by. `content_ids` is `headwater.fhir.ids.content_ids`."""
    coded = _Codes(sender, codes)
    known = _Known(sender.name, coded, content_ids)
    return {
        "section": section,
        "templated": templated,
        "statement": statement,
        "nested": nested,
        "narrative": narrative,
        "left_out": left_out,
        "cda_codings": coded.codings,
        "cda_code": coded.code,
        "cda_system": coded.system,
        "cda_entry": coded.entry,
        "cda_identifier": known.identifier,
        "cda_key": known.key,
        "entry_id": known.entry_id,
        "role_id": known.role_id,
    }


def section(document: Any, *names: Any) -> Node | None:
    """The first section with one of these LOINC codes or template ids, sections in sections included."""
    wanted = frozenset(map(str, names))
    return next((one for one in sections(document) if wanted & _called(one)), None)


def templated(values: Any, *roots: Any) -> list[Node]:
    """Of entries, observations and the like those that name one of these template ids."""
    wanted = frozenset(map(str, roots))
    return [one for one in each(values) if isinstance(one, Node) and wanted & _templates(one)]


def statement(holder: Any) -> Node | None:
    """The act, observation and so on that an entry, a component or an entryRelationship holds."""
    name = _statement(holder)
    found = holder.lookup(name) if name else None
    return found if isinstance(found, Node) else None


def nested(holder: Any, *names: Any) -> Nodes | None:
    """The statements in the entryRelationships and components of one that have one of these codes or template ids."""
    wanted = frozenset(map(str, names))
    relations = [one for key in ("entryRelationship", "component") for one in each(_at(holder, key))]
    found = [
        one.lookup(name)
        for one in relations
        if (name := _statement(one)) and isinstance(held := one.peek(name), dict) and wanted & _called(Node(held))
    ]
    left_out(Nodes(found), "code")  # it is what they were chosen by
    return Nodes(found) if found else None


def narrative(text: Any) -> str | None:
    """The XHTML of an entry's or a section's text: of the narrative that it is or refers to, else of its words."""
    if not isinstance(text, Node):
        return None
    marked, words = text.lookup("div"), text.lookup("_")
    return marked or (f"{XHTML}{escape(str(words), quote=False)}</div>" if words else None)


def left_out(value: Any, *names: Any) -> None:
    """What has no place in FHIR, or is said by the resource's type already (docs/ccda.md), counts as read: these
    members of it, or all of it."""
    for one in each(value):
        if names and isinstance(one, Node):
            for name in names:
                plain(one.lookup(str(name)))
        else:
            plain(one)


def sections(document: Any) -> Iterator[Node]:
    """All sections of a document, each before the sections in it."""
    body = _at(_at(document, "component"), "structuredBody")
    waiting = list(each(_at(body, "component")))[::-1]
    while waiting:
        for one in each(_at(waiting.pop(), "section")):
            if isinstance(one, Node):
                yield one
                if one.peek("component"):
                    waiting.extend(reversed(each(one.lookup("component"))))


def _filled(texts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def _at(value: Any, name: str) -> Any:
    return value.lookup(name) if hasattr(value, "lookup") else None


def _called(one: Node) -> frozenset[str]:
    code = one.peek("code")
    return _templates(one) | {str(code.get("code", ""))} if isinstance(code, dict) else _templates(one)


def _templates(one: Node) -> frozenset[str]:
    return frozenset(_template_ids({"templateId": one.peek("templateId")}))


def _template_ids(held: Data) -> list[str]:
    ids = held.get("templateId")
    listed = ids if isinstance(ids, list) else [ids]
    return [str(one.get("root", "")) for one in listed if isinstance(one, dict)]


def _statement(holder: Any) -> str:
    names = holder.names() if isinstance(holder, Node) else ()
    return next((name for name in _STATEMENTS if name in names), "")


class _Codes:
    def __init__(self, sender: Sender, codes: CodeMaps) -> None:
        self._sender = sender
        self._codes = codes
        self._codings = Codings(sender.name, codes)

    def codings(self, value: Any, name: str = "") -> list[Coding]:
        """The codings of a CD or CE: its target in the map `name`, the code itself, its translations; each once."""
        found: list[Coding] = []
        for code, display, system in self._said(value):
            target = self._codes[name].find(code, system, display) if name else None
            if name and not target:
                self._codes[name].want(code, system, display)
            sent = _filled({"system": system, "code": code, "display": display})
            for coding in (dict(target), sent) if target else (sent,):
                named = coding["code"], coding.get("system")
                same = next((one for one in found if (one["code"], one.get("system")) == named), None)
                if same is None:
                    found.append(coding)
                elif "display" in coding:
                    same.setdefault("display", coding["display"])
        return found

    def code(self, value: Any, name: str) -> str | None:
        """The target code of the map `name` for a CD or CE or one of its translations."""
        targets = (self._codes[name].find(code, system, display) for code, display, system in self._said(value))
        return next((target["code"] for target in targets if target), None)

    def _said(self, value: Any) -> Iterator[tuple[str, str, str]]:
        for one in each(value):
            if not isinstance(one, Node):
                continue
            code = " ".join(str(one.lookup("code") or "").split())
            if code:
                display, system = one.lookup("displayName"), one.lookup("codeSystem")
                yield code, str(display or ""), self._codings.coding_system(system) or ""
            yield from self._said(one.lookup("translation"))

    def system(self, root: Any) -> str | None:
        """The URI of an identifier's root, an OID or a UUID."""
        text = str(root or "")
        known = self._sender.feed.authorities.get(text)
        mapped = self._codes["authorities"].find(text) if text and not known else None
        if known or mapped:
            return known or (mapped or {})["code"]
        if _UUID.fullmatch(text):
            return f"urn:uuid:{text.lower()}"
        return f"urn:oid:{text}" if _OID.fullmatch(text) else None

    def entry(self, holder: Any) -> str | None:
        """Which template of `ccda/entry` reads what an entry holds, by the map `cda-entries`."""
        name = _statement(holder)
        held = holder.peek(name) if name else None
        if not isinstance(held, dict):
            return None
        mood = str(held.get("moodCode") or "EVN")
        called = [*_template_ids(held), name]
        asked = (key for one in called for key in (f"{one}.{mood}", one))
        found = next(filter(None, (self._codes["cda-entries"].find(key) for key in asked)), None)
        return found["code"] if found else None


class _Known:
    """Identifiers, and ids made of them (docs/ids.md)."""

    def __init__(self, ehr: str, codes: _Codes, content_ids: ContentIds) -> None:
        self._codes = codes
        self._ids = Remembered(lambda resource_type: content_ids(ehr, str(resource_type)))

    def identifier(self, ii: Any) -> dict[str, str] | None:
        """`system` and `value` of an II. A root alone is the value, unless it names a register that is known: then
        the number is missing (C-CDA on FHIR, guidance on CDA id)."""
        root, extension = (str(_at(ii, name) or "") for name in ("root", "extension"))
        if root == _URI_ROOT and extension:
            at = extension.rfind("/" if "/" in extension else ":")
            return _filled({"system": extension[:at], "value": extension[at + 1 :]}) if at > 0 else None
        system = self._codes.system(root)
        if extension:
            return _filled({"system": system or "", "value": extension})
        if not system or not system.startswith("urn:"):
            return None
        return {"system": "urn:ietf:rfc:3986", "value": system}

    def key(self, ids: Any) -> str | None:
        """The first of an entry's ids that can tell it from others."""
        return "|".join(next(self._usable(ids), ())) or None

    def entry_id(self, resource_type: Any, patient: Any, ids: Any, *about: Any) -> str | None:
        """Of the patient, the entry's first id that can tell it from others, and what it is about; of these without
        the id if it has none, and None if then nothing says what it is."""
        said = [str(part or "") for part in about]
        known = next(self._usable(ids), ())
        return self._made(resource_type, patient, *known, *said) if known or any(said) else None

    def role_id(self, resource_type: Any, ids: Any, *about: Any) -> str | None:
        """Of a person's or an organization's own number, a national one first; else of what it is called."""
        known = sorted(self._usable(ids), key=lambda one: one[0] != _NPI)
        if known:
            return self._made(resource_type, *known[0], "")
        return self._made(resource_type, *about) if any(about) else None

    def _usable(self, ids: Any) -> Iterator[tuple[str, str]]:
        for ii in each(ids):
            system, extension = self._codes.system(_at(ii, "root")), str(_at(ii, "extension") or "")
            if system and (extension or system.startswith("urn:uuid:")):
                yield system, extension

    def _made(self, resource_type: Any, *parts: Any) -> str:
        return self._ids[resource_type](*(str(part or "") for part in parts))
