from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.analyst.collection import Collection
from local.analyst.imports import inspect
from local.analyst.lint import lint
from local.cli import main
from tests.local.analyst.conftest import RESULTS


def test_a_report_counts_what_a_collection_uses(collection: Path) -> None:
    report = inspect(Collection(collection))
    assert (report.format, report.roots, report.templates) == ("Hl7v2", ["ADT_A01"], 2)
    assert report.filters == {"get_first_segments": 1, "generate_uuid": 1}
    assert report.tags == {"assign": 1, "include": 1, "if": 1}
    assert (report.unknown, report.missing, report.faults) == ({}, {}, [])


def test_what_is_not_there_or_unknown_or_wrong_has_its_place(collection: Path) -> None:
    (collection / "ADT_A02.liquid").write_text('{ {% include \'No/Such\' %}\n "a": "{{ b | frobnicate }}" }')
    (collection / "ADT_A03.liquid").write_text("{\n  {% frob %} }")
    report = inspect(Collection(collection))
    assert report.unknown == {"frobnicate": ["ADT_A02.liquid:2:15"]}
    assert list(report.missing) == ["No/Such"]
    assert [error.place.split(":")[:2] for error in report.faults] == [["ADT_A03.liquid", "2"]]


def test_a_collection_that_was_brought_in_runs_from_there(collection: Path, mappings: Path, capsys: Any) -> None:
    (collection / "notes.exe").write_bytes(b"no template")
    arguments = ["templates", "import", str(collection), "--ehr", "epic", "--mappings", str(mappings)]
    assert main(arguments) == 0
    own = mappings / "ehrs/epic/microsoft/Hl7v2"
    assert sorted(file.name for file in own.rglob("*") if file.is_file()) == ["ADT_A01.liquid", "_Patient.liquid"]
    assert "2 of 2 templates compile" in capsys.readouterr().out
    assert main(["convert", str(RESULTS), "--raw", "--templates", str(own), "--root", "ADT_A01"]) == 0
    assert "Castellano" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "--replace" in capsys.readouterr().err
    assert main([*arguments, "--replace"]) == 0


def test_lint_reads_it_by_its_own_dialect(collection: Path, mappings: Path, capsys: Any) -> None:
    main(["templates", "import", str(collection), "--ehr", "epic", "--mappings", str(mappings)])
    assert lint(mappings, mappings / "ehrs/epic") == []
    (mappings / "ehrs/epic/microsoft/Hl7v2/ADT_A02.liquid").write_text("{% include 'No/Such' %}")
    (finding,) = lint(mappings, mappings / "ehrs/epic")
    assert finding.code == "lint.missing_template"
    assert finding.place.startswith("ehrs/epic/microsoft/Hl7v2/ADT_A02.liquid:1:")
    capsys.readouterr()


@pytest.mark.parametrize("more", [["--ehr", "nobody"], ["--format", "Nothing"]])
def test_a_wrong_command_is_exit_code_2(collection: Path, mappings: Path, more: list[str], capsys: Any) -> None:
    assert main(["templates", "import", str(collection), "--mappings", str(mappings), *more]) == 2
    assert "analyst." in capsys.readouterr().err


def test_the_report_as_json_holds_every_place(collection: Path, capsys: Any) -> None:
    (collection / "ADT_A02.liquid").write_text("{% include 'No/Such' %}")
    assert main(["templates", "import", str(collection), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["missing"]) == ["No/Such"]
    assert told["roots"] == ["ADT_A01", "ADT_A02"]
