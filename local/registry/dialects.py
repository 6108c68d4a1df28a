"""What is a folder of its own: products that are spoken with alike, with the addresses that may stand in a registry."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"

Json = dict[str, Any]

# Told of in the collections, but not EHRs: the store that Headwater itself fills.
_NOT_AN_EHR = {"aws-healthlake"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A folder to be: products that are spoken with alike, and the profile of them, if there is one."""

    folder: str
    family: str
    products: Sequence[Json]
    profile: Json


def dialects(products: Sequence[Json], profiles: Mapping[str, Json]) -> Iterator[Dialect]:
    """A folder per profile, and one for what is left of every dialect of active products with an address."""
    by_profile, by_dialect = defaultdict(list), defaultdict(list)
    for product in products:
        if product["active"] or product.get("profile_id"):
            if product.get("profile_id") in profiles:
                by_profile[product["profile_id"]].append(product)
            elif _patterns(product):
                by_dialect[product["dialect"]].append(product)
    for name, profile in profiles.items():
        if name not in _NOT_AN_EHR:
            members = by_profile[name]
            yield Dialect(name, slug(members[0]["dialect"]) if members else name, members, profile)
    for name, members in sorted(by_dialect.items()):
        family = slug(name)
        product = members[0]["id"].partition("--")[2]
        yield Dialect(f"{family}-{product}" if family in profiles else family, family, members, {})


def slug(dialect: str) -> str:
    """`developer:acme-health-inc` and `altera (per-customer host)` as folder names: acme-health, altera."""
    bare = re.sub(r"^developer:|\s*\(.*\)", "", dialect)
    return re.sub(r"-(inc|llc|corporation|o)$", "", bare).strip("-")


def addresses(dialect: Dialect) -> tuple[list[str], int]:
    """The base URLs that may stand in a registry, each once, and how many were refused."""
    published = [url for product in dialect.products for url in _patterns(product)]
    # A profile names addresses of other interfaces too (REST, GraphQL, sandboxes): those stay facts.
    described = [
        url for url in dialect.profile.get("base", ()) if re.match(r"https://.*(fhir|uscore)", url, re.IGNORECASE)
    ]
    not_endpoints = any("source-url-is-not-an-endpoint" in product["flags"] for product in dialect.products)
    usable = re.compile(_schema_pattern())
    found: dict[str, str] = {}
    refused = 0
    for url in (said.split(" ")[0].rstrip("/;") for said in (*published, *described)):
        if usable.fullmatch(url) and not not_endpoints:
            found.setdefault(re.sub(r"\{[^}]*\}", "{}", url).lower(), url)
        else:
            refused += 1
    return list(found.values()), refused


def _patterns(product: Json) -> list[str]:
    return product["base_url"]["patterns"] or []


def _schema_pattern() -> str:
    """The schema is the one place that says what an address may be."""
    return str(json.loads((MAPPINGS / "ehr.schema.json").read_text(encoding="utf-8"))["$defs"]["address"]["pattern"])
