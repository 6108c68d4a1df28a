"""match_all: everybody at once gives the answers that the gate gives one after the other."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from headwater.model import Verdict
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.grade import grade_linked, only_one
from headwater.persons.policy import load_policy
from local.empi.batch import match_all
from local.empi.batch_gate import Matches
from local.empi.patients import patient_of
from local.empi.population import population
from local.empi.truth import Known

POLICY = load_policy(Path(__file__).resolve().parents[3] / "mappings")
RECORDS, _ = population(8, 250, POLICY)


def one_after_the_other(records: list[Known]) -> list[tuple[int, str]]:
    buckets: defaultdict[str, set[int]] = defaultdict(set)
    persons: defaultdict[int, list[int]] = defaultdict(list)
    answers: list[tuple[int, str]] = []
    for place, record in enumerate(records):
        near = {answers[other][0] for key in lookup_keys(record.profile, POLICY) for other in buckets[key]} - {-1}
        grades = {
            person: grade_linked(record.profile, [records[one].profile for one in persons[person]], POLICY)
            for person in sorted(near)
        }
        likely = {person: grade for person, grade in grades.items() if grade.verdict is not Verdict.DIFFERENT}
        certain = only_one(list(grades.values()), POLICY)
        person, state = -1, "held"
        if not likely and record.profile.birth_date:
            person, state = place, "new"
        elif certain is not None:
            person, state = list(grades)[certain], "linked"
        answers.append((person, state))
        if person >= 0:
            persons[person].append(place)
        for key in profile_keys(record.profile, POLICY):
            buckets[key].add(place)
    return answers


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The records in three files, of which the parts know nothing."""
    lines = [json.dumps(patient_of(record.traits, record.id)) + "\n" for record in RECORDS]
    paths = [tmp_path / f"{number}.ndjson" for number in range(3)]
    for path, some in zip(paths, (lines[:100], ["\n"], lines[100:]), strict=True):
        path.write_text("".join(some), encoding="utf-8")
    return paths


def batch(files: list[Path], work: Path, told: list[str] | None = None, part: int = 70) -> Matches:
    work.mkdir(exist_ok=True)
    said = [] if told is None else told
    return match_all(files, POLICY, work, 2, lambda what, done, of: said.append(f"{what} {done}/{of}"), part=part)


def test_a_batch_decides_as_the_gate_does(files: list[Path], tmp_path: Path) -> None:
    told: list[str] = []
    found = batch(files, tmp_path / "work", told)
    assert found.ids == [record.id for record in RECORDS]
    assert list(zip(found.person, found.state, strict=True)) == one_after_the_other(RECORDS)
    parts = -(-len(RECORDS) // 70)
    steps = ("records read", "pairs that share a key", "records decided")
    assert told == [f"{what} {done}/{parts}" for what in steps for done in range(1, parts + 1)]
    assert {"new", "linked", "held"} == set(found.state)


def test_the_size_of_the_parts_does_not_matter(files: list[Path], tmp_path: Path) -> None:
    assert batch(files, tmp_path / "one", part=10_000) == batch(files, tmp_path / "many", part=31)


@pytest.mark.parametrize("lost", ["keys-1", "pairs-2", "compared-0", "profiles-3"])
def test_a_batch_that_was_stopped_does_only_what_is_left(files: list[Path], tmp_path: Path, lost: str) -> None:
    work = tmp_path / "work"
    found = batch(files, work)
    done = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    (work / lost).unlink()
    (work / "keys-0.unfinished").write_bytes(b"half")
    if lost.startswith("profiles"):  # written before the keys, which say that the part is done
        (work / "keys-3").unlink()
    assert batch(files, work) == found
    again = {path.name for path in work.iterdir() if path.stat().st_mtime_ns != done.get(path.name)}
    part = lost.partition("-")[2]
    made = {f"{kind}-{part}" for kind in ("profiles", "records", "keys")} if lost[0] in "kp" else {lost}
    assert again - {"keys-0.unfinished"} == ({lost} if lost.startswith("pairs") else made)


def test_a_key_that_too_many_share_is_a_stewards_matter(files: list[Path], tmp_path: Path) -> None:
    many = tmp_path / "many.ndjson"
    patient = {"resourceType": "Patient", "name": [{"family": "Oduya", "given": ["Sam"]}], "birthDate": "1980-02-03"}
    numbered = (patient | {"id": str(number), "gender": "male"} for number in range(103))
    many.write_text("".join(f"{json.dumps(one)}\n" for one in numbered), encoding="utf-8")
    found = batch([many], tmp_path / "work", part=50)
    assert found.state[0] == "new"
    assert found.pairs == 100 * 101 // 2
    assert set(found.state[101:]) == {"held"}


def test_a_line_that_is_no_patient_is_named_by_its_number_only(files: list[Path], tmp_path: Path) -> None:
    files[1].write_text('{"name": "Oduya"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"^record 101 is no FHIR Patient with an id \(KeyError\)$"):
        batch(files, tmp_path / "work")
