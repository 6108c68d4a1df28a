from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.cli import main
from tests.local.analyst.conftest import ADMISSION, RESULTS, change


def test_a_file_is_printed_as_a_bundle_and_reported_on_beside_it(capsys: Any) -> None:
    assert main(["convert", str(ADMISSION), "--ehr", "epic"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["resourceType"] == "Bundle"
    for word in ("ADT_A01", "resources:", " ms ", "not read", "FHIR R4 4.0.1"):
        assert word in said.err


def test_what_is_left_to_do_is_reported(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "x.hl7"
    file.write_text(
        "MSH|^~\\&|LIS|CLINIC|||20260312104500||ORU^R01|1|P|2.5.1\rPID|1||7^^^OURS^MR\r"
        "OBR|1|||CBC^Blood count^OURLAB\rOBX|1|NM|HB^Haemoglobin^OURLAB||14|g/dL|||||F\r"
    )
    assert main(["convert", str(file)]) == 0
    said = capsys.readouterr().err
    assert "no system OURS (give one in feed.authorities); OURLAB (give one in codes/coding-systems.csv)" in said
    assert "lab: HB (Haemoglobin)" in said


def test_a_name_that_is_nearly_an_ehrs_is_told(capsys: Any) -> None:
    assert main(["convert", str(ADMISSION), "--ehr", "epik"]) == 2
    assert "did you mean epic" in capsys.readouterr().err


def test_raw_is_one_line_and_nothing_else(capsys: Any) -> None:
    assert main(["convert", str(ADMISSION), "--raw"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.err == ""


def test_an_error_is_a_code_a_place_and_a_hint(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "x.hl7"
    file.write_text(ADMISSION.read_text().replace("ADT^A01^ADT_A01", "ZZZ^Z99"))
    assert main(["convert", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "convert.template_missing"
    assert "at    MSH-9" in said.err
    assert "hint  " in said.err


def test_what_is_invalid_is_shown_with_the_line_that_wrote_it(mappings: Path, capsys: Any) -> None:
    template = mappings / "base/hl7v2/segment/PID.liquid"
    change(template, '"gender": "', '"gender": "x')
    line = 1 + template.read_text().split('"gender"')[0].count("\n")
    assert main(["convert", str(ADMISSION), "--mappings", str(mappings)]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["resourceType"] == "Bundle"
    assert "set aside: convert.invalid" in said.err
    assert "Patient.gender: " in said.err
    assert f"hl7v2/segment/PID.liquid:{line}:3" in said.err


def test_a_batch_file_is_several_bundles(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "two.hl7"
    file.write_bytes(ADMISSION.read_bytes() + b"\r" + RESULTS.read_bytes())
    assert main(["convert", str(file), "--raw"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [["convert"], ["convert", "/no/such/file"], ["convert", "."], ["convert", str(ADMISSION), "--ehr", "nobody"]],
)
def test_a_wrong_command_is_exit_code_2(arguments: list[str], capsys: Any) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_a_microsoft_collection_is_run_in_place(collection: Path, capsys: Any) -> None:
    arguments = ["convert", str(RESULTS), "--templates", str(collection)]
    assert main([*arguments, "--root", "ADT_A01"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["entry"][0]["resource"]["name"] == [{"family": "Castellano", "given": ["Marisol"]}]
    assert "OBX-5" in said.err
    assert main(arguments) == 2
    assert "ADT_A01" in capsys.readouterr().err


def test_explain_prints_line_and_field(capsys: Any) -> None:
    assert main(["convert", str(RESULTS), "--explain", "Patient.name[0].family"]) == 0
    said = capsys.readouterr().out
    assert '"Castellano"' in said
    assert "hl7v2/datatype/XPN.liquid:4:16" in said
    assert '"family": "{{ xpn.1.1 }}"' in said
    assert "changes with PID-5.1" in said
