"""formats/codes: the first folder has the last word, large maps stay on disk, what has no line is wanted."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from headwater.errors import Quarantine
from headwater.formats.codes import COLUMNS, CodeMaps
from headwater.model import Unmapped
from local.analyst.code_maps import LARGE, Lines, from_concept_map, from_csv, write

LOINC = "http://loinc.org"


def line(code: str, to: str, system: str = "", equivalence: str = "equivalent") -> tuple[str, ...]:
    return (system, code, f"as sent {code}", LOINC if to else "", to, f"display {to}" if to else "", equivalence)


def put(folder: Path, *lines: tuple[str, ...], name: str = "lab") -> Path:
    write(lines, folder, name)
    return folder


def many() -> Iterable[tuple[str, ...]]:
    return (line(f"C{number}", f"{number}-1") for number in range(LARGE + 1))


def test_an_ehrs_own_line_goes_before_the_bases(tmp_path: Path) -> None:
    base = put(tmp_path / "base", line("GLU", "2345-7"), line("NA", "2951-2"))
    own = put(tmp_path / "own", line("GLU", "15074-8"))
    maps = CodeMaps([own, base])
    assert [(maps["lab"].find(code) or {}).get("code") for code in ("GLU", "NA", "X")] == ["15074-8", "2951-2", None]


def test_a_line_for_the_codes_own_system_goes_before_one_for_any(tmp_path: Path) -> None:
    maps = CodeMaps([put(tmp_path, line("1", "any"), line("1", "own", "urn:s"))])
    assert [(maps["lab"].find("1", system) or {})["code"] for system in ("urn:s", "urn:t")] == ["own", "any"]


def test_a_large_map_is_a_file_that_answers_as_a_small_one_does(tmp_path: Path) -> None:
    folder = put(tmp_path, *many())
    assert [file.name for file in folder.iterdir()] == ["lab.sqlite"]
    tracemalloc.start()
    maps = CodeMaps([folder])
    assert maps["lab"].find("C17") == {"system": LOINC, "code": "17-1", "display": "display 17-1"}
    assert maps["lab"].find("none") is None
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()
    put(folder, line("C17", "corrected"))
    assert (CodeMaps([folder])["lab"].find("C17") or {})["code"] == "corrected"
    assert len(Lines.of(folder / "lab.sqlite")) == LARGE + 1


def test_lines_that_people_write_go_before_a_large_files(tmp_path: Path) -> None:
    put(tmp_path, *many())
    (tmp_path / "lab.csv").write_text(",".join(COLUMNS) + "\n,C17,,http://loinc.org,by hand,,equivalent\n")
    maps = CodeMaps([tmp_path])
    assert [(maps["lab"].find(code) or {})["code"] for code in ("C17", "C18")] == ["by hand", "18-1"]


def test_what_has_no_line_is_wanted_once_and_told_once(tmp_path: Path) -> None:
    maps = CodeMaps([put(tmp_path, line("GLU", "2345-7"), line("NONE", "", equivalence="unmatched"))])
    for code in ("K", "K", "GLU", "NONE"):
        maps["lab"].want(code, "urn:local", "Potassium")
    assert maps.wanted() == (Unmapped("lab", "K", "urn:local", "Potassium"),)
    assert maps.wanted() == ()


@pytest.mark.parametrize(("code", "system"), [("2345-7", LOINC), ("see note of Mr Quintero", ""), ("x" * 65, "")])
def test_standard_codes_and_free_text_are_not_wanted(tmp_path: Path, code: str, system: str) -> None:
    maps = CodeMaps([put(tmp_path, line("GLU", "2345-7"))])
    maps["lab"].want(code, system)
    assert maps.wanted() == ()


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Quarantine, match=r"convert\.codes_missing at codes/lab\.csv"):
        CodeMaps([tmp_path])["lab"]


def concept_map(**element: object) -> dict[str, object]:
    group = {"source": "urn:local", "target": LOINC, "element": [{"code": "GLU", **element}]}
    return {"resourceType": "ConceptMap", "group": [group]}


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (
            concept_map(display="Glucose", target=[{"code": "2345-7", "equivalence": "wider", "display": "Sugar"}]),
            [("urn:local", "GLU", "Glucose", LOINC, "2345-7", "Sugar", "wider")],
        ),
        (concept_map(target=[{"equivalence": "unmatched"}]), [("urn:local", "GLU", "", "", "", "", "unmatched")]),
        (concept_map(), []),
    ],
)
def test_a_concept_map_is_read(tmp_path: Path, told: object, lines: object) -> None:
    (tmp_path / "m.json").write_text(json.dumps(told))
    assert list(from_concept_map(tmp_path / "m.json")) == lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "line 1: there is no column"),
        (",".join(COLUMNS) + "\n,,,u,t,,equal\n", "line 2: a code"),
        (",".join(COLUMNS) + "\n,c,,u,t,,roughly\n", "line 2: a code, and an equivalence"),
    ],
)
def test_a_csv_that_is_no_map_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        list(from_csv(tmp_path / "m.csv"))


def test_lines_that_nobody_has_filled_in_are_left_out(tmp_path: Path) -> None:
    head = "ehr,map,times," + ",".join(COLUMNS)
    (tmp_path / "m.csv").write_text(f"{head}\nnorth,lab,7,,K,Potassium,{LOINC},2823-3,,equal\nnorth,lab,3,,NA,,,,,\n")
    assert [one[1] for one in from_csv(tmp_path / "m.csv")] == ["K"]
