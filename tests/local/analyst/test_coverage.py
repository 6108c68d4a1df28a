from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from headwater.fhir.tables import elements
from local.analyst.coverage import coverage, outside, percent, profiles
from local.cli import main
from tests.local.analyst.conftest import ADMISSION, RESULTS

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def observation(category: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "category": [{"coding": [{"system": _CATEGORY, "code": category}]}], **more}


def test_an_element_counts_the_resources_that_have_it() -> None:
    found = {
        one.element.name: (one.have, one.of, one.percent)
        for one in coverage([observation("laboratory", status="final", valueString="x"), observation("laboratory")])
    }
    assert found["status"] == (1, 2, 50)
    assert found["value[x]"] == (1, 2, 50)
    assert found["category"] == (2, 2, 100)
    assert found["specimen"] == (0, 2, 0)


def test_a_resource_is_held_against_the_profiles_of_its_kind_only() -> None:
    names = {one.profile.name for one in coverage([observation("vital-signs")])}
    assert names == {"us-core-vital-signs"}
    assert outside([observation("imaging"), observation("vital-signs")]) == [observation("imaging")]


def test_race_is_an_extension_with_its_url() -> None:
    race = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"}
    patient = {"resourceType": "Patient", "extension": [race, {"url": "urn:other"}]}
    found = {one.element.name: one.have for one in coverage([patient])}
    assert (found["race"], found["ethnicity"]) == (1, 0)


def test_nothing_asked_is_no_percentage() -> None:
    assert percent([], required=True) is None


def test_every_path_of_the_table_is_one_of_r4() -> None:
    for profile in profiles():
        for condition in (*profile.when, *(one.condition for one in profile.elements)):
            kind = profile.type
            for step in condition.path.split("."):
                names = {
                    name: inner.name
                    for one in elements(kind)
                    for name, inner in (*one.json_names().items(), (f"{one.name}[x]", one.kinds[0]))
                    if one.choice or not name.endswith("[x]")
                }
                assert step in names, f"{profile.name}: {condition.path}"
                kind = names[step]


def test_what_r4_itself_requires_is_required() -> None:
    for profile in profiles():
        asked = {one.condition.path.partition(".")[0].removesuffix("[x]") for one in profile.elements if one.required}
        assert {one.name for one in elements(profile.type) if one.required} <= asked, profile.name


def test_a_feed_is_counted_and_its_failures_are_told(tmp_path: Path, capsys: Any) -> None:
    for message in (ADMISSION, RESULTS):
        (tmp_path / message.name).write_bytes(message.read_bytes())
    (tmp_path / "broken.hl7").write_bytes(b"MSH|x")
    assert main(["coverage", str(tmp_path), "--csv"]) == 0
    printed = capsys.readouterr()
    rows = {(row["profile"], row["element"]): row for row in csv.DictReader(io.StringIO(printed.out))}
    assert rows["us-core-patient", "identifier.value"]["percent"] == "100"
    assert rows["us-core-observation-lab", "value[x]"]["need"] == "must support"
    assert printed.err.startswith("3 messages, ")
    assert "not converted: 1 convert.not_hl7" in printed.err


def test_what_nothing_lacks_is_left_out_on_request(capsys: Any) -> None:
    assert main(["coverage", str(ADMISSION), "--csv", "--missing"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows
    assert all(int(row["percent"]) < 100 for row in rows)


def test_no_message_is_an_error(tmp_path: Path, capsys: Any) -> None:
    assert main(["coverage", str(tmp_path)]) == 2
    assert "no message under" in capsys.readouterr().err
