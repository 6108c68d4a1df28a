"""headwater empi people, match and bench: made-up people go out as a folder, and come back as figures and a table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from headwater.persons.policy import load_policy
from local.cli import main
from local.empi.population import population
from local.empi.speed import measure_speed

POLICY = load_policy(Path(__file__).resolve().parents[3] / "mappings")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    assert main(["empi", "people", "--seed", "11", "--people", "200", "--out", str(folder)]) == 0
    return folder


def test_a_folder_is_matched_into_a_table(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "who.csv"
    assert main(["empi", "match", "--data", str(people), "--out", str(out), "--processes", "1"]) == 0
    with out.open() as lines:
        table = list(csv.DictReader(lines))
    with (people / "truth.csv").open() as lines:
        truth = {row["record_id"]: row["person_id"] for row in csv.DictReader(lines)}
    assert {row["record_id"] for row in table} == truth.keys()
    linked = [row for row in table if row["state"] == "linked"]
    assert len(linked) > 100
    assert all(truth[row["record_id"]] == truth[row["person_id"]] for row in linked)
    assert all(bool(row["person_id"]) == (row["state"] != "held") for row in table)
    assert f"{len(truth)} records" in capsys.readouterr().out


def test_a_folder_without_patients_is_an_error(tmp_path: Path) -> None:
    assert main(["empi", "match", "--data", str(tmp_path), "--out", str(tmp_path / "who.csv")]) == 2


def test_the_bench_says_who_is_beside_and_how_to_get_what_is_missing(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["empi", "bench", "--data", str(people)]) == 0
    said = capsys.readouterr().out
    for line in (
        "as a gate",
        "1:1, updates",
        "recall at precision 0.9999",
        "headwater ",
        "rules ",
        "Splink ",
        "Febrl 3",
    ):
        assert line in said
    assert said.count("requirements/empi.txt") == 2 or "R@99.9" in said.partition("Febrl 4")[2]


def test_one_patient_costs_two_round_trips_at_most() -> None:
    speed = measure_speed(population(12, 300, POLICY)[0], POLICY)
    assert speed.persons == 300
    assert len(speed.cpu) == len(speed.candidates) == len(speed.trips) > 50
    assert 1 <= max(speed.trips) <= 2
    assert max(speed.candidates) < 100
    assert all(graded > 0 for graded in (*speed.graded, *speed.from_items))
