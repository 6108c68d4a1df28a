"""A dialect as the text of its `ehr.toml`: who it is, and under `[published]` all that the collections say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from local.registry.dialects import Dialect, Json, addresses

_READ_ONLY = "(g)(10) certifies reading only; nothing about writing may be assumed"
_COMMENT = """\
#:schema ../../ehr.schema.json
# Made by `python -m local.registry` of public sources; edit it as you like, it will not be made again.
# No `[write.…]` stands here, so every write-back is refused. What a site needs is in docs/ehrs.md.
"""


def head(dialect: Dialect) -> str:
    return f"{_COMMENT}title = {_toml(_title(dialect))}\nfamily = {_toml(dialect.family)}\n"


def _title(dialect: Dialect) -> str:
    if dialect.profile:
        return str(dialect.profile["name"])
    products = [product["product"] for product in dialect.products]
    developers = list(dict.fromkeys(product["developer"] for product in dialect.products))
    if len(products) == 1:
        return str(products[0])
    return (
        str(developers[0]) if len(developers) == 1 else f"{len(products)} products on {dialect.products[0]['dialect']}"
    )


def published(dialect: Dialect) -> str:
    profile, products = dialect.profile, dialect.products
    write = profile.get("write") or products[0]["write"]
    urls, refused = addresses(dialect)
    flags = dict.fromkeys(flag for product in products for flag in product["flags"])
    flags |= dict.fromkeys(["no-usable-base-url"] if refused and not urls else [])
    sources = profile.get("evidence") or [_source(one) for it in products for one in it["evidence"]]
    surface = _surface(write)
    lines = {
        "developer": profile.get("developer") or "; ".join(dict.fromkeys(it["developer"] for it in products)),
        "write": surface,
        "confidence": confidence(write.get("confidence")),
        "why": _why(write, surface),
        "sources": list(dict.fromkeys(filter(None, sources)))
        or ["looked for in public material, 2026-11: nothing was found"],
        "products": list(dict.fromkeys(product["product"] for product in products)),
        "base_urls": urls,
        "flags": list(flags),
        "creates": _types(write.get("fhir_create")),
        "updates": _types(write.get("fhir_update")),
    }
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in lines.items() if value)
    facts = [*_profile_facts(profile), *_certified_facts(products, described=bool(profile))]
    rows = "".join(f"  {_inline(fact)},\n" for fact in facts)
    return f"[published]\n{text}fact = [\n{rows}]\n"


def _why(write: Mapping[str, Any], surface: str) -> str:
    """What a source says about its own account of writing, else what the account amounts to."""
    for said in (write.get("note"), write.get("scope"), write.get("confidence")):
        if said and len(said.split()) > 1 and not said.startswith("(g)(10) certifies"):
            return str(said)
    return {"declared": "its documents list them", "none": "its documents list none"}.get(surface, _READ_ONLY)


def _source(evidence: str) -> str:
    """A file of ONC's list of certified products under its own name; a profile is no source of itself."""
    if evidence.startswith("profile:"):
        return ""
    return evidence.replace("lantern:", "onc-healthit/lantern-back-end @8a6f7736 ")


def _surface(write: Mapping[str, Any]) -> str:
    """`null` is not known, `[]` is a document that lists none; an operation or a documented list is a declaration."""
    if write.get("fhir_create") or write.get("operations"):
        return "declared"
    return "unknown" if write.get("fhir_create") is None else "none"


_TYPE = re.compile(r"([A-Z][A-Za-z]+)(?: \([a-zA-Z-]+\))?")


def _types(said: Iterable[str] | None) -> list[str]:
    """FHIR types out of `Basic (FinancialTransaction)` and `all R4 types` (`*`); a sentence names none."""
    found = []
    for one in said or ():
        if match := _TYPE.fullmatch(one):
            found.append(match[1])
        elif one.startswith("all"):
            found.append("*")
    return found


