"""Each row of HL7's C-CDA on FHIR guide that says where something goes: the smallest document that has it, and where it
went. `ccda/<page>.toml` has the rows of one page; `line` is the row's line in that page's source.

A carrier is the entry that a row stands in. `{row}` comes before everything else in it, so that a row's element wins
where only one is taken; `{attributes}` are the attributes of the entry's main element.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from headwater.inbound.convert import convert
from headwater.model import Resource
from tests.mappings.examples import PLAIN, engine, envelope

FOLDER = Path(__file__).parent / "ccda"
PAGES = sorted(FOLDER.glob("*.toml"))
# What the document has besides the row: as little as a Patient and a Composition need.
DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="2.16.840.1.113883.19.5" extension="D-1"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
<title>Summary</title><effectiveTime value="20250711103000-0400"/>{header}
<recordTarget><patientRole>{role}<id root="2.16.840.1.113883.19.700" extension="1"/>
<patient>{person}<name><family>Vance</family></name></patient></patientRole></recordTarget>
<component><structuredBody><component><section>{section}<code code="{loinc}" codeSystem="2.16.840.1.113883.6.1"/>
<title>Section</title><text><paragraph ID="p1">first <content styleCode="Bold">words</content></paragraph></text>{body}
</section></component></structuredBody></component></ClinicalDocument>"""
PLACES = ("header", "role", "person", "section", "body")


@dataclass(frozen=True)
class Row:
    """One row: the XML put `at` a place of the document, the `path` to look at, and what must be among it."""

    name: str
    body: bytes
    path: str
    expected: Any


def rows() -> Iterator[Row]:
    for file in PAGES:
        page = tomllib.loads(file.read_text("utf-8"))
        for row in page["row"]:
            carrier = page.get("carriers", {}).get(row.get("carrier", "entry"), "{row}")
            xml = carrier.replace("{attributes}", row.get("attributes", "")).replace("{row}", row.get("xml", ""))
            filled = DOCUMENT.replace("{loinc}", row.get("section", page.get("section", "11450-4")))
            at = row.get("at", page.get("at", "body"))
            for place in PLACES:
                filled = filled.replace(f"{{{place}}}", xml if place == at else "")
            yield Row(f"{file.stem}:{row['line']} {row['guide']}", filled.encode(), row["path"], row["is"])


ALL = list(rows())


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_a_row_of_the_guide_is_mapped(row: Row) -> None:
    made = convert(envelope(PLAIN, row.body, "application/cda+xml"), PLAIN, engine(PLAIN.name)).resources
    found = list(looked_up(row.path, made))
    for expected in row.expected if isinstance(row.expected, list) else [row.expected]:
        assert expected in found


def looked_up(path: str, resources: tuple[Resource, ...]) -> Iterator[Any]:
    """Every value at `Type.member.member`, lists and references followed; `extension:name` is one whose URL ends so."""
    kind, *members = path.split(".")
    by_reference = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    found: list[Any] = [one for one in resources if one["resourceType"] == kind]
    for member in members:
        name, _, url = member.partition(":")
        found = [part for value in found for part in _parts(value, name, by_reference)]
        if url:
            found = [part for part in found if fnmatch(part["url"].rpartition("/")[2], url)]
    yield from found


def _parts(value: Any, name: str, by_reference: dict[str, Resource]) -> list[Any]:
    if name not in value and "reference" in value:
        value = by_reference[value["reference"]]
    part = value.get(name, [])
    return part if isinstance(part, list) else [part]
