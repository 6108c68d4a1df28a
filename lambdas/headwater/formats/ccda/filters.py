"""What a template for C-CDA may say beyond Liquid: sections and entries by what they are, codes to standard ones.

Code systems and identifier roots are OIDs in CDA; an EHR's code maps and authorities are asked before `urn:oid:` is the
answer. A code map is asked by the system's URI, and then for the code in whatever system.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headwater.formats.codes import CodeMaps, Coding
from headwater.formats.hl7v2.codings import Codings
from headwater.formats.hl7v2.filters import Sender
from headwater.formats.tree import Node, each

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def filters(sender: Sender, codes: CodeMaps) -> Mapping[str, Callable[..., Any]]:
    """All of them, by the name that templates call them by."""
    made = _Codes(sender, codes)
    return {
        "section": section,
        "templated": templated,
        "cda_codings": made.codings,
        "cda_code": made.code,
        "cda_system": made.system,
    }


def section(document: Any, *names: Any) -> Node | None:
    """The first section with one of these LOINC codes or template ids, sections in sections included."""
    wanted = frozenset(map(str, names))
    return next((one for one in sections(document) if wanted & _called(one)), None)


def templated(values: Any, *roots: Any) -> list[Node]:
    """Of entries, observations and the like those that name one of these template ids."""
    wanted = frozenset(map(str, roots))
    return [one for one in each(values) if isinstance(one, Node) and wanted & _templates(one)]


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


def _at(value: Any, name: str) -> Any:
    return value.lookup(name) if hasattr(value, "lookup") else None


def _called(one: Node) -> frozenset[str]:
    code = one.peek("code")
    return _templates(one) | {str(code.get("code", ""))} if isinstance(code, dict) else _templates(one)


def _templates(one: Node) -> frozenset[str]:
    ids = one.peek("templateId")
    listed = ids if isinstance(ids, list) else [ids]
    return frozenset(str(each_id.get("root", "")) for each_id in listed if isinstance(each_id, dict))


class _Codes:
    def __init__(self, sender: Sender, codes: CodeMaps) -> None:
        self._sender = sender
        self._codes = codes
        self._codings = Codings(sender.name, codes)

    def codings(self, value: Any, name: str = "") -> list[Coding]:
        """The codings of a CD or CE: its target in the map `name`, the code itself, its translations; each once."""
        found: list[Coding] = []
        for code, display, system in self._said(value):
            target = self._codes.find(name, code, system) if name else None
            sent = {key: text for key, text in (("system", system), ("code", code), ("display", display)) if text}
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
        targets = (self._codes.find(name, code, system) for code, _, system in self._said(value))
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
        mapped = self._codes.find("authorities", text) if text and not known else None
        if known or mapped:
            return known or (mapped or {})["code"]
        if _UUID.fullmatch(text):
            return f"urn:uuid:{text.lower()}"
        return f"urn:oid:{text}" if _OID.fullmatch(text) else None
