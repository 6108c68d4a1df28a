"""Input that means harm: good messages damaged, and templates put together from what templates are made of.

Everything is drawn from one `Random`, so that an input is known by its seed and number and needs no keeping.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "mappings" / "base"

_BYTES = (b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\x0b", b"\x1c", b'"', b"'", b"\\", b"<")
_HL7 = (
    b"|",
    b"^",
    b"~",
    b"&",
    b"\\",
    b"\\E\\",
    b"\\X0D\\",
    b"\\.br\\",
    b'""',
    b"MSH|^~\\&|",
    b"\rOBX|",
    b"\rZZ1|",
    b"FHS|",
)
_XML = (
    b"<",
    b"/>",
    b"</",
    b"<a b='",
    b"&amp;",
    b"&#0;",
    b"&x;",
    b"<!DOCTYPE a>",
    b"<!--",
    b"]]>",
    b"<![CDATA[",
    b" xmlns=''",
)
JSON = (b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"1e999", b"-0.0", b"\\u0000", b"\\ud800", b"NaN", b"true")
_CSV = (b",", b";", b'"', b'""', b"\r\n", b"\n", b"\t", b"=1+1")


@cache
def samples(*suffixes: str) -> tuple[bytes, ...]:
    """The base mappings' examples of some suffixes, and the worst kinds of nothing."""
    found = (path.read_bytes() for suffix in suffixes for path in sorted(BASE.rglob(f"examples/**/*{suffix}")))
    return (*(body for body in found if len(body) < 20_000), b"", b" ")


def damaged(random: Random, bodies: tuple[bytes, ...], tokens: tuple[bytes, ...]) -> bytes:
    """One of `bodies`, cut, doubled, turned over and sown with `tokens`."""
    body = bytearray(random.choice(bodies))
    if random.random() < 0.5:
        body = body[: random.randint(0, 600)]
    for _ in range(random.choice((0, 1, 2, 4, 8, 16))):
        at, to = sorted((random.randint(0, len(body)), random.randint(0, len(body))))
        change = random.randrange(6)
        if change == 0:
            del body[at : min(to, at + 200)]
        elif change == 1:
            body[at:at] = body[at : min(to, at + 200)]
        elif change == 2:
            body[at : at + 1] = bytes([random.randrange(256)])
        elif change == 3:
            body[at:at] = random.choice(_BYTES)
        else:
            body[at:at] = random.choice(tokens) * random.choice((1, 1, 1, 2, 50))
    return bytes(body)


def hl7v2(random: Random) -> bytes:
    return damaged(random, samples(".hl7"), _HL7)


