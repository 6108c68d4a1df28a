from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from local.analyst import bulk
from local.analyst.lines import Order, batch
from local.cli import main
from tests.local.analyst.conftest import ADMISSION, REPOSITORY, RESULTS

ORDER = Order(REPOSITORY)


def answers(*lines: Any, order: Order = ORDER) -> list[dict[str, Any]]:
    said = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
    return [orjson.loads(line) for line in batch(said, order)]


def test_hl7_alone_is_read_by_what_the_standards_say() -> None:
    (answer,) = answers({"id": "a", "hl7": ADMISSION.read_text()})
    assert answer["id"] == "a"
    kinds = [entry["resource"]["resourceType"] for entry in answer["bundle"]["entry"]]
    assert kinds.count("Patient") == 1
    assert answer["bundle"]["type"] == "transaction"
    assert all(entry["request"]["method"] == "PUT" for entry in answer["bundle"]["entry"])


def test_a_line_may_name_its_ehr() -> None:
    plain, epic = answers(
        {"id": 1, "hl7": ADMISSION.read_text()}, {"id": 2, "body": ADMISSION.read_text(), "ehr": "epic"}
    )
    assert plain["bundle"] != epic["bundle"]
    assert "epic" in json.dumps(epic["bundle"]["entry"][-1])


def test_a_line_may_name_its_template() -> None:
    (answer,) = answers({"id": 1, "hl7": RESULTS.read_text(), "template": "ADT_A01"})
    assert "DiagnosticReport" not in {entry["resource"]["resourceType"] for entry in answer["bundle"]["entry"]}


def test_a_bad_line_is_answered_and_the_next_goes_on() -> None:
    found = answers(
        b"nonsense",
        [1],
        {"id": "no text"},
        {"id": "no hl7", "hl7": "PID|1"},
        {"id": "no ehr", "hl7": "x", "ehr": "nobody"},
        {"id": "no format", "body": "x", "format": "application/nothing"},
        {"id": "ok", "hl7": ADMISSION.read_text()},
    )
    assert [answer.get("error", {}).get("code") for answer in found] == [
        "analyst.line",
        "analyst.line",
        "analyst.line",
        "convert.not_hl7",
        "ehrs.unknown",
        "convert.format_unknown",
        None,
    ]
    assert found[-1]["bundle"]["entry"]


def test_an_error_holds_nothing_of_the_message() -> None:
    marked = ADMISSION.read_text().replace("|ADT^A01", "|ZZZ^QQQ", 1).replace("PID|", "PID|SECRET", 1)
    (answer,) = answers({"id": 1, "hl7": marked})
    assert set(answer["error"]) == {"code", "place", "hint"}
    assert "SECRET" not in json.dumps(answer["error"])


def test_a_microsoft_collection_takes_lines_too(collection: Path) -> None:
    order = Order(REPOSITORY, templates=collection, template="ADT_A01")
    (answer,) = answers({"id": 1, "hl7": RESULTS.read_text()}, order=order)
    assert answer["bundle"]["entry"][0]["resource"]["name"][0]["family"] == "Castellano"


def test_the_command_reads_and_writes_lines(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    line = orjson.dumps({"id": "x", "hl7": ADMISSION.read_text()}) + b"\n\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert main(["convert", "--batch"]) == 0
    (out,) = capfdbinary.readouterr().out.splitlines()
    assert orjson.loads(out)["id"] == "x"


# ------------------------------------------------------------------------------------------------------------- bulk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.hl7").write_bytes(ADMISSION.read_bytes())
    (folder / "deep" / "b.hl7").write_bytes(RESULTS.read_bytes())
    (folder / "two.hl7").write_bytes(ADMISSION.read_bytes() + b"\r" + RESULTS.read_bytes())
    (folder / "bad.hl7").write_bytes(b"PID|1")
    (folder / ".hidden").write_bytes(b"no")
    return folder


def ids(out: Path) -> list[str]:
    return sorted(orjson.loads(line)["id"] for line in out.read_bytes().splitlines())


ALL = ["a.hl7", "bad.hl7", "deep/b.hl7", "two.hl7#1", "two.hl7#2"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_becomes_lines_and_a_summary(folder: Path, tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "out.ndjson"
    summary = bulk.convert_folder(folder, out, ORDER, jobs=jobs)
    assert ids(out) == ALL
    assert (summary.files, summary.messages, summary.skipped) == (4, 5, 0)
    assert summary.errors == {"convert.not_hl7": 1}
    assert next(iter(summary.places["convert.not_hl7"])).startswith("MSH: ")


def test_a_second_run_has_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    bulk.convert_folder(folder, out, ORDER, jobs=1)
    again = bulk.convert_folder(folder, out, ORDER, jobs=1)
    assert (again.files, again.messages, again.skipped) == (0, 0, 4)
    assert ids(out) == ALL


@pytest.mark.parametrize("cut", [1, 100, 5000, 20000])
def test_a_run_that_broke_off_goes_on_to_the_same_end(folder: Path, tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out.ndjson"
    bulk.convert_folder(folder, out, ORDER, jobs=1)
    whole = sorted(out.read_bytes().splitlines())
    out.write_bytes(out.read_bytes()[:-cut])
    bulk.convert_folder(folder, out, ORDER, jobs=1)
    assert sorted(out.read_bytes().splitlines()) == whole


def test_what_failed_is_tried_again_when_asked_for(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    bulk.convert_folder(folder, out, ORDER, jobs=1)
    (folder / "bad.hl7").write_bytes(ADMISSION.read_bytes())
    summary = bulk.convert_folder(folder, out, ORDER, jobs=1, retry_errors=True)
    assert not summary.errors
    assert ids(out) == ALL
    assert b'"error"' not in out.read_bytes()


def test_the_command_says_how_many_failed_and_of_what(folder: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out.ndjson"
    assert main(["convert", str(folder), "--out", str(out), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert "4 files, 5 messages" in said
    assert "convert.not_hl7" in said