def confidence(said: str | None) -> str:
    """The weakest of the words that a source uses of itself."""
    words = (said or "unstated").lower()
    for level, names in _WORDS.items():
        if any(name in words for name in names):
            return level
    return "unstated"


_WORDS = {
    "unknown": ("unknown",),
    "low": ("low", "inferred", "own knowledge"),
    "medium": ("medium",),
    "high": ("high",),
}
_SECTIONS = (
    "tenancy", "auth", "write", "concurrency", "batch", "idempotency", "marker_channel", "reconcile_after_unknown",
    "response", "required_headers", "errors", "rate_limit", "events", "staging", "quirks",
)  # fmt: skip


def _profile_facts(profile: Mapping[str, Any]) -> Iterator[Json]:
    """Everything that a profile says, one line each, as sure as its section is."""
    for address in profile.get("base", ()):
        yield _fact("address", address, "unstated")
    for section in _SECTIONS:
        value = profile.get(section)
        of = value.get("confidence") if isinstance(value, dict) else None
        for about, says in _flat(section, value):
            if about.startswith("write.fhir_"):
                # A bare type is in `creates` or `updates`; here stays what they cannot say: `ChargeItem ($create)`.
                says = "; ".join(one for one in says.split("; ") if not re.fullmatch(r"[A-Z][A-Za-z]+", one))
            if says and not about.endswith(".confidence"):
                yield _fact(about, says, "unknown" if says.startswith("unknown") else confidence(of))
        if of and len(of.split()) > 1:
            yield _fact(f"{section}.how_sure", of, confidence(of))


def _fact(about: str, says: str, sure: str) -> Json:
    return {"about": about, "says": says, "confidence": sure}


def _flat(about: str, value: object) -> Iterator[tuple[str, str]]:
    """A nested statement as dotted names and texts; what was left empty says nothing."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(f"{about}.{re.sub(r'[^A-Za-z0-9]+', '_', key)}", below)
    elif isinstance(value, list):
        yield from _flat(about, "; ".join(map(str, value)))
    elif isinstance(value, bool):
        yield about, "yes" if value else "no"
    elif value not in (None, ""):
        yield about, str(value)


def _certified_facts(products: Sequence[Json], *, described: bool) -> Iterator[Json]:
    """What the certification list says, and all that is known of products that nobody has `described`."""
    if products and products[0]["certification"]["criterion"]:
        certified, fhir = products[0]["certification"], products[0]["fhir"]
        listed = ", ".join(dict.fromkeys(one for it in products for one in it["certification"]["status"]))
        yield _fact("certification", f"{certified['criterion']}: {listed} (list of {certified['snapshot']})", "high")
        yield _fact("fhir.version", f"{fhir['version']}: {fhir['basis']}", "unstated")
    unknown = [product["product"] for product in products if str(product["write"]["confidence"]).startswith("unknown")]
    if described:
        if 0 < len(unknown) < len(products):
            yield _fact("write.unknown_for", "; ".join(unknown), "unknown")
        return
    yield _fact("auth.model", products[0]["auth"]["floor"], confidence(products[0]["auth"]["confidence"]))
    tenancies = dict.fromkeys(product["base_url"]["tenancy"] for product in products)
    yield _fact("tenancy", "; ".join(tenancies), "low")  # worked out from the shape of the addresses
    for address in dict.fromkeys(url for product in products for url in product["developer_docs"] or ()):
        yield _fact("documentation", address, "unstated")


def _toml(value: object) -> str:
    """A text or a list of texts; JSON's escapes are TOML's too (TOML 1.0, basic strings)."""
    if isinstance(value, list):
        inner = ", ".join(_toml(one) for one in value)
        return f"[{inner}]" if len(inner) < 90 else "[\n" + "".join(f"  {_toml(one)},\n" for one in value) + "]"
    return json.dumps(" ".join(str(value).split()), ensure_ascii=False)


def _inline(fact: Json) -> str:
    return "{ " + ", ".join(f"{key} = {_toml(value)}" for key, value in fact.items()) + " }"