def ccda(random: Random) -> bytes:
    """A document damaged as text, or as a tree: then it is read, and holds what no template expects."""
    if random.random() < 0.4:
        return damaged(random, (*samples(".xml"), b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"), _XML)
    document = ElementTree.fromstring(random.choice(_documents()))
    for _ in range(random.randint(0, 6)):
        holder = random.choice(list(document.iter()))
        change = random.randrange(5)
        if change == 0 and len(holder):
            holder.remove(random.choice(list(holder)))
        elif change == 1 and len(holder):
            holder.append(random.choice(list(holder)))
        elif change == 2:
            holder.attrib = {random.choice(("nullFlavor", "value", "code", "x")): random.choice(("UNK", "", "-1", "é"))}
        elif change == 3:
            holder.text = random.choice(("", " ", "x", "2025"))
        else:
            holder.tag = random.choice(("a", "{urn:hl7-org:v3}value", "{urn:hl7-org:sdtc}x"))
    return ElementTree.tostring(document)


@cache
def _documents() -> tuple[bytes, ...]:
    return tuple(body for body in samples(".xml") if body.strip())


def fhir(random: Random) -> bytes:
    """A Bundle damaged as text, or one of damaged resources."""
    if random.random() < 0.4:
        return damaged(random, samples(".fhir", ".json"), JSON)
    listed = [{"fullUrl": f"urn:uuid:{number}", "resource": resource(random)} for number in range(random.randint(1, 4))]
    listed.append({"resource": {"resourceType": "Patient", "id": "p", "identifier": [{"value": "1"}]}})
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": listed}).encode()


def json_lines(random: Random) -> bytes:
    if random.random() < 0.4:
        return damaged(random, samples(".jsonl", ".json"), JSON)
    return b"\n".join(json.dumps(resource(random)).encode() for _ in range(random.randint(1, 3)))


def csv(random: Random) -> bytes:
    return damaged(random, samples(".csv"), _CSV)


# ----------------------------------------------------------------------------------------------------------- resources


@cache
def _resources() -> tuple[dict[str, Any], ...]:
    """Resources that the base mappings make."""
    bundles = [json.loads(path.read_text()) for path in sorted(BASE.rglob("examples/**/*.json"))]
    found = []
    for one in bundles:
        listed = one.get("entry", one.get("resources", [])) if isinstance(one, dict) else one
        found += [each.get("resource", each) for each in listed if isinstance(each, dict)]
    return tuple(found)


_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**30,
    "",
    " ",
    "x" * 300,
    "2026-02-30",
    "#",
    "urn:x",
    [],
    {},
    [[]],
    {"": {}},
)


def resource(random: Random) -> dict[str, Any]:
    """A valid resource with a few of its nodes replaced, doubled, or gone."""
    copy: dict[str, Any] = json.loads(json.dumps(random.choice(_resources())))
    for _ in range(random.randint(0, 5)):
        holder: Any = copy
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(holder[key], dict | list) and random.random() < 0.7:
                holder = holder[key]
                continue
            _changed(random, holder, key)
            break
    return copy


def _changed(random: Random, holder: Any, key: Any) -> None:
    change = random.randrange(4)
    if change == 0:
        del holder[key]
    elif change == 1:
        holder[key] = deepcopy(random.choice(_ODD))
    elif change == 2:
        holder[key] = [holder[key]]
    elif isinstance(holder, dict):
        holder[f"_{key}"] = deepcopy(random.choice(_ODD))


# ----------------------------------------------------------------------------------------------------------- templates

DATA: dict[str, Any] = {
    "a": {"b": [1, "x", None, {"c": "y"}], "size": 3, "__class__": 1},
    "b": 'q"\\\n{{ x }}\x01',
    "c": [],
    "d": -2.50,
    "msg": {"id": "1", "when": "20250711083000", "deep": [[["z"]]]},
}
_NAMES = ("a", "x", "y", "b")
_PATHS = (
    "a",
    "a.b",
    "a.b[0]",
    "a.b.first",
    "b",
    "c",
    "d",
    "x",
    "msg.when",
    "msg.deep",
    "a.__class__",
    "a['b']",
    "forloop.index",
)
_LITERALS = ("'x'", '"y"', "''", "0", "2.5", "true", "nil", "'%Y'", "'.*'", "'(a+)+$'", "'Patient'", "'2026-11-22'")
_COMPARED = ("==", "!=", "<", ">", "<=", ">=", "contains")
_WORD = re.compile("INNER|TEST|PIPED|VALUE|PATH|NAME|LITERAL|PARTIAL")
_DEPTH = 4


_TAGS = (
    "{% if TEST %}INNER{% elsif VALUE %}INNER{% else %}INNER{% endif %}",
    "{% unless TEST %}INNER{% endunless %}",
    "{% for NAME in PATH limit: 5 %}INNER{% else %}INNER{% endfor %}",
    "{% for NAME in (1..3) %}INNER{% if TEST %}{% break %}{% endif %}{% endfor %}",
    "{% case VALUE %}{% when LITERAL %}INNER{% else %}INNER{% endcase %}",
    "{% assign NAME = PIPED %}",
    "{% capture NAME %}INNER{% endcapture %}",
    "{% comment %}INNER{% endcomment %}",
)
TAGS = {
    "headwater": (*_TAGS, "{% include 'PARTIAL', NAME: VALUE %}", "{% render 'PARTIAL', NAME: VALUE %}"),
    "microsoft": (
        *_TAGS,
        "{% include 'PARTIAL' NAME: VALUE %}",
        "{% evaluate NAME using 'PARTIAL' NAME: VALUE %}",
        '{% mergeDiff PATH -%}{"k": "INNER",}{% endmergeDiff %}',
    ),
}
_WRONG = tuple(
    f"{{% {tag} VALUE %}}" for tag in ("cycle", "increment", "tablerow", "break", "validate", "zzz", "endif")
)
_TEXTS = (
    "{{ PIPED }}",
    "{{- PIPED -}}",
    '"{{ PIPED }}",',
    '{"k": "{{ PIPED }}", "l": [INNER]},',
    "[{{ PIPED | json }}]",
    "x ",
)


def template(random: Random, dialect: str, filters: tuple[str, ...], partials: tuple[str, ...]) -> str:
    """A template that mostly keeps the grammar, sometimes with a piece missing or doubled."""
    source = _Grammar(random, TAGS[dialect], filters, partials).block(0)
    while random.random() < 0.2 and source:
        at = random.randrange(len(source))
        source = (
            source[:at] + random.choice(("", source[at:] * 2, "{{", "%}", "'", "\x00", "é", "-")) + source[at + 1 :]
        )
    return source


def damaged_template(random: Random, sources: tuple[str, ...]) -> str:
    """A real template, its tokens dropped, doubled or exchanged."""
    tokens = re.findall(r"\{[{%]-?|-?[%}]\}|\w+|\s+|.", random.choice(sources)[:4000], re.DOTALL)
    for _ in range(random.randint(1, 6)):
        if tokens:
            at = random.randrange(len(tokens))
            tokens[at : at + random.randint(0, 2)] = random.choices(tokens, k=random.randint(0, 3))
    return "".join(tokens)


class _Grammar:
    """Fills the words in capitals of a dialect's tags."""

    def __init__(
        self, random: Random, tags: tuple[str, ...], filters: tuple[str, ...], partials: tuple[str, ...]
    ) -> None:
        self._random = random
        self._tags = tags
        self._filters = filters
        self._partials = partials
        self._depth = 0

    def block(self, depth: int) -> str:
        return "".join(self._statement(depth) for _ in range(self._random.randint(0, 3)))

    def _statement(self, depth: int) -> str:
        pieces = _TEXTS if depth >= _DEPTH or self._random.random() < 0.4 else self._tags
        form = self._random.choice(pieces if self._random.random() < 0.97 else _WRONG)
        return _WORD.sub(lambda word: self._word(word[0], depth), form)

    def _word(self, word: str, depth: int) -> str:
        choose = self._random.choice
        if word == "INNER":
            return self.block(depth + 1) if depth < _DEPTH else ""
        if word == "TEST":
            return f"{self._word('VALUE', depth)} {choose(_COMPARED)} {self._word('VALUE', depth)}"
        if word == "PIPED":
            return self._word("VALUE", depth) + "".join(self._filter() for _ in range(choose((0, 0, 1, 2))))
        if word == "VALUE":
            return choose(_PATHS if self._random.random() < 0.7 else _LITERALS)
        return choose({"PATH": _PATHS, "NAME": _NAMES, "LITERAL": _LITERALS, "PARTIAL": self._partials}[word])

    def _filter(self) -> str:
        arguments = [self._word("VALUE", 0) for _ in range(self._random.choice((0, 1, 1, 2)))]
        return f" | {self._random.choice(self._filters)}" + (f": {', '.join(arguments)}" if arguments else "")
