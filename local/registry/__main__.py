"""`python -m local.registry CATALOGUE PROFILES`: fills `mappings/ehrs/`, once.

CATALOGUE is a list of certified products with the addresses that their developers published, PROFILES a detailed
account of some of them. Each dialect becomes a small `ehr.toml` that a person may then edit, so what is there is never
touched: `[published]` is added to a file that has none, and a folder that is missing is made. Products without an
address have nothing that a folder could say; they go to `mappings/ehr-catalogue.csv`. docs/decisions/0006 says why.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from local.registry.dialects import MAPPINGS, Json, dialects, slug
from local.registry.ehr_toml import head, published

CSV_COLUMNS = ("product", "developer", "dialect", "certification", "endpoint_list")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    products = _read(options.catalogue)["products"]
    profiles = {profile["id"]: profile for profile in _read(options.profiles)["profiles"]}
    made = added = 0
    placed: set[str] = set()
    for dialect in dialects(products, profiles):
        placed |= {product["id"] for product in dialect.products}
        file = options.mappings / "ehrs" / dialect.folder / "ehr.toml"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if re.search(r"^\[published\]", text, re.MULTILINE):
            continue
        made, added = made + (not text), added + bool(text)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text or head(dialect)}\n{published(dialect)}", encoding="utf-8")
    rest = [product for product in products if product["id"] not in placed]
    _write_rest(options.mappings / "ehr-catalogue.csv", rest)
    print(f"{made} folders made, {added} files completed, {len(rest)} products without an address listed")
    return 0


def _write_rest(file: Path, products: Iterable[Json]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(CSV_COLUMNS)
        for product in sorted(products, key=lambda one: (one["developer"].lower(), one["product"].lower())):
            status = ", ".join(product["certification"]["status"])
            lists = " ".join(product["service_base_url_list"] or ())
            rows.writerow([product["product"], product["developer"], slug(product["dialect"]), status, lists])


def _read(file: Path) -> Json:
    said: Json = json.loads(file.read_text(encoding="utf-8"))
    return said


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.registry", description="Fill mappings/ehrs/ once.")
    parser.add_argument("catalogue", type=Path, metavar="CATALOGUE", help="JSON: {products: […]}")
    parser.add_argument("profiles", type=Path, metavar="PROFILES", help="JSON: {profiles: […]}")
    parser.add_argument("--mappings", type=Path, default=MAPPINGS, help="where (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
