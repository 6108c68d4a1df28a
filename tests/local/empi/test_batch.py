"""match_all: everybody at once gives the answers that the gate gives one after the other."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from headwater.model import Verdict
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.grade import grade_linked, only_one
from headwater.persons.policy import load_policy
from local.empi.batch import match_all
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
        certain = only_one(list(likely.values()), POLICY)
        person, state = -1, "held"
        if not likely and record.profile.birth_date:
            person, state = place, "new"
        elif certain is not None:
            person, state = list(likely)[certain], "linked"
        answers.append((person, state))
        if person >= 0:
            persons[person].append(place)
        for key in profile_keys(record.profile, POLICY):
            buckets[key].add(place)
    return answers


def test_a_batch_decides_as_the_gate_does(tmp_path: Path) -> None:
    lines = [json.dumps(patient_of(record.traits, record.id)).encode() for record in RECORDS]
    told: list[str] = []
    found = match_all(lines, POLICY, tmp_path, 2, lambda what, done, of: told.append(what))
    assert found.ids == [record.id for record in RECORDS]
    assert list(zip(found.person, found.state, strict=True)) == one_after_the_other(RECORDS)
    assert list(dict.fromkeys(told)) == ["records read", "pairs that share a key", "records decided"]
    assert {"new", "linked", "held"} == set(found.state)
