from __future__ import annotations

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3] / "mappings"
BASE = REPOSITORY / "base" / "hl7v2" / "examples"
ADMISSION, RESULTS = BASE / "adt-a01-inpatient.hl7", BASE / "oru-r01-blood-count.hl7"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A copy of the base, the schemas and one EHR, to be spoilt."""
    copy = tmp_path / "mappings"
    shutil.copytree(REPOSITORY / "base", copy / "base")
    shutil.copytree(REPOSITORY / "ehrs" / "epic", copy / "ehrs" / "epic")
    for schema in REPOSITORY.glob("*.schema.json"):
        shutil.copy(schema, copy)
    return copy


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection in Microsoft's layout: one root, one partial."""
    folder = tmp_path / "Hl7v2"
    (folder / "Resource").mkdir(parents=True)
    (folder / "ADT_A01.liquid").write_text(
        "{% assign pid = hl7v2Data | get_first_segments: 'PID' -%}\n"
        '{ "resourceType": "Bundle", "type": "batch", "entry": [\n'
        "  {% include 'Resource/Patient' PID: pid.PID -%}\n"
        "] }\n"
    )
    (folder / "Resource" / "_Patient.liquid").write_text(
        '{ "resource": {\n'
        '  "resourceType": "Patient", "id": "{{ PID.3.1.Value | generate_uuid }}",\n'
        '  "name": [{ "family": "{{ PID.5.1.1 }}", "given": ["{{ PID.5.2.Value }}"] }],\n'
        '  "gender": "{% if PID.8.Value == "M" %}male{% else %}unknown{% endif %}"\n'
        "} },\n"
    )
    return folder


def change(file: Path, old: str, new: str) -> None:
    """Replace what is there once."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), "utf-8")
