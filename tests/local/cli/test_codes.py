"""headwater codes: from what waits for a mapping to the mapping that the next message is read with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from headwater.formats.codes import COLUMNS, CodeMaps
from headwater.model import Unmapped, Wanted
from local.cli import codes, main

POTASSIUM = Wanted(
    "north", Unmapped("lab", "K", "urn:north:lab", "Potassium"), 7, "2026-11-22T12:00:00+00:00", "north/1"
)


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    for folder in ("base/codes", "ehrs/north"):
        (tmp_path / folder).mkdir(parents=True)
    lines = ",".join(COLUMNS) + "\n,GLU,,http://loinc.org,2345-7,Glucose,equivalent\n"
    (tmp_path / "base/codes/lab.csv").write_text(lines)
    return tmp_path


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    work_list = SimpleNamespace(list=lambda limit: [POTASSIUM, Wanted("south", Unmapped("lab", "X"), 1, "", "south/9")])
    monkeypatch.setattr(codes, "target_of", lambda options: SimpleNamespace(app=SimpleNamespace(work_list=work_list)))


def run(*words: object) -> int:
    return main(["codes", *map(str, words)])


def test_what_waits_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("wanted", "--ehr", "north") == 0
    said = capsys.readouterr().out
    assert "1 codes wait" in said
    assert "Potassium" in said


def test_the_list_as_csv_filled_in_and_imported_is_the_mapping(
    mappings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("wanted", "--csv") == 0
    work_list = capsys.readouterr().out
    filled = tmp_path / "filled.csv"
    filled.write_text(work_list.replace("K,Potassium,,,,", "K,Potassium,http://loinc.org,2823-3,Potassium,equivalent"))
    assert run("import", filled, "--as", "lab", "--ehr", "north", "--mappings", mappings) == 0
    assert "ehrs/north/codes/lab.csv: 1 lines, 0 of them in the place of older ones" in capsys.readouterr().out
    maps = CodeMaps([mappings / "ehrs/north/codes", mappings / "base/codes"])
    assert (maps["lab"].find("K", "urn:north:lab") or {})["code"] == "2823-3"


def test_maps_are_listed_and_looked_into(mappings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--mappings", mappings) == 0
    assert "base/codes/lab.csv" in capsys.readouterr().out
    assert run("find", "lab", "GLU", "--ehr", "north", "--mappings", mappings) == 0
    assert capsys.readouterr().out == "http://loinc.org 2345-7 Glucose\n"
    assert run("find", "lab", "ZZZ", "--mappings", mappings) == 1
    assert run("find", "none", "ZZZ", "--mappings", mappings) == 2


def test_what_cannot_be_imported_says_why(mappings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.json").write_text('{"resourceType": "Bundle"}')
    assert run("import", tmp_path / "m.json", "--as", "lab", "--mappings", mappings) == 2
    assert "a FHIR ConceptMap was expected" in capsys.readouterr().err
